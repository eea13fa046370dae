"""Episodes in which the planner acts, errs in its own way, and the scripted expert takes over.

DAgger (Ross, Gordon, Bagnell 2011): a model that learns from experts alone never sees the states
that its own small errors lead to. Here it does, with what an expert would do from there.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from wm_planner import actions, images
from wm_planner.assembly import Stack, StackConfig, assemble
from wm_planner.closed_loop.episode import EpisodeSettings, run_episode
from wm_planner.datasets.collection import Record
from wm_planner.datasets.hindsight import in_trouble, lasting
from wm_planner.datasets.simulated_recorder import camera_and_objects
from wm_planner.planner import PlanReport
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.rigs.disturbed_expert import AFRESH_SHARE, SETTLING_STEPS, drawn, lifted, promptly
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.types import Command, Goal, HandPoses, Observation

PLANNED_SHARE = 0.8  # of the task's time limit: the expert takes over by then
PATIENCE_STEPS = 10  # at most, until an expert takes over from a planner in trouble
STARTLED_SHARE = 0.5  # of episodes: the expert takes over soon after something was disturbed
FINISH_STEPS = 50  # the expert's, at most


def open_planner_recorder(
    config: StackConfig, disturbances: tuple[Disturbance, ...] = ()
) -> Record:
    """Load the models and open the rig, once per process.

    Args:
        config: what plans.
        disturbances: one of these goes wrong while the planner acts, by half to one and a half
            times its amount; none where there are none.
    """
    onnx = dataclasses.replace(config.onnx, threads=1)
    config = dataclasses.replace(config.without_hurry(), onnx=onnx)
    stack = assemble(config)
    rig = MujocoRig(description=stack.rig_description)

    def record(task: str, seed: int, kind: str) -> Mapping[str, Any]:
        disturbance = drawn(disturbances, seed) if disturbances else None
        return camera_and_objects(record_planner_episode(stack, rig, task, seed, disturbance))

    return record


def record_planner_episode(
    stack: Stack, rig: MujocoRig, task: str, seed: int, disturbance: Disturbance | None = None
) -> dict[str, Any]:
    """Let the planner act until it is in trouble, then the expert, where it can go on from there.

    Args:
        stack: what plans; it sees images, joints and the instruction.
        rig: it is reset.
        task: name of the task.
        seed: fixes the scene, the instruction, for how long a planner in trouble goes on,
            whether it hands over without waiting for trouble where something was disturbed, and
            whether the expert that comes late begins anew from home (with nothing in its hands).
        disturbance: what goes wrong while the planner acts, if it acts that long; never while the
            expert does, whose ways are aimed once.

    Returns:
        As `rigs.collection.record_episode`, of kind "planner", with images in the known view. The
        planner's steps are good where they ended in success and were not in vain, see
        `hindsight.lasting`; a disturbance is no good step.
    """
    generator = np.random.default_rng([seed, 5])
    rig.reset(task, seed)
    instruction = str(generator.choice(rig.task.instructions))
    rest = {name: rig.object_position(name)[2] for name in rig.movable}
    limit = EpisodeSettings(time_limit_s=PLANNED_SHARE * sum(rig.time_limits_s(task)))
    patience = int(generator.integers(PATIENCE_STEPS, endpoint=True))
    settling = SETTLING_STEPS.get(disturbance.kind, 0) if disturbance else 0
    startled = max(promptly(generator), settling) if generator.random() < STARTLED_SHARE else None
    watched = _Watched(stack, rig, patience, startled)
    afresh = generator.random() < AFRESH_SHARE and startled is None
    goals = [Goal(instruction)]
    succeeded = False
    with contextlib.suppress(EpisodeOver):
        result = run_episode(stack, watched, goals, task, seed, limit, watched.see, disturbance)  # type: ignore[arg-type]
        succeeded = result.success
    rig.suspend_disturbance()
    rows = watched.rows
    good = succeeded & lasting(np.array(watched.way_left)) & ~np.array(watched.disturbed)
    for row, is_good in zip(rows, good, strict=True):
        row["step_good"] = is_good
    held = lifted(rig, rest)
    if not succeeded and rig.task.resumable(rig, held):
        rows = rows[:-1] + _take_over(stack, rig, generator, len(rows), afresh and not held)
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    if stack.view is not None:  # what the models are to learn from is what they are shown
        size = stack.world_model.spec.image_size
        seen = [images.fit(stack.view.corrected(image), *size) for image in arrays["image"]]
        arrays["image"] = np.stack(seen)
    return arrays | {
        "object_names": rig.tracked, "task": task, "instruction": instruction,
        "success": rig.succeeded(), "kind": "planner", "seed": seed,
    }  # fmt: skip


def _take_over(
    stack: Stack, rig: MujocoRig, generator: np.random.Generator, begun: int, afresh: bool
) -> list[dict[str, np.ndarray]]:
    expert = Performance(rig, stack.robot, generator, max_steps=begun + FINISH_STEPS)
    expert.step = begun  # hands may be low or closed: it retreats first
    with contextlib.suppress(EpisodeOver):
        if afresh:
            expert.go_home()
        rig.task.perform(expert, "")
    columns = vars(expert.finish())
    return [
        {name: np.asarray(value) for name, value in zip(columns, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


class _Watched:
    """A rig that notes every frame and what the arms were told to do until the next one.

    Attributes:
        rows: of every frame, what an `Episode` holds.
        way_left: of every frame, m.
        disturbed: for every frame, whether something was disturbed before the next one.

    ``startled`` are the steps from a disturbance until it is over; None to wait for trouble.
    """

    def __init__(self, stack: Stack, rig: MujocoRig, patience: int, startled: int | None) -> None:
        self.rows: list[dict[str, np.ndarray]] = []
        self.way_left: list[float] = []
        self.disturbed: list[bool] = []
        self._patience, self._startled = patience, startled
        self._moved = False
        self._since = 0  # the first frame after a disturbance
        self._rig, self._robot = rig, stack.robot
        self._size = stack.world_model.spec.image_size
        self._camera = stack.world_model.spec.camera
        self._stamp_ns = -1
        self._told: Command | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rig, name)

    def apply(self, command: Command) -> Command:
        self._told = self._rig.apply(command)
        return self._told

    def see(self, observation: Observation, report: PlanReport | None) -> None:
        """Note a frame the first time that it is shown.

        Raises:
            EpisodeOver: the planner has been in trouble for long enough.
        """
        if observation.stamp_ns <= self._stamp_ns:
            return
        self._stamp_ns = observation.stamp_ns
        position, velocity, width = self._rig.joint_state()
        measured = self._robot.hand_poses(position, width)
        if self.rows and self._told:
            told = self._robot.hand_poses(self._told.joint_position, self._told.gripper_width)
            self._command(told)
        tracked = self._rig.tracked
        self.rows.append({
            "image": images.fit(observation.images[self._camera], *self._size),
            "joint_position": position, "joint_velocity": velocity, "gripper_width": width,
            "hand_pose": actions.pack(measured), "hand_target": actions.pack(measured),
            "action": actions.encode(measured, measured),
            "object_position": np.stack([self._rig.object_position(n) for n in tracked]),
        })  # fmt: skip
        self._judge()

    def _judge(self) -> None:
        moved = bool(self._rig.disturbed and self._rig.disturbed.applied)
        if moved and not self._moved:
            self._since, self.disturbed[-1] = len(self.way_left), True
        self._moved = moved
        self.disturbed.append(False)
        self.way_left.append(self._rig.way_left())
        frames = len(self.way_left) - self._since if moved else 0
        if in_trouble(np.array(self.way_left[self._since :])):
            self._patience -= 1
        if self._patience < 0 or (self._startled is not None and frames > self._startled):
            raise EpisodeOver

    def _command(self, told: HandPoses) -> None:
        row = self.rows[-1]
        row["hand_target"] = actions.pack(told)
        row["action"] = actions.encode(actions.unpack(row["hand_pose"]), told)
