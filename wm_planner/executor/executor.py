"""The executor: carries out plans against the clock, and stops when in doubt.

It knows no wall clock and no ROS: times are arguments, so every situation can be tested. Call
`next_command` at a steady rate. After a stop there is silence, never a repeated old command, and
only a plan that was made afterwards moves the arms again.
"""

from __future__ import annotations

import numpy as np

from wm_planner.executor.executor_state import ArmLimits, ExecutorSettings, ExecutorState, Hold
from wm_planner.executor.motions import Braking, Motion, PlanMotion, Posture
from wm_planner.types import Command, Plan


class Executor:
    """Follows one plan at a time.

    Attributes:
        settings: may be replaced between two calls.
        state: what it is doing.
        reason: why it holds or stopped, "" while executing.
        plan: the plan being followed, or None.
        late_steps: rows of plans that were already past when their turn came.
    """

    def __init__(self, limits: ArmLimits, settings: ExecutorSettings | None = None) -> None:
        """Wait for a first plan.

        Args:
            limits: of the arms.
            settings: None for the defaults.
        """
        self.settings = settings or ExecutorSettings()
        self.state, self.reason = ExecutorState.IDLE, "no plan yet"
        self.plan: Plan | None = None
        self.late_steps = 0
        self._limits = limits
        self._motion: Motion | None = None  # None: at rest, nothing is sent
        self._commanded: Posture | None = None  # the last thing that was sent
        self._measured: Posture | None = None
        self._joints_ns = self._planner_ns = self._now_ns = self._stopped_ns = self._sent_ns = -1
        self._row = 0

    def see_joints(self, position: np.ndarray, width: np.ndarray, now_ns: int) -> None:
        """Take measured joints (D,) rad and widths (2,) m."""
        position = np.array(position, dtype=np.float64)
        if np.isfinite(position).all() and np.isfinite(width).all():  # else as good as silence
            self._measured = Posture(position, np.zeros_like(position), np.array(width))
            self._joints_ns = now_ns

    def see_planner(self, now_ns: int) -> None:
        """Note that the planner is alive."""
        self._planner_ns = now_ns

    def set_plan(self, plan: Plan, now_ns: int) -> str:
        """Follow a plan from now on; return why not, or "".

        A refused plan changes nothing: the one before goes on.
        """
        now_s = self._aim_s(now_ns)
        if self.state is ExecutorState.ESTOPPED:
            return "emergency stop is on"
        if self.state is ExecutorState.STOPPED and plan.start_ns < self._stopped_ns:
            return "it was made before the stop"
        if self.plan is not None and plan.start_ns < self.plan.start_ns:
            return f"it is older than plan {self.plan.plan_id}"
        if self._measured is None or now_ns - self._joints_ns > self._joints_timeout_ns:
            return "joints are not measured"
        if plan.joint_position.shape[1] != len(self._limits.acceleration_limit):
            joints = len(self._limits.acceleration_limit)
            return f"it has {plan.joint_position.shape[1]} joints, the arms have {joints}"
        limit = self._limits.acceleration_limit
        motion = PlanMotion(plan, self._posture(now_s), now_s, limit)
        if motion.first_row is None:
            late = plan.end_ns * 1e-9 <= now_s
            return "it is over" if late else "no row can be reached within acceleration limits"
        worst = float((motion.peak_acceleration() / limit).max())
        if worst > self.settings.acceleration_fraction:
            allowed = self.settings.acceleration_fraction
            return f"it accelerates at {worst:.2f} of the limit, allowed is {allowed:.2f}"
        past = int((now_ns - plan.start_ns) * 1e-9 / plan.dt)
        self.late_steps += min(max(past, 0), len(plan.actions))
        self.plan, self._motion, self._row = plan, motion, max(past, 0)
        self.state, self.reason = ExecutorState.EXECUTING, ""
        self.see_planner(now_ns)
        return ""

    def stop(self, reason: str, now_ns: int) -> None:
        """Brake, then be silent until a plan comes that was made afterwards."""
        if self.state in (ExecutorState.ESTOPPED, ExecutorState.STOPPED):
            return
        self.state, self.reason, self._stopped_ns = ExecutorState.STOPPED, reason, now_ns
        self._brake(self._aim_s(now_ns))

    def emergency_stop(self, reason: str = "emergency stop") -> None:
        """Be silent at once and until `reset`: whoever cut the power knows better."""
        self.state, self.reason = ExecutorState.ESTOPPED, reason
        self._motion = self._commanded = self.plan = None

    def reset(self, now_ns: int) -> None:
        """Leave the emergency stop; the arms stay where they are until the next new plan."""
        if self.state is ExecutorState.ESTOPPED:
            self.state, self.reason = ExecutorState.STOPPED, "reset after an emergency stop"
            self._stopped_ns = now_ns

    def next_command(self, now_ns: int) -> Command | Hold:
        """Return what to send now, or why nothing is to be sent."""
        if now_ns < self._now_ns:
            self._forget_time(now_ns)
        self._now_ns = now_ns
        if self.state is ExecutorState.EXECUTING:
            self._watch(now_ns)
        aim_s = self._aim_s(now_ns)
        if isinstance(self._motion, PlanMotion) and aim_s > self._motion.end_s:
            if self.state is ExecutorState.EXECUTING:
                self.state, self.reason = ExecutorState.HOLDING, "the plan is over"
            self._brake(self._motion.end_s)
        if self._motion is None:
            return Hold(self.state, self.reason)
        posture = self._motion.sample(aim_s)
        if isinstance(self._motion, Braking) and aim_s >= self._motion.end_s:
            self._motion = None  # this last command ends it
        return self._command(posture, now_ns, aim_s)

    def _command(self, posture: Posture, now_ns: int, aim_s: float) -> Command:
        position = np.clip(
            posture.position, self._limits.position_lower, self._limits.position_upper
        )
        self._commanded = Posture(position, posture.velocity, posture.width)
        step = -1
        if self.plan is not None and self.state is ExecutorState.EXECUTING:
            due = (aim_s - self.plan.start_ns * 1e-9) / self.plan.dt
            step = min(max(int(np.ceil(due - 1e-6)) - 1, 0), len(self.plan.actions) - 1)
            past = min(int((now_ns - self.plan.start_ns) * 1e-9 / self.plan.dt + 1e-6), step)
            self.late_steps += max(past - self._row - 1, 0)
            self._row = max(past, self._row)
        stamp = now_ns + round(self.settings.look_ahead_s * 1e9)
        plan_id = 0 if self.plan is None else self.plan.plan_id
        return Command(stamp, position, posture.velocity, posture.width, plan_id, step)

    def _watch(self, now_ns: int) -> None:
        """Stop when something that must be heard is silent."""
        planner_ns = round(self.settings.planner_timeout_s * 1e9)
        for name, heard_ns, timeout_ns in (
            ("joints", self._joints_ns, self._joints_timeout_ns),
            ("planner", self._planner_ns, planner_ns),
        ):
            if now_ns - heard_ns > timeout_ns:
                silent = (now_ns - heard_ns) * 1e-9
                self.stop(f"{name} silent for {silent:.2f} s", now_ns)

    def _posture(self, aim_s: float) -> Posture:
        """Where the arms are told to be at a time, or where they are when told nothing."""
        assert self._measured is not None
        if self._motion is not None:
            return self._motion.sample(aim_s)
        if self._commanded is None:
            return self._measured
        off = np.abs(self._commanded.position - self._measured.position).max()
        near = off <= self.settings.start_tolerance
        position = self._commanded.position if near else self._measured.position
        # The commanded width squeezes; starting from the measured one would drop what is held.
        return Posture(position, np.zeros_like(position), self._commanded.width)

    def _brake(self, start_s: float) -> None:
        if self._motion is not None:
            start = self._motion.sample(start_s)
            self._motion = Braking(start, start_s, self._limits.acceleration_limit)

    def _forget_time(self, now_ns: int) -> None:
        """The clock went back: nothing planned before has a meaning."""
        self._motion, self.plan = None, None
        self._joints_ns = self._planner_ns = -1
        self._stopped_ns = now_ns
        if self.state is not ExecutorState.ESTOPPED:
            self.state, self.reason = ExecutorState.STOPPED, "the clock went back"

    def _aim_s(self, now_ns: int) -> float:
        return now_ns * 1e-9 + self.settings.look_ahead_s

    @property
    def _joints_timeout_ns(self) -> int:
        return round(self.settings.joints_timeout_s * 1e9)
