"""Scripted hand motion on the simulated rig, recorded as a robot's log would be.

The experts think in hand targets at the planner's rate. Each step: record what cameras and joints
show and where the hands are told to be next, then let the arms go there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from wm_planner import actions, images
from wm_planner.rigs.hands import CLEAR_M, LOWER, OPEN, UPPER, Hands, between, from_poses
from wm_planner.rigs.tasks.tabletop import REACHABLE
from wm_planner.rigs.tasks.way_left import distance, holds
from wm_planner.types import Command, HandPoses

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.robot.robot_model import RobotModel

STEP_S = 0.2
AT_GRIP_M = 0.02  # from a hand to where it grips: whoever is nearer does not aim again


class EpisodeOver(Exception):
    """The episode reached its longest allowed length."""


@dataclass
class Record:
    """Growing lists, one entry per frame; see `collection.record_episode`."""

    image: list[np.ndarray] = field(default_factory=list)
    joint_position: list[np.ndarray] = field(default_factory=list)
    joint_velocity: list[np.ndarray] = field(default_factory=list)
    gripper_width: list[np.ndarray] = field(default_factory=list)
    hand_pose: list[np.ndarray] = field(default_factory=list)
    hand_target: list[np.ndarray] = field(default_factory=list)
    action: list[np.ndarray] = field(default_factory=list)
    step_good: list[bool] = field(default_factory=list)
    object_position: list[np.ndarray] = field(default_factory=list)


class Performance:
    """Moves the rig from hand target to hand target and records every step.

    Args:
        rig: freshly reset.
        robot: its kinematics.
        generator: all the expert's randomness.
        noise_m: standard deviation of the slowly wandering error of the commanded hands, m.
        max_steps: `EpisodeOver` is raised past this many steps.

    Attributes:
        unaware: the expert does not look whether its hands hold what they closed on.
    """

    unaware = False

    def __init__(
        self,
        rig: MujocoRig,
        robot: RobotModel,
        generator: np.random.Generator,
        noise_m: float = 0.003,
        max_steps: int = 80,
        image_size: tuple[int, int] = (96, 128),
    ) -> None:
        self.rig, self.robot, self.generator = rig, robot, generator
        self.noise_m, self.max_steps, self.image_size = noise_m, max_steps, image_size
        self.record = Record()
        self.step = 0
        self.hands = from_poses(self.measured())
        self._joints = rig.joint_state()[0]
        self._wander = np.zeros((2, 3))

    def measured(self) -> HandPoses:
        """Hand poses from the joint encoders."""
        position, _, width = self.rig.joint_state()
        return self.robot.hand_poses(position, width)

    def pace(self, steps: float) -> int:
        """A number of steps near ``steps``, so that episodes differ in speed."""
        return max(2, int(round(steps * self.generator.uniform(0.85, 1.2))))

    def pace_for(self, side: int, target: Hands) -> int:
        """Steps for an approach, by how far that hand has to go."""
        distance = np.linalg.norm(target.position[side] - self.hands.position[side])
        return self.pace(float(np.clip(distance / 0.05, 3, 6)))

    def miss(self, low: float, high: float) -> np.ndarray:
        """A horizontal error of length low..high m, shape (2,)."""
        direction = self.generator.normal(0, 1, 2)
        return direction / np.linalg.norm(direction) * self.generator.uniform(low, high)

    def retreat(self, side: int, height: float) -> None:
        """Open a hand that is low or closed and raise it, before a fresh approach."""
        if self.step == 0:
            return
        if self.hands.width[side] < 0.06:
            self.move(self.hands.moved(side, width=OPEN), 1)
        position = self.hands.position[side]
        if position[2] < height - 0.02:
            self.move(self.hands.moved(side, np.array([*position[:2], height])), 2)

    def retreat_both(self, height: float) -> None:
        """`retreat` with both hands at once."""
        if self.step == 0:
            return
        target = self.hands.copy()
        if (target.width < 0.06).any():
            target.width[:] = OPEN
            self.move(target, 1)
        if target.position[:, 2].min() < height - 0.02:
            target = target.copy()
            target.position[:, 2] = np.maximum(target.position[:, 2], height)
            self.move(target, 2)

    def is_at(self, side: int, thing: str, place: np.ndarray) -> bool:
        """Whether a hand holds a thing, or was told to be where it would: (3,) m, ``place``.

        Then it closes: what is between the fingers is not let go of for a better aim.
        """
        there = distance(self.hands.position[side], place) < AT_GRIP_M
        return there or holds(self.rig, side, thing)

    def hop(self, sides: Sequence[int], clear_m: float) -> bool:
        """Bring hands that are low just over what lies beside them, opened, for another approach.

        Looking again is worth a small detour, not a new beginning from high up.

        Args:
            sides: of the hands.
            clear_m: height from which they may go sideways there.

        Returns:
            Whether they are there now; hands that are higher are left to `retreat`.
        """
        if self.step == 0 or self.hands.position[sides, 2].min() > clear_m:
            return False
        target = self.hands.copy()
        if (target.width[sides] < 0.06).any():
            target.width[sides] = OPEN
            self.move(target, 1)
        target = target.copy()
        target.position[sides, 2] = np.maximum(target.position[sides, 2], clear_m)
        self.move(target, 1)
        return True

    def go_home(self) -> None:
        """Open both hands, raise them and take the arms to where they rest."""
        self.retreat_both(CLEAR_M)
        home = self.robot.hand_poses(self.robot.rig.home, np.full(2, OPEN))
        self.move(from_poses(home), self.pace(6))

    def shift(self, name: str, furthest_m: float) -> bool:
        """Somebody moves an object by up to ``furthest_m`` while the hands are above it.

        Returns:
            Whether it was moved: not where it would land in a hand or outside the layout.
        """
        position, yaw = self.rig.object_position(name), self.rig.object_yaw(name)
        hands = self.measured().position
        for _ in range(20):
            place = position.copy()
            place[:2] += self.miss(0.015, furthest_m)
            near = np.linalg.norm(hands - place, axis=1).min() < 0.07
            inside = (place[:2] > REACHABLE[0]).all() and (place[:2] < REACHABLE[1]).all()
            if near or not inside:
                continue
            self.rig.place(name, place, yaw)
            self.rig.forward()
            return True
        return False

    def move(self, target: Hands, steps: int, good: bool = True) -> None:
        """Go to ``target`` along a minimum-jerk line in ``steps`` steps."""
        start = self.hands.copy()
        path = [between(start, target, k / steps) for k in range(1, steps + 1)]
        for here, following in zip(path, [*path[1:], None], strict=True):
            self._advance(here, following, good)

    def hold(self, steps: int, good: bool = True) -> None:
        """Stay where the hands are told to be."""
        for _ in range(steps):
            self._advance(self.hands.copy(), None, good)

    def _advance(self, hands: Hands, following: Hands | None, good: bool) -> None:
        if self.step >= self.max_steps:
            raise EpisodeOver
        self._wander = 0.7 * self._wander + self.generator.normal(0, self.noise_m, (2, 3))
        before = self._joints
        self._joints = self._solve(hands, before)
        velocity = np.zeros_like(before)  # come to rest unless the path goes on
        if following is not None:
            velocity = (self._solve(following, self._joints) - before) / (2 * STEP_S)
        # What is recorded is what the arms were told, after the joint limits.
        self._log(self.robot.hand_poses(self._joints, hands.width), good)
        due_ns = self.rig.time_ns + int(STEP_S * 1e9)
        self.rig.apply(Command(due_ns, self._joints, velocity, hands.width, plan_id=0, step=0))
        self.rig.step(STEP_S)
        self.hands = hands
        self.step += 1

    def _solve(self, hands: Hands, start: np.ndarray) -> np.ndarray:
        noisy = hands.copy()
        noisy.position = np.clip(noisy.position + self._wander, LOWER, UPPER)
        return self.robot.inverse_kinematics(noisy.poses()[None, None], start)[0][0, 0]

    def finish(self) -> Record:
        """Record the last frame, whose target is to stay."""
        self._log(self.robot.hand_poses(self._joints, self.hands.width), True)
        return self.record

    def _log(self, commanded: HandPoses, good: bool) -> None:
        rig, record = self.rig, self.record
        height, width = self.image_size
        position, velocity, gripper = rig.joint_state()
        measured = self.robot.hand_poses(position, gripper)
        record.image.append(images.fit(rig.render("head"), height, width))
        record.joint_position.append(position)
        record.joint_velocity.append(velocity)
        record.gripper_width.append(gripper)
        record.hand_pose.append(actions.pack(measured))
        record.hand_target.append(actions.pack(commanded))
        record.action.append(actions.encode(measured, commanded))
        record.step_good.append(good)
        record.object_position.append(np.stack([rig.object_position(n) for n in rig.tracked]))
