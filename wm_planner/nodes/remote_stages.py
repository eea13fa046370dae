"""Stages in other processes behind the same bases as local ones: the planner cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rclpy.node import Node

from wm_planner import actions, srv
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, Bundle
from wm_planner.errors import BundleError, ConfigurationError
from wm_planner.filters.filter import Filter, JudgingContext
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics, InverseDynamicsSpec
from wm_planner.messages.arrays import unflat
from wm_planner.messages.images import image_from_message
from wm_planner.messages.plans import verdict_from_message
from wm_planner.nodes import topics
from wm_planner.nodes.conversions import stages
from wm_planner.nodes.conversions.arrays import flat
from wm_planner.nodes.conversions.images import image_to_message
from wm_planner.nodes.stage_client import StageClient
from wm_planner.nodes.stage_specs import world_model_spec
from wm_planner.types import (
    ActionChunks,
    Goal,
    HandPoses,
    ObservationWindow,
    Restart,
    Rollouts,
    Verdicts,
)
from wm_planner.world_models.world_model import WorldModel, WorldModelSpec


class RemoteWorldModel(WorldModel):
    """The world model of the node `world_model`.

    Args:
        node: owns the clients.
        spec: of the bundle that the other side must have loaded, read from its manifest.
    """

    def __init__(self, node: Node, spec: WorldModelSpec) -> None:
        self.spec = spec
        self._encode = StageClient(node, srv.Encode, topics.ENCODE_SERVICE)
        self._decode = StageClient(node, srv.Decode, topics.DECODE_SERVICE)
        self._imagine = StageClient(node, srv.Imagine, topics.IMAGINE_SERVICE)
        self._simulate = StageClient(node, srv.Simulate, topics.SIMULATE_SERVICE)
        self._value = StageClient(node, srv.Value, topics.VALUE_SERVICE)

    def encode(self, images: np.ndarray) -> np.ndarray:
        request = srv.Encode.Request(images=[image_to_message(image) for image in images])
        response = self._encode.call(request)
        _check_bundle("world_model", response.bundle_hash, self.spec.bundle_hash)
        return unflat("latents", response.latents, response.shape, np.float32)

    def decode(self, latents: np.ndarray, scene: np.ndarray | None = None) -> np.ndarray:
        scenes: Iterable[np.ndarray] = ()
        if scene is not None:
            scenes = scene.reshape(-1, *scene.shape[-3:])
        request = srv.Decode.Request(
            shape=flat(latents.shape, "I"),
            latents=flat(latents, "f"),
            bundle_hash=self.spec.bundle_hash,
            scene=[image_to_message(image) for image in scenes],
        )
        return np.stack([image_from_message(image) for image in self._decode.call(request).images])

    def imagine(
        self,
        window: ObservationWindow,
        goal: Goal,
        candidates: int,
        generator: np.random.Generator,
        committed: HandPoses | None = None,
        restart: Restart | None = None,
    ) -> Rollouts:
        """Dream through the service, which knows no restarts: it dreams all frames anew."""
        request = srv.Imagine.Request(
            window=stages.window_to_message(window, _columns(window)),
            goal=stages.goal_to_message(goal),
            candidates=candidates,
            seed=_seed(generator),
            committed=[] if committed is None else flat(actions.pack(committed)),
        )
        return self._checked(self._imagine.call(request).rollouts)

    def simulate(
        self,
        window: ObservationWindow,
        start: HandPoses,
        chunks: ActionChunks,
        generator: np.random.Generator,
    ) -> Rollouts:
        request = srv.Simulate.Request(
            window=stages.window_to_message(window, _columns(window)),
            measured_hands=actions.pack(start),
            chunks=stages.chunks_to_message(chunks),
            seed=_seed(generator),
        )
        return self._checked(self._simulate.call(request).rollouts)

    def value(self, latents: np.ndarray, goal: Goal) -> np.ndarray:
        request = srv.Value.Request(
            shape=flat(latents.shape, "I"),
            latents=flat(latents, "f"),
            goal=stages.goal_to_message(goal),
        )
        return np.array(self._value.call(request).value, np.float32)

    def _checked(self, message: Any) -> Rollouts:
        rollouts = stages.rollouts_from_message(message)
        _check_bundle("world_model", rollouts.bundle_hash, self.spec.bundle_hash)
        return rollouts


class RemoteInverseDynamics(InverseDynamics):
    """The inverse dynamics model of the node `idm`; arguments as `RemoteWorldModel`."""

    def __init__(self, node: Node, spec: InverseDynamicsSpec) -> None:
        self.spec = spec
        self._invert = StageClient(node, srv.Invert, topics.INVERT_SERVICE)

    def invert(
        self,
        frames: np.ndarray,
        measured: HandPoses,
        dt: float,
        start_ns: int,
        bundle_hash: str,
        generator: np.random.Generator | None = None,
        dreamed: bool = True,
    ) -> ActionChunks:
        if not dreamed:
            raise ConfigurationError("the service of inverse dynamics is for dreamed frames alone")
        # Float16 is how dreams travel, and exact for levels of images; the observed frame goes
        # along in full.
        dreams = Rollouts(frames[:, 1:], dt, start_ns, 0, bundle_hash)
        request = srv.Invert.Request(
            rollouts=stages.rollouts_to_message(dreams),
            newest_latents=flat(frames[0, 0], "f"),
            measured_hands=actions.pack(measured),
            seed=0 if generator is None else _seed(generator),
        )
        return stages.chunks_from_message(self._invert.call(request).chunks)


class RemoteFilter(Filter):
    """All filters of the node `filter` that judge motion alone, as one.

    Args:
        node: owns the client.
        joint_names: the D columns.
    """

    def __init__(self, node: Node, joint_names: Sequence[str]) -> None:
        self._joint_names = tuple(joint_names)
        self._judge = StageClient(node, srv.Judge, topics.JUDGE_SERVICE)

    def judge(self, context: JudgingContext) -> tuple[Verdicts, ...]:
        trajectories = stages.trajectories_to_message(context.trajectories, self._joint_names)
        request = srv.Judge.Request(
            chunks=stages.chunks_to_message(context.chunks),
            trajectories=trajectories,
            measured_joint_position=flat(context.start.joint_position),
            measured_joint_velocity=flat(context.start.joint_velocity),
        )
        response = self._judge.call(request)
        return tuple(verdict_from_message(verdict) for verdict in response.verdicts)


def remote_stages(
    node: Node, bundles: Mapping[str, Bundle], joint_names: Sequence[str], filters: Iterable[Filter]
) -> tuple[WorldModel, InverseDynamics, tuple[Filter, ...]]:
    """Return all stages of the other processes, and what filters stay in this one.

    Args:
        node: owns the clients.
        bundles: what the other processes must have loaded, by kind.
        joint_names: the D columns.
        filters: those configured; those that look at more than motion are kept, as a
            re-simulation's latents and the goal are here already.
    """
    model = RemoteWorldModel(node, world_model_spec(bundles[WORLD_MODEL]))
    inverse = RemoteInverseDynamics(node, InverseDynamicsSpec.of_bundle(bundles[INVERSE_DYNAMICS]))
    kept = (one for one in filters if not one.judges_motion_alone)
    return model, inverse, (RemoteFilter(node, joint_names), *kept)


def _columns(window: ObservationWindow) -> list[str]:
    """World models know no joints by name: number the columns so that sizes still agree."""
    return [str(index) for index in range(window.joint_position.shape[1])]


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**63))


def _check_bundle(node: str, got: str, expected: str) -> None:
    if got != expected:
        raise BundleError(f"{node} answered from bundle {got}, the planner expects {expected}")
