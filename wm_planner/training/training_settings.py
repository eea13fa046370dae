"""What a training run can be told."""

from __future__ import annotations

from dataclasses import dataclass

from wm_planner.settings import setting
from wm_planner.training.networks.denoiser_settings import ACTIONS, COLUMN, PACKINGS, PREDICTIONS
from wm_planner.training.networks.inverse_dynamics import HEADS
from wm_planner.training.networks.pixel_backbone import BACKBONES, SMALL

LATENTS, PIXELS = INPUTS = ("latents", "pixels")


@dataclass(frozen=True)
class TrainingSettings:
    """One run; ``config/training/<run>.yaml`` mirrors these names."""

    rig: str = setting("simulated_bimanual", help="name of the rig file")
    camera: str = setting("head", help="camera to look through")
    dt_s: float = setting(0.2, unit="s", minimum=0.01, maximum=2.0, help="spacing of frames")
    context_frames: int = setting(2, minimum=1, maximum=8, help="observed frames per dream")
    horizon: int = setting(12, minimum=2, maximum=32, help="dreamed frames")
    channels: int = setting(32, minimum=4, maximum=128, help="channels of a latent token")
    fine_channels: int = setting(
        0, minimum=0, maximum=64,
        help="of these channels: made by a deeper encoder, which looks closer",
    )  # fmt: skip
    width: int = setting(192, minimum=32, maximum=2048, help="width of the denoiser")
    layers: int = setting(6, minimum=1, maximum=48, help="layers of the denoiser")
    denoiser_token: str = setting(
        COLUMN, choices=PACKINGS, help="what a token of the denoiser holds of the latent's grid"
    )
    prediction: str = setting(
        "residual", choices=PREDICTIONS, help="what the denoiser's last layer means"
    )
    shortcut: bool = setting(False, help="train the denoiser for few, long sampling steps")
    actions: str = setting(
        "vectors", choices=ACTIONS, help="how hand targets are shown; hands need a calibration"
    )
    gripper_widths: bool = setting(
        False, help="tell the denoiser how far grippers were measured to be open on frames seen"
    )
    command_weight: float = setting(
        1.0, minimum=0.0, maximum=100.0, help="of the commands that dreams are read as"
    )
    outcomes: bool = setting(True, help="tell the denoiser whether an episode went well")
    own_levels: float = setting(
        0.3, minimum=0.0, maximum=1.0,
        help="share of windows in which every frame has a noise level of its own",
    )  # fmt: skip
    context_noise: float = setting(
        0.05, minimum=0.0, maximum=5.0, help="largest deviation of noise on the frames seen"
    )
    frame_action_dropout: float = setting(
        0.15, minimum=0.0, maximum=1.0, help="share of frames that are not told their action"
    )
    window_action_dropout: float = setting(
        0.55, minimum=0.0, maximum=1.0, help="share of windows that are not told any"
    )
    denoiser_scene_noise: float = setting(
        0.05, minimum=0.0, maximum=5.0,
        help="largest deviation of noise that all latents of a denoiser's window share",
    )  # fmt: skip
    denoiser_remember: float = setting(
        0.0, minimum=0.0, maximum=1.0,
        help="share of the denoiser's target that is what the one of --start-from predicts, so "
        "that fewer recordings make it forget less; of near misses with actions given "
        "only recordings tell",
    )  # fmt: skip
    inverse_dynamics_scene_noise: float = setting(
        0.0, minimum=0.0, maximum=5.0,
        help="the same for inverse dynamics on latents; more where recordings are few",
    )  # fmt: skip
    impossible: float = setting(
        0.06, minimum=0.0, maximum=1.0, help="share of windows asked for what is not there"
    )
    turns: float = setting(
        0.0, minimum=0.0, maximum=1.0,
        help="share of the denoiser's windows, in episodes with a mistake, that begin where it "
        "begins to be mended",
    )  # fmt: skip
    without_kinds: tuple[str, ...] = setting(
        (), help="kinds of episodes that the denoiser does not learn from"
    )
    autoencoder_steps: int = setting(4000, minimum=0, maximum=10**7, help="optimiser steps")
    denoiser_steps: int = setting(5000, minimum=0, maximum=10**7, help="optimiser steps")
    value_steps: int = setting(1500, minimum=0, maximum=10**7, help="optimiser steps")
    inverse_dynamics_steps: int = setting(2500, minimum=0, maximum=10**7, help="optimiser steps")
    learning_rate: float = setting(
        2e-3, minimum=1e-6, maximum=0.1,
        help="of all stages, at the top of the schedule; less where good weights are gone on from",
    )  # fmt: skip
    autoencoder_batch: int = setting(64, minimum=2, maximum=10**5, help="frames a step")
    autoencoder_anywhere_share: float = setting(
        0.0, minimum=0.0, maximum=1.0,
        help="of the autoencoder's frames: play and stills, on top of what falls to them anyway",
    )  # fmt: skip
    autoencoder_keep: bool = setting(
        False, help="leave the encoder of --start-from as it is: only fine channels are trained, "
        "and what decodes",
    )  # fmt: skip
    denoiser_batch: int = setting(64, minimum=1, maximum=10**5, help="windows a step")
    value_batch: int = setting(512, minimum=1, maximum=10**5, help="frames a step")
    inverse_dynamics_batch: int = setting(
        512, minimum=1, maximum=10**5, help="pairs of frames a step"
    )
    inverse_dynamics_on_dreams_steps: int = setting(
        0, minimum=0, maximum=10**7, help="optimiser steps; 0 leaves that stage out"
    )
    scene_decoder_steps: int = setting(
        0, minimum=0, maximum=10**7, help="optimiser steps; 0 leaves that stage out"
    )
    scene_decoder_batch: int = setting(
        24, minimum=1, maximum=10**5, help="scenes a step, each with four frames that follow"
    )
    scene_decoder_dreamed_share: float = setting(
        0.0, minimum=0.0, maximum=1.0,
        help="of these scenes: with dreams of the run's denoiser in place of what came",
    )  # fmt: skip
    preference_steps: int = setting(
        0, minimum=0, maximum=10**7, help="optimiser steps; 0 leaves that stage out"
    )
    preference_batch: int = setting(256, minimum=2, maximum=10**5, help="pairs a step")
    preference_frames: int = setting(
        3, minimum=1, maximum=32, help="last frames of a future that the preference head looks at"
    )
    labelled_share: float = setting(
        0.5, minimum=0.0, maximum=1.0, help="of the pairs a step: labelled, where there are labels"
    )
    instruction_steps: int = setting(
        0, minimum=0, maximum=10**7, help="optimiser steps; 0 leaves that stage out"
    )
    instruction_batch: int = setting(
        256, minimum=2, maximum=10**5, help="last frames a step, and as many others"
    )
    inverse_dynamics_apart: bool = setting(
        False, help="export two: frames that were seen are read by the network before the stage on "
        "dreams, dreams by the one after it",
    )  # fmt: skip
    inverse_dynamics_window: int = setting(
        2, minimum=2, maximum=16, help="frames that inverse dynamics looks at together"
    )
    inverse_dynamics_head: str = setting(
        "regression", choices=HEADS, help="how inverse dynamics says what may be"
    )
    inverse_dynamics_input: str = setting(
        LATENTS, choices=INPUTS, help="what the inverse dynamics that is exported looks at"
    )
    pixel_inverse_dynamics_steps: int = setting(
        5000, minimum=1, maximum=10**7, help="optimiser steps, where the input is pixels"
    )
    pixel_backbone: str = setting(
        SMALL, choices=BACKBONES, help="small begins as the autoencoder's encoder"
    )
    pixel_features: int = setting(512, minimum=8, maximum=8192, help="numbers made of an image")
    pixel_batch: int = setting(128, minimum=1, maximum=10**5, help="pairs of images a step")
    optical_flow: bool = setting(False, help="show inverse dynamics on pixels optical flow too")
    anywhere_share: float = setting(
        0.2, minimum=0.0, maximum=1.0,
        help="of inverse dynamics' windows: play and stills, where hands are anywhere",
    )  # fmt: skip
    calibration_share: float = setting(
        0.03, minimum=0.0, maximum=0.5,
        help="of the episodes: inverse dynamics' certainty is fitted on them, nothing else of it",
    )  # fmt: skip
    made_pieces: int = setting(
        6000, minimum=1, maximum=10**6,
        help="pieces of episodes to dream, and to reconstruct, for inverse dynamics on dreams",
    )  # fmt: skip
    dreamed_share: float = setting(
        0.4, minimum=0.0, maximum=1.0, help="of windows on dreams: dreamed with actions given"
    )
    reconstructed_share: float = setting(
        0.1, minimum=0.0, maximum=1.0, help="of windows on dreams: decoded and encoded again"
    )
    denoising_steps: int = setting(4, minimum=1, maximum=100, help="evaluations per dream")
    device: str = setting(
        "auto", help="where to train: auto (a GPU if there is one), cpu, cuda, cuda:N"
    )
    sharded: bool = setting(
        False, help="of several processes each holds only its part of a network in training (FSDP)"
    )
    threads: int = setting(1, minimum=1, maximum=256, help="CPU threads")
    compile: bool = setting(
        False, help="compile the networks first (C++ compiler needed); repays runs of 15 minutes"
    )
    checkpoint_every: int = setting(250, unit="steps", minimum=1, maximum=10**6, help="checkpoints")
    samples_every: int = setting(
        4, unit="checkpoints", minimum=0, maximum=10**6,
        help="pictures of reconstructions and dreams; 0 for none",
    )  # fmt: skip
    seed: int = setting(0, minimum=0, maximum=2**31 - 1, help="of weights, batches and noise")
