"""Stages that a run does not train: their weights are taken over as they are.

With the autoencoder kept, so are the latents, and with them all that was trained on them. This is
how a network is added to models that are good already. With its encoder kept beside one for fine
channels, what reads latents may be kept: it then reads the channels that it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from wm_planner.errors import ConfigurationError
from wm_planner.training.warm_start import GRAPHS, ON_DREAMS

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run


MAKE_CHANNELS = {"autoencoder", "denoiser"}
"""Stages that have to be trained where there are further channels."""


def keep_stages(run: Run) -> None:
    """Write ``model.pt`` of each stage of no steps that the start has weights for.

    Only where the start's latents stay as they are, alone or as the first channels of larger ones:
    networks on the latents of another autoencoder are of no use.

    Raises:
        ConfigurationError: no autoencoder is trained, and there is none to keep; or only one of
            two inverse dynamics networks would be.
    """
    s, start = run.settings, run.start
    if start is None:
        if not (s.autoencoder_steps or (run.folder / "autoencoder" / "model.pt").exists()):
            raise ConfigurationError(
                "autoencoder_steps is 0, which keeps the autoencoder of --start-from: name one"
            )
        return
    further = bool(s.autoencoder_steps)
    same_first = s.autoencoder_keep and start.channels <= s.channels - s.fine_channels
    if further and not same_first:
        return
    if start.apart and not (s.inverse_dynamics_steps or s.inverse_dynamics_apart):
        raise ConfigurationError(
            "inverse_dynamics_steps is 0, which keeps both networks of --start-from: "
            "set inverse_dynamics_apart"
        )
    for stage in GRAPHS:
        if stage == ON_DREAMS and not (s.inverse_dynamics_steps or start.apart):
            continue  # the one that is kept reads both
        path = run.folder / stage / "model.pt"
        unused = getattr(s, f"{stage}_steps") == 0 and not (further and stage in MAKE_CHANNELS)
        if unused and not path.exists() and run.started(stage):
            model = run.fresh(stage)
            start.take_over(model, stage, run.vocabulary, s.channels)
            path.parent.mkdir(exist_ok=True)
            torch.save(model.state_dict(), path)
