"""Plans, commands and verdicts from messages of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wm_planner.errors import DataError
from wm_planner.messages.arrays import latents_from_bytes, to_ns, unflat
from wm_planner.types import Command, Plan, RejectionReason, Verdicts


def plan_from_message(message: Any, joint_names: Sequence[str]) -> Plan:
    """Rebuild a plan with its columns in the order of joint_names.

    Raises:
        DataError: sizes contradict each other, a joint is missing, or a value is not finite.
    """
    lead, names = message.horizon, list(message.joint_names)
    order = column_order("plan", names, joint_names)
    shape = (lead, len(names))
    return Plan(
        plan_id=message.plan_id,
        start_ns=to_ns(message.start),
        dt=message.dt,
        actions=unflat("plan.actions", message.actions, (lead, 20)),
        joint_position=unflat("plan.joint_position", message.joint_position, shape)[:, order],
        joint_velocity=unflat("plan.joint_velocity", message.joint_velocity, shape)[:, order],
        gripper_width=unflat("plan.gripper_width", message.gripper_width, (lead, 2)),
        dream=latents_from_bytes("plan.dream", message.dream, message.dream_shape),
        bundle_hash=message.bundle_hash,
        candidate=message.candidate,
    )


def command_from_message(message: Any, joint_names: Sequence[str]) -> Command:
    """Rebuild a set point with its columns in the order of joint_names."""
    order = column_order("command", list(message.joint_names), joint_names)
    size = (len(order),)
    return Command(
        stamp_ns=to_ns(message.stamp),
        joint_position=unflat("command.joint_position", message.joint_position, size)[order],
        joint_velocity=unflat("command.joint_velocity", message.joint_velocity, size)[order],
        gripper_width=np.array(message.gripper_width),
        plan_id=message.plan_id or -1,
        step=message.step,
    )


def verdict_from_message(message: Any) -> Verdicts:
    """The reverse of `verdict_to_message`; accepted follows from measured and limit."""
    return Verdicts(
        filter=message.filter,
        reason=RejectionReason(message.reason),
        measured=np.array(message.measured),
        limit=message.limit,
        unit=message.unit,
        where=tuple(message.where),
        first_bad_step=np.array(message.first_bad_step, np.int64),
        slowdown=np.array(message.slowdown),
    )


def column_order(what: str, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return which column of ``names`` each wanted joint is in.

    Raises:
        DataError: the two do not name the same joints, each once.
    """
    if sorted(names) != sorted(wanted):
        raise DataError(f"{what} names the joints {list(names)}, expected {list(wanted)}")
    return [list(names).index(name) for name in wanted]
