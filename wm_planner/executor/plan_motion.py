"""From a posture into a plan and along it."""

from __future__ import annotations

from wm_planner.executor.limited_motion import way_into
from wm_planner.executor.motions import ArmLimits, Posture
from wm_planner.executor.plan_curve import PlanCurve
from wm_planner.types import Plan

TRIES_PER_STEP = 4  # how finely the soonest moment to be on the curve is looked for


class PlanMotion:
    """Joins the plan's curve as soon as the limits allow; what is due before is left out.

    Attributes:
        complaint: why the plan cannot be followed, "" where it can.
        end_ns: when its curve is over.
    """

    def __init__(self, plan: Plan, start: Posture, start_ns: int, limits: ArmLimits) -> None:
        """Find the way in.

        Args:
            plan: where to go.
            start: where the arms are told to be at start_ns.
            start_ns: when to leave.
            limits: of the arms.
        """
        self._curve = PlanCurve(plan, limits)
        self._start, self._start_ns = start, start_ns
        self.end_ns = self._curve.end_ns
        self.complaint = self._curve.complaint(start_ns)
        self._way = None
        if self.complaint:
            return
        step_ns = round(plan.dt * 1e9 / TRIES_PER_STEP)
        first_ns = max(self._curve.start_ns, start_ns + step_ns)
        for join_ns in range(first_ns, self.end_ns + 1, step_ns):
            on_curve = self._curve.sample(join_ns)
            self._way = way_into(start, start_ns, on_curve, join_ns, limits)
            if self._way is not None:
                self._join_ns = join_ns
                return
        over = plan.end_ns <= start_ns
        self.complaint = "it is over" if over else "it cannot be joined within the limits"

    def sample(self, time_ns: int) -> Posture:
        """Return the posture at a time."""
        assert self._way is not None
        if time_ns >= self._join_ns:
            return self._curve.sample(time_ns)
        on_way = self._way.sample(time_ns)
        share = (max(time_ns, self._start_ns) - self._start_ns) / (self._join_ns - self._start_ns)
        width = self._start.width + share * (self._curve.width(self._join_ns) - self._start.width)
        return Posture(on_way.position, on_way.velocity, on_way.acceleration, width)
