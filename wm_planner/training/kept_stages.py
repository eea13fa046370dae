"""Stages that a run does not train: their weights are taken over as they are.

With the autoencoder kept, so are the latents, and with them all that was trained on them. This is
how a network is added to models that are good already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from wm_planner.errors import ConfigurationError
from wm_planner.training.warm_start import GRAPHS

if TYPE_CHECKING:
    from wm_planner.training.pipeline import Run


def keep_stages(run: Run) -> None:
    """Write ``model.pt`` of each stage of no steps that the start has weights for.

    Only where the autoencoder is one of them: networks on the latents of another one are of no use.

    Raises:
        ConfigurationError: no autoencoder is trained, and there is none to keep; or only one of
            two inverse dynamics networks would be.
    """
    if run.settings.autoencoder_steps:
        return
    path = run.folder / "autoencoder" / "model.pt"
    if run.start is None:
        if not path.exists():
            raise ConfigurationError(
                "autoencoder_steps is 0, which keeps the autoencoder of --start-from: name one"
            )
        return
    s = run.settings
    if run.start.apart and not (s.inverse_dynamics_steps or s.inverse_dynamics_apart):
        raise ConfigurationError(
            "inverse_dynamics_steps is 0, which keeps both networks of --start-from: "
            "set inverse_dynamics_apart"
        )
    for stage in GRAPHS:
        path = run.folder / stage / "model.pt"
        unused = getattr(run.settings, f"{stage}_steps") == 0
        if unused and not path.exists() and run.start.holds(stage):
            model = run.fresh(stage)
            run.start.take_over(model, stage, run.vocabulary)
            path.parent.mkdir(exist_ok=True)
            torch.save(model.state_dict(), path)
