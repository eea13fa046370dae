"""The executor: carries out plans against the clock, and stops when in doubt.

It knows no wall clock and no ROS: times are arguments, so every situation can be tested. Call
`next_command` at a steady rate. After a stop there is silence, never a repeated old command, and
only a plan that was made afterwards moves the arms again.

What is sent keeps the limits of position, velocity, acceleration and jerk by construction: all of
it are samples of one motion that keeps them, and nothing is sent from where the arms could not
come to rest within them. That stop is in hand before the command goes out.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from wm_planner.executor.executor_state import ExecutorSettings, ExecutorState, Hold
from wm_planner.executor.limited_motion import LimitedMotion, stop
from wm_planner.executor.motions import ArmLimits, Motion, Posture, at_rest
from wm_planner.executor.plan_motion import PlanMotion
from wm_planner.types import Command, Plan


class Executor:
    """Follows one plan at a time.

    Attributes:
        settings: may be replaced between two calls.
        state: what it is doing.
        reason: why it holds or stopped, "" while executing.
        plan: the plan being followed, or None.
        late_steps: rows of plans that were already past when their turn came.
        stop_in_hand: from the last command to rest; None while nothing is sent.
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
        self.stop_in_hand: LimitedMotion | None = None
        self._commanded: Posture | None = None  # the last thing that was sent
        self._commanded_ns = -1
        self._measured: Posture | None = None
        self._joints_ns = self._planner_ns = self._now_ns = self._stopped_ns = self._sent_ns = -1
        self._row = 0

    def see_joints(self, position: np.ndarray, width: np.ndarray, now_ns: int) -> None:
        """Take measured joints (D,) rad and widths (2,) m."""
        position = np.array(position, dtype=np.float64)
        if np.isfinite(position).all() and np.isfinite(width).all():  # else as good as silence
            self._measured = at_rest(position, np.array(width))
            self._joints_ns = now_ns

    def see_planner(self, now_ns: int) -> None:
        """Note that the planner is alive."""
        self._planner_ns = now_ns

    def set_plan(self, plan: Plan, now_ns: int) -> str:
        """Follow a plan from now on; return why not, or "".

        A refused plan changes nothing: the one before goes on.
        """
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
        aim_ns = self._aim_ns(now_ns)
        motion = PlanMotion(plan, self._posture(aim_ns), aim_ns, self._limits)
        if motion.complaint:
            return motion.complaint
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
        self._motion = self.stop_in_hand

    def emergency_stop(self, reason: str = "emergency stop") -> None:
        """Be silent at once and until `reset`: whoever cut the power knows better."""
        self.state, self.reason = ExecutorState.ESTOPPED, reason
        self._motion = self._commanded = self.plan = self.stop_in_hand = None

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
        aim_ns = self._aim_ns(now_ns)
        if isinstance(self._motion, PlanMotion) and not self._go_on(aim_ns):
            self._motion = self.stop_in_hand
        if self._motion is None:
            return Hold(self.state, self.reason)
        posture = self._motion.sample(aim_ns)
        if not isinstance(self._motion, PlanMotion) and aim_ns >= self._motion.end_ns:
            self._motion = self.stop_in_hand = None  # this last command ends the stop
        return self._command(posture, aim_ns, now_ns)

    def _go_on(self, aim_ns: int) -> bool:
        """Whether to follow the plan up to a time, and take that moment's stop in hand."""
        assert self._motion is not None
        over = aim_ns > self._motion.end_ns
        ahead = None if over else stop(self._motion.sample(aim_ns), aim_ns, self._limits)
        if ahead is not None:
            self.stop_in_hand = ahead
        elif self.state is ExecutorState.EXECUTING:
            self.state = ExecutorState.HOLDING
            self.reason = "the plan is over" if over else "the plan leaves no room to stop"
        return ahead is not None

    def _command(self, posture: Posture, aim_ns: int, now_ns: int) -> Command:
        width = posture.width
        if self._commanded is not None:
            passed_s = max(aim_ns - self._commanded_ns, 0) * 1e-9
            most, before = self._limits.width_rate_limit * passed_s, self._commanded.width
            width = np.clip(width, before - most, before + most)
        self._commanded = dataclasses.replace(posture, width=width)
        self._commanded_ns, step = aim_ns, -1
        if self.plan is not None and self.state is ExecutorState.EXECUTING:
            due = (aim_ns - self.plan.start_ns) * 1e-9 / self.plan.dt
            step = min(max(int(np.ceil(due - 1e-6)) - 1, 0), len(self.plan.actions) - 1)
            past = min(int((now_ns - self.plan.start_ns) * 1e-9 / self.plan.dt + 1e-6), step)
            self.late_steps += max(past - self._row - 1, 0)
            self._row = max(past, self._row)
        plan_id = 0 if self.plan is None else self.plan.plan_id
        return Command(aim_ns, posture.position, posture.velocity, width, plan_id, step)

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

    def _posture(self, aim_ns: int) -> Posture:
        """Where the arms are told to be at a time, or where they are when told nothing."""
        assert self._measured is not None
        if self._motion is not None:
            return self._motion.sample(aim_ns)
        where = self._measured
        if self._commanded is not None:
            off = np.abs(self._commanded.position - where.position).max()
            near = off <= self.settings.start_tolerance
            position = self._commanded.position if near else where.position
            # The commanded width squeezes; starting from the measured one would drop what is held.
            where = at_rest(position, self._commanded.width)
        within = np.clip(where.position, self._limits.position_lower, self._limits.position_upper)
        return at_rest(within, where.width)

    def _forget_time(self, now_ns: int) -> None:
        """The clock went back: nothing planned before has a meaning."""
        self._motion = self.stop_in_hand = self.plan = None
        self._joints_ns = self._planner_ns = -1
        self._stopped_ns = now_ns
        if self.state is not ExecutorState.ESTOPPED:
            self.state, self.reason = ExecutorState.STOPPED, "the clock went back"

    def _aim_ns(self, now_ns: int) -> int:
        return now_ns + round(self.settings.look_ahead_s * 1e9)

    @property
    def _joints_timeout_ns(self) -> int:
        return round(self.settings.joints_timeout_s * 1e9)
