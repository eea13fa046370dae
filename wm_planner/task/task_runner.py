"""One task from acceptance to its typed end: when to look, when to plan, when to give up."""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass
from enum import Enum

from wm_planner.drift.drift_monitor import DriftReading
from wm_planner.planner import Planner, PlanReport
from wm_planner.settings import setting
from wm_planner.task.goal_monitor import GoalReading
from wm_planner.task.replanning import Replanning, ReplanningSettings
from wm_planner.task.sub_goals import SubGoals, SubGoalSettings
from wm_planner.types import ObservationWindow, Plan, ReplanReason

_log = logging.getLogger(__name__)


class Outcome(str, Enum):
    """How a task ended, with the names of ExecuteTask.action."""

    SUCCEEDED = "SUCCEEDED"
    TIMEOUT = "TIMEOUT"
    NO_PLAN = "NO_PLAN"
    CANCELED = "CANCELED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class TaskSettings(SubGoalSettings, ReplanningSettings):
    """How long a task may take."""

    task_timeout: float = setting(
        60.0, "s", 0.1, 86400.0, "longest attempt at a goal where the client names no time"
    )
    no_plan_timeout: float = setting(
        6.0, "s", 0.0, 600.0, "an attempt without an acceptable plan for this long has failed"
    )
    stage_failures: int = setting(
        3, minimum=1, maximum=100, help="consecutive errors of the stages before a task has failed"
    )


@dataclass
class TaskStatus:
    """Where a running task is; replaced whole by the worker, read by whoever reports.

    Attributes:
        stage: observing, planning, executing.
        plans: plans made so far.
        no_plans: cycles that made none.
        reading: of the newest frame and the goal pursued then, None before the first.
        drift: of the newest frame, None before the first that follows a plan.
        report: of the newest planning cycle, None before the first.
        outcome: None while it runs.
        message: one line for a person.
    """

    stage: str = "observing"
    plans: int = 0
    no_plans: int = 0
    reading: GoalReading | None = None
    drift: DriftReading | None = None
    report: PlanReport | None = None
    outcome: Outcome | None = None
    message: str = ""


