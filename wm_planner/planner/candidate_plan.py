"""What carrying out one of the candidates means."""

from __future__ import annotations

from collections.abc import Sequence

from wm_planner.types import ActionChunks, JointTrajectories, Plan, Rollouts, Verdicts


def candidate_plan(
    k: int,
    plan_id: int,
    rollouts: Rollouts,
    chunks: ActionChunks,
    trajectories: JointTrajectories,
    verdicts: Sequence[Verdicts],
) -> Plan:
    """Return candidate k as a plan, as much slower as the filters ask for."""
    slowdown = max((float(verdict.slowdown[k]) for verdict in verdicts), default=1.0)
    return Plan(
        plan_id=plan_id,
        start_ns=rollouts.start_ns,
        dt=rollouts.dt * slowdown,
        actions=chunks.actions[k],
        joint_position=trajectories.joint_position[k],
        joint_velocity=trajectories.joint_velocity[k] / slowdown,
        gripper_width=trajectories.gripper_width[k],
        dream=rollouts.latents[k],
        bundle_hash=rollouts.bundle_hash,
        candidate=k,
    )
