"""Trained networks to model bundles, each checked against torch before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wm_planner.bundle import (
    BACKBONE,
    INVERSE_DYNAMICS,
    SCENE_DECODER,
    WORLD_MODEL,
    Bundle,
    CameraSpec,
    Manifest,
    SamplerSpec,
    load_bundle,
    write_bundle,
)
from wm_planner.errors import BundleError
from wm_planner.onnx_session import OnnxSession
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.instruction import Instruction
from wm_planner.training.networks.inverse_dynamics import InverseDynamics
from wm_planner.training.networks.inverse_dynamics_apart import InverseDynamicsApart
from wm_planner.training.networks.preference import Preference
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.networks.value import Value
from wm_planner.training.onnx_export import OPSET, Exported, FreeAxis, export, round_weights

#: Largest difference between ONNX Runtime and torch: absolute, in units of the output (latents
#: have unit variance, poses are in m, pixels in levels).
TOLERANCE = {"latent": 2e-3, "clean": 2e-3, "own": 2e-3, "value": 1e-3, "image": 1.0,
             "pose": 1e-3, "next_pose": 1e-3, "command": 1e-3, "log_variance": 1e-2,
             "correlation": 1e-6, "preference": 5e-3, "similarity": 1e-3}  # fmt: skip


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle's manifest and card say beyond the networks.

    Attributes:
        name: for people.
        rig: name of the rig file.
        camera: name of the camera.
        dt_s: spacing of frames, s.
        instructions: sentences of the training set.
        vocabulary: their words, in the order of the networks' inputs.
        denoising_steps: of the sampler.
        training: data, commit, steps, seconds, machine.
        card: text of the model card.
        evaluation: figures on held-out episodes.
        outcomes: whether the denoiser was told how episodes went.
    """

    name: str
    rig: str
    camera: str
    dt_s: float
    instructions: tuple[str, ...]
    vocabulary: tuple[str, ...]
    denoising_steps: int
    training: Mapping[str, Any]
    card: str
    evaluation: Mapping[str, float] = field(default_factory=dict)
    outcomes: bool = True


class _Method(nn.Module):
    """A module whose forward is one method of another: exporters take modules."""

    def __init__(self, owner: nn.Module, method: Callable[..., Any]) -> None:
        super().__init__()
        self.owner = owner
        self.forward = method  # exporters read its signature


