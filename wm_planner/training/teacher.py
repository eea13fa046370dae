"""A denoiser that is trained on further recordings also listens to what it was before.

Fine-tuned on few recordings, a network forgets what many earlier ones had taught it. Where those
are not at hand, the earlier network still is: a share of the target is what it predicts for the
same noisy window (learning without forgetting, Li & Hoiem 2016). Its prediction is a mean over all
that may come, so it also says more than the one future that was recorded.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wm_planner.errors import ConfigurationError
from wm_planner.training.devices import put
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.noisy_windows import NoisyBatch
from wm_planner.training.stage_networks import StageNetworks

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run

FILE = "teacher.pt"


@dataclass(frozen=True)
class Teacher:
    """An earlier denoiser on the same encoder.

    Attributes:
        model: not trained. It may know only the first channels of a latent token.
        share: of the target that is its prediction, where the instruction has no new words and
            nothing is a near miss, which networks that never saw one are too sure about.
        knows: Shape (V,), 1 for each word of the vocabulary that it was trained with.
    """

    model: Denoiser
    share: float
    knows: Tensor

    @torch.no_grad()
    def mixed_in(self, drawn: NoisyBatch) -> Tensor:
        """The target of a batch of windows, shape of their clean future."""
        known = self.model.settings.channels
        words, goal, *others = drawn.conditions
        told = self.model(
            drawn.context[..., :known], drawn.noisy[..., :known], drawn.signal, words,
            goal[..., :known], *others, None, drawn.hands, drawn.gripper_width,
        ).float()  # fmt: skip
        new = (words * (1 - self.knows)).sum(-1) > 0
        share = torch.where(new | drawn.missed, 0.0, self.share)[:, None, None, None]
        wanted = drawn.clean.clone()
        wanted[..., :known] = drawn.clean[..., :known].lerp(told, share)
        return wanted


def teacher_of(run: Run) -> Teacher | None:
    """The denoiser that a run begins with, as `denoiser_remember` asks for.

    It is kept in the run's folder, so that the run can be continued without ``--start-from``.

    Raises:
        ConfigurationError: there is none, or it would not understand this run's latents.
    """
    s = run.settings
    if not s.denoiser_remember:
        return None
    what = f"denoiser_remember is {s.denoiser_remember:g}"
    if s.autoencoder_steps and not s.autoencoder_keep:
        raise ConfigurationError(
            f"{what}, which takes the encoder that the earlier denoiser was trained on: "
            "set autoencoder_keep, or autoencoder_steps to 0"
        )
    if s.shortcut:
        raise ConfigurationError(f"{what} and shortcut is true: expected one of the two")
    path = run.folder / "denoiser" / FILE
    with run.workers.first_alone() as first:
        if first and not path.exists():
            if run.start is None or run.start.rig != s.rig:
                raise ConfigurationError(
                    f"{what}, which remembers the denoiser of --start-from: name one for {s.rig}"
                )
            earlier = _fresh(run, run.start.channels)
            run.start.load_into(earlier, "denoiser", run.vocabulary, s.rig, run.start.channels)
            path.parent.mkdir(exist_ok=True)
            kept = {
                "channels": run.start.channels, "weights": earlier.state_dict(),
                "words": list(run.start.vocabulary),
            }  # fmt: skip
            torch.save(kept, path)
    kept = torch.load(path, weights_only=True)
    model = _fresh(run, kept["channels"])
    model.load_state_dict(kept["weights"])
    knows = torch.tensor([float(word in kept["words"]) for word in run.vocabulary])
    model = model.eval().requires_grad_(False).to(run.device)
    return Teacher(model, s.denoiser_remember, put(knows.numpy(), run.device))


def _fresh(run: Run, channels: int) -> Denoiser:
    settings = dataclasses.replace(run.settings, channels=channels, fine_channels=0)
    return StageNetworks(settings, run.source, len(run.vocabulary)).denoiser()