class TaskRunner:
    """Carries a task through cycles of looking and planning. Knows no clock: times are arguments.

    A goal that is seen to be reached makes way for the next one, whose first plan is made on the
    same frame. An attempt that gets no plan or no time is followed by another one, which differs
    in nothing but a new plan and new time, as often as the settings say.

    Args:
        planner: makes the plans.
        goals: what to bring about.
        now_ns: when it was accepted, ROS clock.
        timeout_s: of all of it; 0 for the settings' own for each attempt.
        seed: with the stamp of an observation it fixes all randomness of a plan.
        look_ahead_s: how far ahead of now the executor aims.

    Attributes:
        status: where it is.
        begun_ns: when it was accepted.
        goals: what to bring about, and how much of it was.
        rejections: candidates by the first reason against them.
        replanning: when and from what plans are made.
    """

    def __init__(
        self,
        planner: Planner,
        goals: SubGoals,
        now_ns: int,
        timeout_s: float,
        seed: int,
        look_ahead_s: float,
    ) -> None:
        self.status = TaskStatus()
        self.begun_ns = now_ns
        self.rejections: Counter[str] = Counter()
        self.goals = goals
        self.replanning = Replanning(planner, goals.goal, seed, look_ahead_s)
        self._planner = planner
        self._timeout_s = timeout_s
        self._planless_since_ns: int | None = None
        self._failures = 0

    def cycle(
        self, window: ObservationWindow, now_ns: int, settings: TaskSettings
    ) -> tuple[PlanReport, ReplanReason] | None:
        """Look at the newest frame and plan where that is due.

        Args:
            window: the newest observations.
            now_ns: ROS clock.
            settings: taken once a cycle, so that changes never land in the middle of one.

        Returns:
            The report of a planning cycle and why it was due, None where nothing was planned.
            What is executed of it is up to `send`.
        """
        try:
            result = self._look_and_plan(window, now_ns, settings)
            self._failures = 0
            return result
        except Exception as error:  # a model may throw anything; the task ends typed
            self._failures += 1
            _log.warning("cycle failed: %s: %s", type(error).__name__, error)
            if self._failures >= settings.stage_failures:
                self.end(Outcome.FAILED, f"{type(error).__name__}: {error}")
            return None

    def check_time(self, now_ns: int, settings: TaskSettings) -> None:
        """End the task where its time is over; to be called also while nothing is observed."""
        limit_s = self._timeout_s or self.goals.longest_s(settings.task_timeout, settings)
        if (now_ns - self.begun_ns) * 1e-9 > limit_s:
            self.end(Outcome.TIMEOUT, self._not_reached(limit_s))

    def replan_after(self, stamp_ns: int, reason: ReplanReason) -> None:
        """Ask for a plan on the first frame taken after ``stamp_ns``."""
        self.replanning.demand(stamp_ns, reason)

    def send(self, report: PlanReport, now_ns: int, settings: TaskSettings) -> PlanReport:
        """Return the report as it is to be sent at ``now_ns``, when planning is over."""
        return self.replanning.send(report, now_ns, settings)

    def end(self, outcome: Outcome, message: str) -> None:
        """End the task; the first end counts. With several goals the message names the present."""
        if self.status.outcome is None:
            self.status.message, self.status.outcome = self.goals.named(message), outcome

    def _look_and_plan(
        self, window: ObservationWindow, now_ns: int, settings: TaskSettings
    ) -> tuple[PlanReport, ReplanReason] | None:
        model, stamp_ns = self._planner.world_model, window.newest_stamp_ns
        latent = model.look(window.images[model.spec.camera][-1:])[0]
        attempts, present = self.goals.attempts, self.goals.named("over")
        reading = self.goals.read(latent, stamp_ns, now_ns, settings)
        self.status.reading = reading
        if self.goals.done:
            self.end(
                Outcome.SUCCEEDED, f"the last {reading.frames} frames show the goal ({reading})"
            )
        elif self.goals.attempts > attempts:
            _log.info("%s (%s)", present, reading)
            self._pursue()
        self.check_time(now_ns, settings)
        self._check_attempt(now_ns, settings)
        reason = self.replanning.due(latent, stamp_ns, settings)
        drift = self.status.drift = self.replanning.drift
        if settings.on_drift == "stop" and drift is not None and drift.drifted:
            self.end(Outcome.STOPPED, f"the frames have left the dream ({drift})")
        if self.status.outcome is not None or reason is None:
            return None
        self.status.stage = "planning"
        report = self.replanning.make(window, latent, reason, settings)
        self._take(report, now_ns, settings)
        return report, reason

    def _take(self, report: PlanReport, now_ns: int, settings: TaskSettings) -> None:
        self.status.report = report
        self.rejections.update(report.rejections)
        if isinstance(report.plan, Plan):
            self._planless_since_ns = None
            self.status.plans += 1
            self.status.stage = "executing"
            return
        self.status.no_plans += 1
        self.status.stage = "holding"
        if self._planless_since_ns is None:
            self._planless_since_ns = now_ns
        elif (now_ns - self._planless_since_ns) * 1e-9 > settings.no_plan_timeout:
            self._attempt_failed(Outcome.NO_PLAN, report.plan.reason, now_ns, settings)

    def _check_attempt(self, now_ns: int, settings: TaskSettings) -> None:
        """End the attempt at the present goal where its time is over."""
        if self.status.outcome is None:
            usual_s = math.inf if self._timeout_s else settings.task_timeout
            limit_s = self.goals.overdue_s(now_ns, usual_s)
            if limit_s is not None:
                said = self._not_reached(limit_s)
                self._attempt_failed(Outcome.TIMEOUT, said, now_ns, settings)

    def _attempt_failed(
        self, outcome: Outcome, message: str, now_ns: int, settings: TaskSettings
    ) -> None:
        said = f"{outcome.value}, {message}"
        if self.goals.retry(now_ns, settings):
            _log.info("%s; attempt %d", self.goals.named(said), self.goals.retries + 1)
            self._pursue()
            return
        tried = f" in each of {self.goals.retries + 1} attempts" if self.goals.retries else ""
        self.end(outcome, message + tried)

    def _pursue(self) -> None:
        self._planless_since_ns = None
        self.replanning.pursue(self.goals.goal)

    def _not_reached(self, limit_s: float) -> str:
        return f"not reached within {limit_s:.1f} s ({self.status.reading or 'nothing was seen'})"
