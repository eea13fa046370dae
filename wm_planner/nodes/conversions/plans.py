"""Plans, verdicts and scores: what the planner tells the executor, the recorder and people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wm_planner import msg
from wm_planner.errors import DataError
from wm_planner.nodes.conversions.arrays import (
    flat,
    latents_from_bytes,
    latents_to_bytes,
    to_ns,
    to_stamp,
    unflat,
)
from wm_planner.planner import PlanReport
from wm_planner.types import Command, NoPlan, Plan, RejectionReason, ReplanReason, Scores, Verdicts


def plan_to_message(plan: Plan, joint_names: Sequence[str]) -> msg.Plan:
    """Describe a plan; joint_names are the D columns."""
    return msg.Plan(
        plan_id=plan.plan_id,
        start=to_stamp(plan.start_ns),
        dt=plan.dt,
        horizon=len(plan.actions),
        joint_names=list(joint_names),
        joint_position=flat(plan.joint_position),
        joint_velocity=flat(plan.joint_velocity),
        gripper_width=flat(plan.gripper_width),
        actions=flat(plan.actions),
        bundle_hash=plan.bundle_hash,
        candidate=plan.candidate,
        dream_shape=flat(plan.dream.shape, "I"),
        dream=latents_to_bytes(plan.dream),
    )


def plan_from_message(message: msg.Plan, joint_names: Sequence[str]) -> Plan:
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


def command_to_message(command: Command, joint_names: Sequence[str]) -> msg.Command:
    """Describe a set point; joint_names are the D columns."""
    return msg.Command(
        stamp=to_stamp(command.stamp_ns),
        joint_names=list(joint_names),
        joint_position=flat(command.joint_position),
        joint_velocity=flat(command.joint_velocity),
        gripper_width=np.asarray(command.gripper_width, np.float64),
        plan_id=max(command.plan_id, 0),
        step=command.step,
    )


def command_from_message(message: msg.Command, joint_names: Sequence[str]) -> Command:
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


def verdict_to_message(verdicts: Verdicts) -> msg.Verdict:
    """Describe what one filter measured against one limit."""
    return msg.Verdict(
        filter=verdicts.filter,
        reason=verdicts.reason.value,
        unit=verdicts.unit,
        limit=float(verdicts.limit),
        measured=flat(verdicts.measured),
        where=list(verdicts.where),
        first_bad_step=flat(verdicts.first_bad_step, "i"),
        accepted=[bool(value) for value in verdicts.accepted],
        slowdown=flat(verdicts.slowdown),
    )


def verdict_from_message(message: msg.Verdict) -> Verdicts:
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


def scores_to_message(scores: Scores) -> msg.Scores:
    """Describe what one scorer added."""
    return msg.Scores(scorer=scores.scorer, contribution=flat(scores.contribution))


def column_order(what: str, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return which column of ``names`` each wanted joint is in.

    Raises:
        DataError: the two do not name the same joints, each once.
    """
    if sorted(names) != sorted(wanted):
        raise DataError(f"{what} names the joints {list(names)}, expected {list(wanted)}")
    return [list(names).index(name) for name in wanted]


def report_to_message(report: PlanReport, reason: ReplanReason) -> msg.PlanReport:
    """Describe a planning cycle and why it was due."""
    plan = report.plan
    return msg.PlanReport(
        stamp=to_stamp(plan.start_ns),
        plan_id=plan.plan_id if isinstance(plan, Plan) else 0,
        replan_reason=reason.value,
        candidates=len(report.total_score),
        chosen=plan.candidate if isinstance(plan, Plan) else -1,
        no_plan_reason=plan.reason if isinstance(plan, NoPlan) else "",
        verdicts=[verdict_to_message(verdicts) for verdicts in report.verdicts],
        scores=[scores_to_message(scores) for scores in report.scores],
        total_score=flat(report.total_score),
        stage=list(report.latency_s),
        latency_s=flat(list(report.latency_s.values())),
    )