def export_world_model(
    folder: Path, autoencoder: Autoencoder, denoiser: Denoiser, value: Value, facts: BundleFacts,
    preference: Preference | None = None, instruction: Instruction | None = None,
    scene_decoder: SceneDecoder | None = None,
) -> Bundle:  # fmt: skip
    """Write a world model bundle and read it back; networks that are None are left out of it.

    Raises:
        BundleError: ONNX Runtime's numbers differ from torch's by more than `TOLERANCE`.
    """
    autoencoder.fold_norms()
    for model in (denoiser, value, preference, instruction):
        if model is not None:
            round_weights(model.eval())
    for part in autoencoder.eval().children():
        round_weights(part, in_8_bits=part is autoencoder.decoder)
    if scene_decoder is not None:
        round_weights(scene_decoder.eval(), in_8_bits=True)
    s, a = denoiser.settings, autoencoder.settings
    frame, words = (s.tokens, s.channels), len(facts.vocabulary)
    rows = 3
    image = torch.randint(0, 256, (rows, a.height, a.width, 3), dtype=torch.uint8)
    latent = torch.randn(rows, *frame)
    asked = torch.zeros(rows, words)
    asked[0, :2] = 1
    frames = 3  # any number: one at a time or all at once
    denoise = {
        "latents": torch.randn(rows, frames, *frame),
        "newest": torch.randn(rows, *frame),
        "signal": torch.rand(rows, frames),
        "words": asked,
        "goal": latent,
        "goal_given": torch.tensor([[0.0], [1.0], [0.0]]),
        "targets": denoiser.target_mean + torch.randn(rows, frames, 20) * denoiser.target_std,
        "targets_given": (torch.rand(rows, frames) > 0.5).float(),
        "outcome": torch.arange(rows) % 3,
        "first": torch.arange(rows),
        "memory": torch.randn(rows, s.layers, 2, s.heads, 2 * s.groups, s.width // s.heads),
    }
    if s.shortcut:
        denoise["stride"] = torch.rand(rows, frames) * (1 - denoise["signal"])
    if s.actions != "vectors":
        denoise["hands"] = torch.rand(rows, frames, *s.hands_shape)
    if s.gripper_widths:
        denoise["gripper_width"] = 0.1 * torch.rand(rows, s.context_frames, 2)
    at_once = FreeAxis("F", 1, s.context_frames + s.horizon)
    known = FreeAxis("P", 0, (s.context_frames + s.horizon) * s.groups)
    sequences = ("latents", "signal", "targets", "targets_given", "stride", "hands")
    free = {name: {1: at_once} for name in sequences} | {"memory": {4: known}}
    graphs = {
        "encoder": _checked("encoder", _Method(autoencoder, autoencoder.encode), {"image": image},
                            ("latent",), "N"),
        "decoder": _checked("decoder", _Method(autoencoder, autoencoder.decode_image),
                            {"latent": latent}, ("image",), "N", in_8_bits=True),
        "denoiser": _checked("denoiser", _Method(denoiser, denoiser.advance), denoise,
                             ("clean", "own"), "K", free),
        "value": _checked("value", value, {"latent": latent, "words": asked}, ("value",), "N"),
    }  # fmt: skip
    if preference is not None:
        futures = torch.randn(rows, preference.frames, *frame)
        graphs["preference"] = _checked(
            "preference", preference, {"latents": futures, "words": asked}, ("preference",), "N"
        )
    if instruction is not None:
        graphs["instruction"] = _checked(
            "instruction", instruction, {"latent": latent, "words": asked}, ("similarity",), "N"
        )
    if scene_decoder is not None:
        scenes = FreeAxis("S", 1, 4096)
        over = {
            "latent": latent, "scene": image[:2], "scene_latent": torch.randn(2, *frame),
            "row": torch.tensor([0, 1, 0]),
        }  # fmt: skip
        graphs[SCENE_DECODER] = _checked(
            SCENE_DECODER, _Method(scene_decoder, scene_decoder.decode_image), over, ("image",),
            "N", {"scene": {0: scenes}, "scene_latent": {0: scenes}}, in_8_bits=True,
        )  # fmt: skip
    manifest = Manifest(
        kind=WORLD_MODEL, name=facts.name, rig=facts.rig,
        cameras={facts.camera: CameraSpec(a.height, a.width)},
        context_frames=s.context_frames, horizon=s.horizon, dt_s=facts.dt_s, latent_shape=frame,
        graphs={name: graph.spec for name, graph in graphs.items()},
        conditioning=("instruction", "goal_image", "actions") + ("outcome",) * facts.outcomes,
        vocabulary=facts.vocabulary, instructions=facts.instructions,
        sampler=SamplerSpec(steps=facts.denoising_steps), opset=OPSET, training=facts.training,
        evaluation=facts.evaluation,
    )  # fmt: skip
    write_bundle(folder, manifest, {n: g.data for n, g in graphs.items()}, facts.card)
    return load_bundle(folder, WORLD_MODEL)


def export_inverse_dynamics(
    folder: Path,
    model: InverseDynamics | InverseDynamicsApart,
    world_model: Bundle,
    facts: BundleFacts,
) -> Bundle:
    """Write an inverse dynamics bundle.

    One that reads latents belongs to a world model's encoder. One that reads images brings its
    backbone and belongs to the camera alone.
    """
    round_weights(model.eval())
    its, s = world_model.manifest, model.settings
    frame, encoder_hash = its.latent_shape, its.graph_hash("encoder")
    graphs = {}
    if model.backbone is not None:
        frame, encoder_hash = (1, s.channels + s.motion), ""
        image = {"image": torch.randint(0, 256, (3, *s.image, 3), dtype=torch.uint8)}
        graphs[BACKBONE] = _checked(
            BACKBONE, _Method(model, model.backbone.forward), image, ("latent",), "N"
        )
    inputs = {"frames": torch.randn(3, s.window, *frame)}
    inputs["dreamed"] = torch.tensor([0.0, 1.0, 1.0])
    if model.flow is not None:
        inputs["noise"] = torch.randn(3, 4, s.window - 1, s.pose)
    free = {"noise": {1: FreeAxis("D", 2, 1024)}}
    outputs = ("pose", "next_pose", "command", "log_variance", "correlation")
    graphs[INVERSE_DYNAMICS] = _checked(INVERSE_DYNAMICS, model, inputs, outputs, "N", free)
    manifest = Manifest(
        kind=INVERSE_DYNAMICS, name=facts.name, rig=facts.rig, cameras=its.cameras,
        context_frames=s.window, horizon=1, dt_s=facts.dt_s, latent_shape=frame,
        graphs={name: graph.spec for name, graph in graphs.items()}, encoder_hash=encoder_hash,
        opset=OPSET, training=facts.training,
        evaluation=facts.evaluation,
    )  # fmt: skip
    write_bundle(folder, manifest, {name: g.data for name, g in graphs.items()}, facts.card)
    return load_bundle(folder, INVERSE_DYNAMICS)


def _checked(
    name: str, model: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...], axis: str,
    free: Mapping[str, Mapping[int, FreeAxis]] | None = None, in_8_bits: bool = False,
) -> Exported:  # fmt: skip
    model.eval()
    graph = export(name, model, inputs, outputs, axis, free, in_8_bits)
    with torch.no_grad():
        wanted = model(**inputs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    session = OnnxSession(name, graph.data, graph.spec)
    got = session.run(**{key: value.numpy() for key, value in inputs.items()})
    for key, reference in zip(outputs, wanted, strict=True):
        difference = float(np.abs(got[key].astype(float) - reference.numpy().astype(float)).max())
        if not difference <= TOLERANCE[key]:
            raise BundleError(
                f"{name}: ONNX Runtime's {key} differs from torch's by {difference:.2g}, "
                f"more than {TOLERANCE[key]}"
            )
    return graph
