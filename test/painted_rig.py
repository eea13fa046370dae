"""A simulated rig without physics: joints do what they are told, and the picture is the pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tiny_models import picture, write_tiny_bundles

from wm_planner import actions
from wm_planner.assembly import Stack, assemble, load_config
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.robot.rig_description import RigDescription, find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import Command, HandPoses, Observation

SAID = {"lift": "lift both hands", "home": "go home"}
LONG = {"lift_then_home": ("lift", "home")}
LIFT = np.array([0.0, 0.05, 0.08])  # m, from home
NEAR = 0.01  # m
RIG = find_rig("simulated_bimanual")
ROBOT = RobotModel(RIG)


def home_and_lifted() -> tuple[HandPoses, HandPoses]:
    """Where the instructions of the tiny models lead."""
    home = ROBOT.hand_poses(RIG.home, np.full(2, 0.08))
    return home, HandPoses(home.position + LIFT, home.rotation, np.full(2, 0.02))


def parts(task: str) -> tuple[str, ...]:
    """What a task is made of."""
    return LONG.get(task, (task,))


@dataclass(frozen=True)
class PaintedRigSettings:
    """None so far."""


class PaintedRig(SimulatedRig):
    """The task "lift" is done when both hands are within a centimetre of the lifted poses."""

    tasks = (*SAID, *LONG)

    def __init__(
        self, settings: PaintedRigSettings | None = None, description: RigDescription = RIG
    ) -> None:
        self.description = description
        self.reset("lift", 0)

    def reset(self, task: str, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.task, self._parts_done = task, 0
        self._time = 0.0
        self._joints = RIG.home + generator.uniform(-0.05, 0.05, RIG.home.shape)
        self._width = np.full(2, 0.08)
        self._command: Command | None = None
        self.commands: list[Command] = []

    @property
    def time_ns(self) -> int:
        return round(self._time * 1e9)

    def observe(self) -> Observation:
        packed = actions.pack(ROBOT.hand_poses(self._joints, self._width))
        images = {"head": picture(packed)}
        zero = np.zeros_like(self._joints)
        return Observation(self.time_ns, images, self._joints, zero, self._width)

    def apply(self, command: Command) -> Command:
        self._command = command
        self.commands.append(command)
        return command

    def step(self, seconds: float) -> None:
        end = self._time + seconds
        if self._command is not None:
            left = max(self._command.stamp_ns * 1e-9 - self._time, 1e-9)
            share = min(seconds / left, 1.0)
            self._joints = self._joints + share * (self._command.joint_position - self._joints)
            self._width = self._width + share * (self._command.gripper_width - self._width)
        self._time = end
        if self._parts_done < len(parts(self.task)) - 1:
            self._parts_done += self._away() < NEAR

    def succeeded(self) -> bool:
        return self._parts_done == len(parts(self.task)) - 1 and self._away() < NEAR

    @property
    def goals_done(self) -> int:
        return self._parts_done + self.succeeded()

    def way_left(self) -> float:
        return 0.0 if self.succeeded() else self._away()

    def _away(self) -> float:
        target = home_and_lifted()[parts(self.task)[self._parts_done] == "lift"]
        position = ROBOT.hand_poses(self._joints, self._width).position
        return float(np.linalg.norm(position - target.position, axis=1).max())

    def snapshot(self) -> dict[str, object]:
        return {**vars(self), "commands": list(self.commands)}

    def restore(self, snapshot: dict[str, object]) -> None:
        vars(self).update({**snapshot, "commands": list(snapshot["commands"])})

    def instructions(self, task: str) -> tuple[str, ...]:
        return tuple(SAID[part] for part in parts(task))

    def goal_pictures(self, task: str, seed: int, camera: str) -> tuple[np.ndarray, ...]:
        done = dict(zip(("home", "lift"), home_and_lifted(), strict=True))
        return tuple(picture(actions.pack(done[part])) for part in parts(task))

    def time_limits_s(self, task: str) -> tuple[float, ...]:
        return (8.0,) * len(parts(task))

    def stop(self) -> None:
        self._command = None

    def close(self) -> None:
        pass


def write_config(
    folder: Path, targets: np.ndarray | None = None, text: str = "", pixels: bool = False
) -> Path:
    """Write tiny bundles and a configuration for them.

    Args:
        folder: where.
        targets: what words stand for; None for home and lifted.
        text: added to the configuration.
        pixels: whether inverse dynamics reads images.
    """
    if targets is None:
        targets = np.stack([actions.pack(poses) for poses in home_and_lifted()])
    write_tiny_bundles(folder, targets, pixels=pixels)
    path = folder / "planner.yaml"
    path.write_text(
        "rig: simulated_bimanual\n"
        "view: {correct: false}\n"  # paintings are not what that camera sees
        "world_model: {type: onnx, bundle: world_model}\n"
        "inverse_dynamics: {type: onnx, bundle: inverse_dynamics}\n"
        "filters: {kinematic: {}}\n"
        "scorers: {value: {}, image_goal: {}}\n" + text
    )
    return path


def make_stack(
    folder: Path, targets: np.ndarray | None = None, text: str = "", pixels: bool = False
) -> Stack:
    return assemble(load_config(write_config(folder, targets, text, pixels)))


def open_painted_rig(description: RigDescription) -> PaintedRig:
    """Open it as evaluations do."""
    return PaintedRig(None, description)
