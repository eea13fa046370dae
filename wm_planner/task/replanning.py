"""When to plan again, and from what a new plan goes on: shared by nodes, replay and closed loop."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wm_planner.drift.drift_monitor import DriftMonitor, DriftReading, own_error
from wm_planner.drift.drift_settings import DriftSettings
from wm_planner.planner import Planner, PlanReport
from wm_planner.settings import setting
from wm_planner.task.planning_delay import PlanningDelay
from wm_planner.types import Goal, HandPoses, ObservationWindow, Plan, ReplanReason

_log = logging.getLogger(__name__)

ACCEPTANCE_S = 0.25  # after which the executor has seen a plan that was sent
STAMP_TOLERANCE = 0.02  # of a step: by how much a stamp may be early
FRAME_TOLERANCE = 0.25  # the same for frames, which come when they come: waiting costs a whole one


@dataclass(frozen=True)
class ReplanningSettings(DriftSettings):
    """How a plan follows another one."""

    asynchronous: bool = setting(
        True, help="plan while the arms move; else each plan ends at rest before the next is made"
    )
    delay_quantile: float = setting(
        0.9, minimum=0.0, maximum=1.0, help="share of plans that come no later than is reckoned"
    )
    longest_delay: float = setting(
        1.0, "s", 0.0, 60.0, "longest delay of a plan that is reckoned with"
    )


class Replanning:
    """Makes plan after plan, for one goal after the other. Knows no clock.

    A plan takes time, and what the arms do in that time is decided already: the new plan takes
    over those steps from the one in flight and goes its own way from there.

    Args:
        planner: makes the plans.
        goal: what to bring about first.
        seed: with the stamp of an observation it fixes all randomness of a plan.
        look_ahead_s: how far ahead of now the executor aims.
        choose: has the last word on each report, for evaluations of choosing; None leaves it be.

    Attributes:
        plan: the one in flight, or None.
        drift: reading of the newest frame against its dream, None where there was none.
        reasons: plans asked for, by reason.
        delay: from frames to plans.
    """

    def __init__(
        self,
        planner: Planner,
        goal: Goal,
        seed: int,
        look_ahead_s: float,
        choose: Callable[[PlanReport], PlanReport] | None = None,
    ) -> None:
        self.plan: Plan | None = None
        self.drift: DriftReading | None = None
        self.reasons: Counter[ReplanReason] = Counter()
        self.delay = PlanningDelay()
        self._planner, self._goal, self._seed = planner, goal, seed
        self._look_ahead_s, self._choose = look_ahead_s, choose
        self._monitor: DriftMonitor | None = None
        self._asked, self._served = 1, 0  # goals so far, and which of them the plan serves
        self._before: tuple[Plan | None, DriftMonitor | None, int] = (None, None, 0)
        self._demand: tuple[int, ReplanReason] | None = None
        self._sent_ns: int | None = None  # the plan, while nobody has said that it is followed
        self._followed: tuple[int, int] | None = None
        self._interrupted = False  # by a demand while the newest plan was made
        self._drift_served_ns = 0

    def pursue(self, goal: Goal) -> None:
        """Turn to another goal, or anew to the same: the next frame shall have a plan for it.

        The plan in flight goes on until then.
        """
        self._goal = goal
        self._asked += 1

    def demand(self, stamp_ns: int, reason: ReplanReason) -> None:
        """Ask for a plan on the first frame taken after ``stamp_ns``."""
        self._demand = (stamp_ns, reason)

    def hear_executor(self, plan_id: int, stamp_ns: int) -> None:
        """Take what the executor says: which plan it follows (0 for none), and when it said so.

        One that it does not follow some time after it was sent was refused.
        """
        self._followed = (plan_id, stamp_ns)

    def due(
        self, latent: np.ndarray, stamp_ns: int, settings: ReplanningSettings
    ) -> ReplanReason | None:
        """Look at a frame and say why a plan is due, None where it is not.

        Args:
            latent: the frame as the world model sees it.
            stamp_ns: when it was taken.
            settings: of this cycle.
        """
        self._note_refusal()
        plan = self.plan
        if plan is None or self._monitor is None:
            return ReplanReason.NEW_GOAL
        self.drift = self._monitor.read(latent, stamp_ns)
        if self._demand is not None and stamp_ns > self._demand[0] > plan.start_ns:
            return self._demand[1]
        followed = (stamp_ns - plan.start_ns) * 1e-9 / plan.dt + FRAME_TOLERANCE
        # The frame itself must show what the steps have done, not only the clock say so.
        ending = followed >= self._steps_to_follow(plan, settings)
        if self._served != self._asked and (settings.asynchronous or ending):
            return ReplanReason.NEW_GOAL
        if ending:
            return ReplanReason.PLAN_ENDING
        # Counted from the last attempt, too: that may have led to no plan, or to a refused one.
        last_ns = max(plan.start_ns, self._drift_served_ns)
        rested = (stamp_ns - last_ns) * 1e-9 / plan.dt + STAMP_TOLERANCE >= settings.drift_pause
        replans = settings.on_drift == "replan" and rested
        return ReplanReason.DRIFT if self.drift.drifted and replans else None

    def make(
        self,
        window: ObservationWindow,
        latent: np.ndarray,
        reason: ReplanReason,
        settings: ReplanningSettings,
    ) -> PlanReport:
        """Make a plan; where there is one, it is in flight from now on.

        Args:
            window: the newest observations.
            latent: its newest frame as the world model sees it.
            reason: why.
            settings: of this cycle.
        """
        self.reasons[reason] += 1
        self._demand, stamp_ns = None, window.newest_stamp_ns
        if reason is ReplanReason.DRIFT:
            self._drift_served_ns = stamp_ns
        committed = None
        if settings.asynchronous and reason is not ReplanReason.STALE_OBSERVATION:
            committed = self._committed(stamp_ns, settings)
        generator, asked = np.random.default_rng([self._seed, stamp_ns]), self._asked
        report = self._planner.plan(window, self._goal, generator, committed)
        if self._choose is not None:
            report = self._choose(report)
        # A stop that came while planning asks again if it still stands.
        self._interrupted, self._demand = self._demand is not None, None
        plan = report.plan
        if not isinstance(plan, Plan):
            return report
        if not settings.asynchronous:
            plan = first_steps(plan, self._planner.settings.execute_steps)
        model = self._planner.world_model
        again = model.look(model.decode(latent[None]))[0]
        self._before = self.plan, self._monitor, self._served
        self.plan, self._served = plan, asked
        self._monitor = DriftMonitor(plan, latent, own_error(latent, again), settings)
        return dataclasses.replace(report, plan=plan)

    def send(self, report: PlanReport, now_ns: int, settings: ReplanningSettings) -> PlanReport:
        """Return what is to be sent, now that thinking is over, and note how long that took.

        Args:
            report: as `make` returned it.
            now_ns: ROS clock.
            settings: of the cycle.
        """
        plan = report.plan
        if not isinstance(plan, Plan) or plan is not self.plan:
            return report
        # From the frame: a plan that slows down behind decided steps starts before it.
        self.delay.add((now_ns - report.rollouts.start_ns) * 1e-9)
        self._sent_ns = now_ns
        if settings.asynchronous or self._interrupted or self._monitor is None:
            return report  # the executor knows by the stamp that a stop came later
        # Everything stood still and waited, so the plan is as good now as it was then.
        self.plan = dataclasses.replace(plan, start_ns=max(now_ns, plan.start_ns))
        self._monitor.restart(self.plan)
        return dataclasses.replace(report, plan=self.plan)

    def refused(self) -> None:
        """Note that the executor did not take the plan: the one before goes on."""
        self.plan, self._monitor, self._served = self._before
        self._sent_ns = None

    def delay_s(self, settings: ReplanningSettings) -> float:
        """Return how long after its frame the next plan is reckoned to be there, s."""
        return self.delay.estimate(settings.delay_quantile, settings.longest_delay)

    def _note_refusal(self) -> None:
        """Believe what the executor said of the plan that was sent, once it says anything."""
        if self._sent_ns is None or self._followed is None or self.plan is None:
            return
        plan_id, stamp_ns = self._followed
        if plan_id == self.plan.plan_id:
            self._sent_ns = None
        elif (stamp_ns - self._sent_ns) * 1e-9 > ACCEPTANCE_S:
            _log.warning("plan %d was refused by the executor", self.plan.plan_id)
            self.refused()

    def _steps_to_follow(self, plan: Plan, settings: ReplanningSettings) -> float:
        """After how many steps of a plan to look again."""
        if not settings.asynchronous:
            return len(plan.actions) + 1.0  # a step later the arms have come to rest
        steps = min(self._planner.settings.execute_steps, len(plan.actions))
        ahead = self.delay_s(settings) / plan.dt  # the next plan must be there before the end
        # But not for the sake of plans that come too late anyway: they would be all there is.
        return min(float(steps), max(len(plan.actions) - ahead, len(plan.actions) / 2))

    def _committed(self, stamp_ns: int, settings: ReplanningSettings) -> HandPoses | None:
        """Where the hands will have been told to be until a new plan can change it; (d,) or None.

        Steps of the model's dt after ``stamp_ns``, as the plan in flight has them.
        """
        plan, dt = self.plan, self._planner.world_model.spec.dt
        if plan is None or plan.end_ns <= stamp_ns:
            return None
        until_s = self.delay_s(settings) + self._look_ahead_s
        most = self._planner.world_model.spec.horizon // 2  # half a plan is to be its own
        count = min(int(until_s / dt + STAMP_TOLERANCE), most)
        if count < 1:
            return None
        times_ns = stamp_ns + dt * 1e9 * np.arange(1, count + 1)
        rows = (times_ns - plan.start_ns) * 1e-9 / plan.dt - 1.0

        def told(values: np.ndarray) -> np.ndarray:
            known = np.arange(len(values))
            return np.stack([np.interp(rows, known, column) for column in values.T], axis=-1)

        return self._planner.robot.hand_poses(told(plan.joint_position), told(plan.gripper_width))


def first_steps(plan: Plan, count: int) -> Plan:
    """Return the first steps of a plan."""
    names = ("actions", "joint_position", "joint_velocity", "gripper_width", "dream")
    return dataclasses.replace(plan, **{name: getattr(plan, name)[:count] for name in names})
