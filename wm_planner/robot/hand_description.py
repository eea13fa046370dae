"""One arm with its gripper, as the rig file says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.robot.strict_yaml import Section


@dataclass(frozen=True)
class Synergy:
    """How one width becomes the positions of several joints: on a line from closed to open.

    Attributes:
        joint_names: its joints.
        closed: one position a joint at width 0, m, rad or, in messages, what its driver counts in.
        open: one position a joint at the largest width.
        max_width: largest opening, m.
    """

    joint_names: tuple[str, ...]
    closed: tuple[float, ...]
    open: tuple[float, ...]
    max_width: float

    def joint_position(self, width: np.ndarray) -> np.ndarray:
        """Return positions, shape (..., joints), for widths of shape (...) in m."""
        share = np.asarray(width, dtype=np.float64)[..., None] / self.max_width
        closed, opened = np.array(self.closed), np.array(self.open)
        return closed + share * (opened - closed)

    def width(self, joint_position: np.ndarray) -> np.ndarray:
        """Return widths of shape (...) in m: the inverse of `joint_position`, by least squares.

        Args:
            joint_position: shape (..., joints), in the order of `joint_names`.
        """
        travel = np.array(self.open) - np.array(self.closed)
        moved = np.asarray(joint_position, dtype=np.float64) - np.array(self.closed)
        return self.max_width * (moved @ travel) / (travel @ travel)


@dataclass(frozen=True)
class GripperDescription(Synergy):
    """A gripper in the URDF's joints, and as messages speak of it.

    A parallel gripper lists its fingers, a hand of many joints its closed and its open posture.
    Mimic joints of the URDF are listed too: nothing moves that is not listed.

    Attributes:
        message: the same line in the names and numbers of joint states and trajectories. A driver
            may leave out joints that follow others, and count from 0 (closed) to 1 (open).
    """

    message: Synergy


@dataclass(frozen=True)
class HandDescription:
    """One arm: its chain of joints, tool frame, gripper and topics.

    Attributes:
        side: "left" or "right".
        tool_frame: URDF frame between the fingertips.
        joint_names: joints that move the tool, in the order of the joint vector, as in the URDF.
        message_names: what joint states and trajectories call them, in the same order.
        home: one resting position a joint, rad (m for a sliding joint).
        gripper: its gripper.
        arm_topic: where JointTrajectory messages for the arm go.
        gripper_topic: where JointTrajectory messages for the gripper go.
    """

    side: str
    tool_frame: str
    joint_names: tuple[str, ...]
    message_names: tuple[str, ...]
    home: tuple[float, ...]
    gripper: GripperDescription
    arm_topic: str
    gripper_topic: str


def read_hand(section: Section, side: str) -> HandDescription:
    """Read `hands.<side>` of a rig file."""
    keys = (
        *("tool_frame", "joints", "message_names", "home", "gripper", "arm_topic"),
        "gripper_topic",
    )
    hand = section.section(side, keys)
    joints = hand.names("joints")
    if not joints:
        raise hand.error("joints", [], "at least one joint")
    names = hand.names("message_names", default=joints)
    if len(names) != len(joints):
        raise hand.error("message_names", list(names), f"{len(joints)}, one for each of joints")
    return HandDescription(
        side=side,
        tool_frame=hand.text("tool_frame"),
        joint_names=joints,
        message_names=names,
        home=hand.numbers("home", len(joints), "rad, one for each joint"),
        gripper=_read_gripper(hand.section("gripper", ("max_width", "joints", "message_joints"))),
        arm_topic=hand.text("arm_topic"),
        gripper_topic=hand.text("gripper_topic"),
    )


def _read_gripper(gripper: Section) -> GripperDescription:
    max_width = gripper.number("max_width", unit="m")
    if max_width <= 0.0:
        raise gripper.error("max_width", max_width, "a width in m above 0")
    joints = _read_synergy(gripper, "joints", max_width)
    own = "message_joints" in gripper.data
    message = _read_synergy(gripper, "message_joints", max_width) if own else joints
    return GripperDescription(**vars(joints), message=message)


def _read_synergy(gripper: Section, key: str, max_width: float) -> Synergy:
    joints = gripper.section(key)
    ends = {name: joints.section(name, ("closed", "open")) for name in joints.data}
    closed = tuple(end.number("closed", unit="m or rad") for end in ends.values())
    opened = tuple(end.number("open", unit="m or rad") for end in ends.values())
    if closed == opened:
        raise gripper.error(key, dict(joints.data), "a joint whose open differs from closed")
    return Synergy(tuple(ends), closed, opened, max_width)
