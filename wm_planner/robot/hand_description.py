"""One arm with its gripper, as the rig file says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.robot.strict_yaml import Section


@dataclass(frozen=True)
class GripperDescription:
    """How a gripper's width becomes joint positions: on a line from closed to open.

    A parallel gripper lists its fingers, a hand of many joints its closed and its open posture.
    Mimic joints of the URDF are listed too: nothing moves that is not listed.

    Attributes:
        joint_names: its joints.
        closed: one position a joint at width 0, m or rad.
        open: one position a joint at the largest width, m or rad.
        max_width: largest opening, m.
    """

    joint_names: tuple[str, ...]
    closed: tuple[float, ...]
    open: tuple[float, ...]
    max_width: float

    def joint_position(self, width: np.ndarray) -> np.ndarray:
        """Return joint positions, shape (..., joints), for widths of shape (...) in m."""
        share = np.asarray(width, dtype=np.float64)[..., None] / self.max_width
        closed, opened = np.array(self.closed), np.array(self.open)
        return closed + share * (opened - closed)

    def width(self, joint_position: np.ndarray) -> np.ndarray:
        """Return widths of shape (...) in m: the inverse of `joint_position`, by least squares.

        Args:
            joint_position: shape (..., joints), m or rad, in the order of `joint_names`.
        """
        travel = np.array(self.open) - np.array(self.closed)
        moved = np.asarray(joint_position, dtype=np.float64) - np.array(self.closed)
        return self.max_width * (moved @ travel) / (travel @ travel)


@dataclass(frozen=True)
class HandDescription:
    """One arm: its chain of joints, tool frame, gripper and topics.

    Attributes:
        side: "left" or "right".
        tool_frame: URDF frame between the fingertips.
        joint_names: joints that move the tool, in the order of the joint vector.
        home: one resting position a joint, rad (m for a sliding joint).
        gripper: its gripper.
        arm_topic: where JointTrajectory messages for the arm go.
        gripper_topic: where JointTrajectory messages for the gripper go.
    """

    side: str
    tool_frame: str
    joint_names: tuple[str, ...]
    home: tuple[float, ...]
    gripper: GripperDescription
    arm_topic: str
    gripper_topic: str


def read_hand(section: Section, side: str) -> HandDescription:
    """Read `hands.<side>` of a rig file."""
    keys = ("tool_frame", "joints", "home", "gripper", "arm_topic", "gripper_topic")
    hand = section.section(side, keys)
    joints = hand.names("joints")
    if not joints:
        raise hand.error("joints", [], "at least one joint")
    return HandDescription(
        side=side,
        tool_frame=hand.text("tool_frame"),
        joint_names=joints,
        home=hand.numbers("home", len(joints), "rad, one for each joint"),
        gripper=_read_gripper(hand.section("gripper", ("max_width", "joints"))),
        arm_topic=hand.text("arm_topic"),
        gripper_topic=hand.text("gripper_topic"),
    )


def _read_gripper(gripper: Section) -> GripperDescription:
    max_width = gripper.number("max_width", unit="m")
    if max_width <= 0.0:
        raise gripper.error("max_width", max_width, "a width in m above 0")
    joints = gripper.section("joints")
    ends = {name: joints.section(name, ("closed", "open")) for name in joints.data}
    closed = tuple(end.number("closed", unit="m or rad") for end in ends.values())
    opened = tuple(end.number("open", unit="m or rad") for end in ends.values())
    if closed == opened:
        raise gripper.error("joints", dict(joints.data), "a joint whose open differs from closed")
    return GripperDescription(tuple(ends), closed, opened, max_width)
