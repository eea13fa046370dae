"""Lifecycle node `idm`: reads actions off dreams, as a service."""

from __future__ import annotations

from typing import Any

import numpy as np

from wm_planner import actions, srv
from wm_planner.assembly import open_inverse_dynamics
from wm_planner.bundle import INVERSE_DYNAMICS, load_bundle
from wm_planner.errors import ConfigurationError
from wm_planner.messages.arrays import unflat
from wm_planner.nodes import topics
from wm_planner.nodes.configured import declare_config, read_config, readable_config
from wm_planner.nodes.conversions import stages as convert
from wm_planner.nodes.live_settings import LiveSettings
from wm_planner.nodes.mailbox import Mailbox
from wm_planner.nodes.stage_node import StageNode
from wm_planner.nodes.stage_service import StageService
from wm_planner.nodes.stages import LocalStages


class IdmNode(StageNode):
    """Holds the inverse dynamics model; arguments as `WorldModelNode`."""

    def __init__(self, stages: LocalStages | None = None, **options: Any) -> None:
        super().__init__("idm", **options)
        declare_config(self)
        self._stages = stages or LocalStages()
        config = readable_config(self)
        own = {"": config.inverse_dynamics.settings} if config else {}
        self._live = LiveSettings(self, own, self._check)
        self._mailbox: Mailbox | None = None
        self._served: StageService | None = None

    def build(self) -> None:
        config = read_config(self)
        bundle = load_bundle(config.inverse_dynamics.bundle, INVERSE_DYNAMICS)
        model = open_inverse_dynamics(config, bundle)
        model.check(self._live.applied("", model).settings)  # as they were set by now
        self._stages.inverse_dynamics = model
        self._stages.settled["idm"] = lambda: self._live.apply({"": model})
        self._mailbox = Mailbox("idm")
        self._served = StageService(
            self, srv.Invert, topics.INVERT_SERVICE, self._mailbox, self._invert
        )

    def release(self) -> None:
        if self._served is not None:
            self._served.destroy()
        if self._mailbox is not None:
            self._mailbox.close()
        self._served = self._mailbox = self._stages.inverse_dynamics = None
        self._stages.settled.pop("idm", None)

    def _check(self, place: str, settings: Any) -> None:
        if self._stages.inverse_dynamics is not None:
            self._stages.inverse_dynamics.check(settings)

    def _invert(self, request: Any, response: Any) -> None:
        model = self._stages.inverse_dynamics
        if not self.is_active or model is None:
            raise ConfigurationError("the inverse dynamics model is not active")
        model = self._live.applied("", model)
        rollouts = convert.rollouts_from_message(request.rollouts)
        dreams = rollouts.latents.astype(np.float32)  # (K, H, ...)
        newest = unflat("newest_latents", request.newest_latents, dreams.shape[2:], np.float32)
        observed = np.broadcast_to(newest, (len(dreams), 1, *newest.shape))
        chunks = model.invert(
            np.concatenate([observed, dreams], axis=1),
            actions.unpack(np.array(request.measured_hands)),
            rollouts.dt,
            rollouts.start_ns,
            rollouts.bundle_hash,
            np.random.default_rng(request.seed),
        )
        response.chunks = convert.chunks_to_message(chunks)
