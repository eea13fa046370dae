"""The planner: imagine, invert, judge, score, choose."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wm_planner.errors import BundleError
from wm_planner.filters.filter import Filter
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.planner.plan_report import PlanReport, rejection_reasons, tell_rejections
from wm_planner.planner.readable_frames import check_readable, readable_frames
from wm_planner.planner.stage_timer import StageTimer
from wm_planner.robot.robot_model import RobotModel
from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import (
    ActionChunks,
    Goal,
    HandPoses,
    JointTrajectories,
    NoPlan,
    ObservationWindow,
    Plan,
    Rollouts,
    StartState,
    Verdicts,
)
from wm_planner.world_models.world_model import WorldModel


@dataclass(frozen=True)
class PlannerSettings:
    """How a plan is made, and how much of it is carried out."""

    candidates: int = setting(8, minimum=1, maximum=256, help="Dreams per plan.")
    execute_steps: int = setting(4, minimum=1, maximum=256, help="Steps before looking again.")
    attempts: int = setting(
        2, minimum=1, maximum=10, help="Batches of dreams to try until one dream is accepted."
    )


class Planner:
    """Makes one plan at a time; holds models and settings, and no memory but a counter."""

    def __init__(
        self,
        world_model: WorldModel,
        inverse_dynamics: InverseDynamics,
        robot: RobotModel,
        filters: Sequence[Filter],
        scorers: Sequence[Scorer],
        settings: PlannerSettings | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Put the parts together; `clock` returns seconds and only measures latencies."""
        check_readable(world_model, inverse_dynamics.spec)
        self.world_model, self.inverse_dynamics, self.robot = world_model, inverse_dynamics, robot
        self.filters, self.scorers = tuple(filters), tuple(scorers)
        self.settings = settings or PlannerSettings()
        self._clock, self._plan_ids = clock, itertools.count(1)

    def plan(
        self, window: ObservationWindow, goal: Goal, generator: np.random.Generator
    ) -> PlanReport:
        """Return the best accepted candidate as a Plan, or NoPlan when all were rejected.

        Args:
            window: the newest T frames.
            goal: what to reach.
            generator: source of all randomness.
        """
        model, timer = self.world_model, StageTimer(self._clock)
        rejections: Counter[str] = Counter()
        joints = window.newest_joint_position
        measured = self.robot.hand_poses(joints, window.newest_gripper_width)
        with timer("encode"):
            newest = model.look(window.images[model.spec.camera][-1:])
        attempts = 0
        while True:
            attempts += 1
            with timer("imagine"):
                rollouts = model.imagine(window, goal, self.settings.candidates, generator)
            with timer("invert"):
                chunks = self._invert(newest, rollouts, measured, generator)
            with timer("kinematics"):
                trajectories = self.robot.trajectories(chunks, measured, joints)
            with timer("filter"):
                start = StartState(joints, window.joint_velocity[-1])
                judged = (judge.judge(chunks, trajectories, start) for judge in self.filters)
                verdicts = tuple(itertools.chain.from_iterable(judged))
            with timer("score"):
                context = ScoringContext(rollouts, chunks, goal, model)
                scores = tuple(scorer.score(context) for scorer in self.scorers)
            total = sum((s.contribution for s in scores), np.zeros(len(rollouts.latents)))
            reasons = rejection_reasons(verdicts, total)
            total[[reason != "" for reason in reasons]] = np.nan
            rejections.update(reason for reason in reasons if reason)
            if not np.isnan(total).all() or attempts >= self.settings.attempts:
                break
        plan: Plan | NoPlan
        if np.isnan(total).all():
            plan = NoPlan(rollouts.start_ns, tell_rejections(rejections), verdicts)
        else:
            plan = self._best(total, rollouts, chunks, trajectories, verdicts)
        return PlanReport(
            plan=plan,
            rollouts=rollouts,
            chunks=chunks,
            trajectories=trajectories,
            verdicts=verdicts,
            scores=scores,
            total_score=total,
            attempts=attempts,
            rejections=rejections,
            latency_s=timer.seconds,
        )

    def _invert(
        self,
        newest: np.ndarray,
        rollouts: Rollouts,
        measured: HandPoses,
        generator: np.random.Generator,
    ) -> ActionChunks:
        """Read actions off the dreams, each with the newest observed frame in front."""
        observed = np.repeat(newest[None], len(rollouts.latents), axis=0)
        latents = np.concatenate([observed, rollouts.latents.astype(np.float32)], axis=1)
        frames = readable_frames(self.world_model, self.inverse_dynamics.spec, latents)
        loaded, origin = self.world_model.spec.bundle_hash, rollouts.bundle_hash
        chunks = self.inverse_dynamics.invert(
            frames, measured, rollouts.dt, rollouts.start_ns, origin, generator
        )
        for name, got in (("rollouts", origin), ("action chunks", chunks.bundle_hash)):
            if got != loaded:  # another model's latents mean something else
                raise BundleError(f"{name} come from world model {got}, loaded is {loaded}")
        return chunks

    def _best(
        self,
        total_score: np.ndarray,
        rollouts: Rollouts,
        chunks: ActionChunks,
        trajectories: JointTrajectories,
        verdicts: Sequence[Verdicts],
    ) -> Plan:
        k = int(np.nanargmax(total_score))
        slowdown = max((float(verdict.slowdown[k]) for verdict in verdicts), default=1.0)
        return Plan(
            plan_id=next(self._plan_ids),
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
