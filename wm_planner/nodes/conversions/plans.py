"""Plans, verdicts and scores: what the planner tells the executor, the recorder and people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wm_planner import msg
from wm_planner.nodes.conversions.arrays import flat, latents_to_bytes, to_stamp
from wm_planner.planner import PlanReport
from wm_planner.types import Command, NoPlan, Plan, ReplanReason, Scores, Verdicts


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


def scores_to_message(scores: Scores) -> msg.Scores:
    """Describe what one scorer added."""
    return msg.Scores(scorer=scores.scorer, contribution=flat(scores.contribution))


def report_to_message(report: PlanReport, reason: ReplanReason) -> msg.PlanReport:
    """Describe a planning cycle and why it was due."""
    plan = report.plan
    return msg.PlanReport(
        stamp=to_stamp(plan.start_ns),
        plan_id=plan.plan_id if isinstance(plan, Plan) else 0,
        replan_reason=reason.value,
        candidates=len(report.total_score),
        rounds=len(report.rounds),
        chosen=plan.candidate if isinstance(plan, Plan) else -1,
        no_plan_reason=plan.reason if isinstance(plan, NoPlan) else "",
        verdicts=[verdict_to_message(verdicts) for verdicts in report.verdicts],
        scores=[scores_to_message(scores) for scores in report.scores],
        total_score=flat(report.total_score),
        stage=list(report.latency_s),
        latency_s=flat(list(report.latency_s.values())),
    )
