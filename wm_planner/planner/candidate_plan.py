"""What carrying out one of the candidates means."""

from __future__ import annotations

from collections.abc import Sequence

from wm_planner.planner.candidates import Candidates
from wm_planner.types import Plan, Verdicts


def candidate_plan(k: int, plan_id: int, made: Candidates, verdicts: Sequence[Verdicts]) -> Plan:
    """Return candidate k as a plan, as much slower as the filters ask for.

    Steps that were decided before keep their time: the last of them is when the plan slows down.
    """
    slowdown = max((float(verdict.slowdown[k]) for verdict in verdicts), default=1.0)
    earlier_s = made.decided * made.rollouts.dt * (slowdown - 1.0)
    return Plan(
        plan_id=plan_id,
        start_ns=made.rollouts.start_ns - round(earlier_s * 1e9),
        dt=made.rollouts.dt * slowdown,
        actions=made.chunks.actions[k],
        joint_position=made.trajectories.joint_position[k],
        joint_velocity=made.trajectories.joint_velocity[k] / slowdown,
        gripper_width=made.trajectories.gripper_width[k],
        dream=made.rollouts.latents[k],
        bundle_hash=made.rollouts.bundle_hash,
        candidate=k,
    )
