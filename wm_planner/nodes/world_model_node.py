"""Lifecycle node `world_model`: dreams, encodes, decodes and values, as services."""

from __future__ import annotations

from typing import Any

import numpy as np

from wm_planner import actions, srv
from wm_planner.assembly import open_world_model
from wm_planner.bundle import WORLD_MODEL, load_bundle
from wm_planner.errors import BundleError, ConfigurationError
from wm_planner.messages.arrays import unflat
from wm_planner.messages.images import image_from_message
from wm_planner.nodes import topics
from wm_planner.nodes.configured import declare_config, read_config, readable_config
from wm_planner.nodes.conversions import stages as convert
from wm_planner.nodes.conversions.arrays import flat
from wm_planner.nodes.conversions.images import image_to_message
from wm_planner.nodes.live_settings import LiveSettings
from wm_planner.nodes.mailbox import Mailbox
from wm_planner.nodes.stage_node import StageNode
from wm_planner.nodes.stage_service import StageService
from wm_planner.nodes.stages import LocalStages
from wm_planner.world_models.world_model import WorldModel


class WorldModelNode(StageNode):
    """Holds the world model, for the planner beside it and for whoever calls.

    Args:
        stages: where the planner of the same process finds the model; None where there is none.
    """

    def __init__(self, stages: LocalStages | None = None, **options: Any) -> None:
        super().__init__("world_model", **options)
        declare_config(self)
        self._stages = stages or LocalStages()
        config = readable_config(self)
        self._live = LiveSettings(self, {"": config.world_model.settings} if config else {})
        self._mailbox: Mailbox | None = None
        self._served: list[StageService] = []

    def build(self) -> None:
        config = read_config(self)
        bundle = load_bundle(config.world_model.bundle, WORLD_MODEL)
        model = self._stages.world_model = open_world_model(config, bundle)
        self._stages.settled["world_model"] = lambda: self._live.apply({"": model})
        self._mailbox = Mailbox("world_model")
        for kind, name, work in (
            (srv.Encode, topics.ENCODE_SERVICE, self._encode),
            (srv.Decode, topics.DECODE_SERVICE, self._decode),
            (srv.Imagine, topics.IMAGINE_SERVICE, self._imagine),
            (srv.Simulate, topics.SIMULATE_SERVICE, self._simulate),
            (srv.Value, topics.VALUE_SERVICE, self._value),
        ):
            self._served.append(StageService(self, kind, name, self._mailbox, work))

    def release(self) -> None:
        for service in self._served:
            service.destroy()
        self._served.clear()
        if self._mailbox is not None:
            self._mailbox.close()
        self._mailbox = self._stages.world_model = None
        self._stages.settled.pop("world_model", None)

    # -- in the worker's thread -------------------------------------------------------------------
    def _model(self) -> WorldModel:
        if not self.is_active or self._stages.world_model is None:
            raise ConfigurationError("the world model is not active")
        return self._live.applied("", self._stages.world_model)

    def _encode(self, request: Any, response: Any) -> None:
        model = self._model()
        latents = model.encode(np.stack([image_from_message(image) for image in request.images]))
        response.bundle_hash = model.spec.bundle_hash
        response.shape, response.latents = flat(latents.shape, "I"), flat(latents, "f")

    def _decode(self, request: Any, response: Any) -> None:
        model = self._model()
        if request.bundle_hash not in ("", model.spec.bundle_hash):
            raise BundleError(
                f"latents come from bundle {request.bundle_hash}, loaded is "
                f"{model.spec.bundle_hash}"
            )
        latents = unflat("latents", request.latents, request.shape, np.float32)
        scene = [image_from_message(image) for image in request.scene]
        decoded = model.decode(latents, np.stack(scene) if scene else None)
        response.images = [image_to_message(image) for image in decoded]

    def _imagine(self, request: Any, response: Any) -> None:
        model = self._model()
        window = convert.window_from_message(request.window)
        goal = convert.goal_from_message(request.goal)
        generator = np.random.default_rng(request.seed)
        packed = np.array(request.committed).reshape(-1, actions.ACTION_SIZE)
        committed = actions.unpack(packed) if len(packed) else None
        rollouts = model.imagine(window, goal, request.candidates, generator, committed)
        observed = model.look(window.images[model.spec.camera])
        response.rollouts = convert.rollouts_to_message(rollouts)
        response.observed_shape = flat(observed.shape, "I")
        response.observed_latents = flat(observed, "f")

    def _simulate(self, request: Any, response: Any) -> None:
        rollouts = self._model().simulate(
            convert.window_from_message(request.window),
            actions.unpack(np.array(request.measured_hands)),
            convert.chunks_from_message(request.chunks),
            np.random.default_rng(request.seed),
        )
        response.rollouts = convert.rollouts_to_message(rollouts)

    def _value(self, request: Any, response: Any) -> None:
        latents = unflat("latents", request.latents, request.shape, np.float32)
        values = self._model().value(latents, convert.goal_from_message(request.goal))
        response.value = flat(values, "f")
