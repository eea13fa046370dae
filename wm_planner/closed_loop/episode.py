"""One task from start to end in a simulated rig, in this process: look, plan, act, look again.

Simulated time stands still while the planner thinks, or passes by a latency that is given, so
results do not depend on the machine. The planner sees what it would see on a real robot: images,
measured joints and the goal.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.closed_loop.acting import act
from wm_planner.closed_loop.choosers import Chooser
from wm_planner.closed_loop.command_check import CommandCheck
from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.closed_loop.trials import Trials
from wm_planner.executor import Executor
from wm_planner.observation_history import ObservationHistory
from wm_planner.planner import PlanReport
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.settings import setting
from wm_planner.task.replanning import Replanning, ReplanningSettings
from wm_planner.task.sub_goals import SubGoals
from wm_planner.types import Command, Goal, Observation, Plan

Watcher = Callable[[Observation, PlanReport | None], None]


@dataclass(frozen=True)
class EpisodeSettings:
    """When an episode is over."""

    time_limit_s: float = setting(
        0.0, unit="s", minimum=0.0, maximum=3600.0, help="Longest episode; 0 for the task's own."
    )
    success_frames: int = setting(
        2, minimum=1, maximum=100, help="Frames in a row on which physics must say success."
    )
    no_plan_limit: int = setting(
        10, minimum=1, maximum=1000, help="Plans in a row that may fail before an attempt has."
    )
    latency_s: float = setting(
        0.0, unit="s", minimum=0.0, maximum=60.0, help="Simulated time that every plan takes."
    )


def run_episode(
    stack: Stack,
    rig: SimulatedRig,
    goals: Sequence[Goal],
    task: str,
    seed: int,
    settings: EpisodeSettings | None = None,
    watch: Watcher | None = None,
    disturbance: Disturbance | None = None,
    chooser: Chooser | None = None,
) -> EpisodeResult:
    """Run one episode.

    Args:
        stack: what plans.
        rig: where; it is reset first.
        goals: what the planner is asked for, one after the other; it goes on to the next one where
            it sees one reached, whatever physics says.
        task: scene and success test.
        seed: fixes the scene and, with the frames' stamps, all randomness of the planner.
        settings: None for the defaults.
        watch: called with every frame, and the report when a plan was made on it.
        disturbance: what goes wrong once in its course; the planner is not told.
        chooser: chooses among the accepted candidates; None for the planner itself.
    """
    settings = settings or EpisodeSettings()
    rig.reset(task, seed)
    if disturbance:
        rig.disturb(disturbance, seed)
    limits_s, tries = rig.time_limits_s(task), stack.config.goals.subgoal_retries + 1
    limit_s = settings.time_limit_s or sum(limits_s) * tries
    # Where the task has as many goals as are asked for, each has its own time.
    own = limits_s if len(goals) == len(limits_s) > 1 else [limit_s] * len(goals)
    episode = _Episode(stack, rig, goals, own, seed, settings, watch, chooser)
    steps_in_a_row = 0
    end = "time limit"
    while rig.time_ns * 1e-9 < limit_s:
        episode.look_and_plan()
        failed = episode.failed()
        if failed:
            end = failed
            break
        if episode.stopped:
            end = "drift"
            break
        episode.step()
        steps_in_a_row = steps_in_a_row + 1 if rig.succeeded() else 0
        if steps_in_a_row >= settings.success_frames:
            end = "success"
            break
    return EpisodeResult(
        task=task,
        seed=seed,
        instruction=", then ".join(g.instruction for g in goals if g.instruction) or None,
        success=end == "success",
        end=end,
        duration_s=rig.time_ns * 1e-9,
        plans=episode.plans,
        no_plans=episode.no_plans,
        rejections=dict(episode.rejections),
        refusals=dict(episode.refusals),
        latency_s=dict(episode.latency_s),
        disturbed=rig.disturbed,
        replans={reason.value: n for reason, n in episode.replanning.reasons.items()},
        drifted_s=episode.drifted_s,
        commands=episode.check.commands,
        limit_violations=episode.check.violations,
        done_s=episode.done_s,
        seen_s=episode.seen_s,
        retries=episode.goals.attempts - 1 - episode.goals.reached,
    )


@dataclass
class _Episode:
    """What changes in the course of an episode."""

    stack: Stack
    rig: SimulatedRig
    asked: Sequence[Goal]
    limits_s: Sequence[float]
    seed: int
    settings: EpisodeSettings
    watch: Watcher | None
    chooser: Chooser | None
    plans: int = 0
    no_plans: int = 0
    failures: int = 0  # in a row
    stopped: bool = False
    rejections: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    latency_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    drifted_s: list[float] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)
    seen_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        spec, config = self.stack.world_model.spec, self.stack.config
        self.dt = spec.dt
        self.history = ObservationHistory(spec.dt, spec.context_frames, self.stack.view)
        self.executor = Executor(self.stack.robot, config.executor)
        look_ahead_s = config.executor.look_ahead_s
        self.replanning = Replanning(
            self.stack.planner, self.asked[0], self.seed, look_ahead_s, self._choose
        )
        model, begun_ns = self.stack.world_model, self.rig.time_ns
        self.goals = SubGoals(model, self.asked, begun_ns, timeouts_s=self.limits_s)
        self.commands: deque[Command] = deque()
        self.check = CommandCheck(self.stack.rig_description)
        self._on_its_way: tuple[int, PlanReport] | None = None
        self._drifted_plan = 0
        self.observation = self._look()

    def look_and_plan(self) -> None:
        """Look at the newest frame, and plan on it where that is due and the planner is free."""
        window = self.history.window()
        if window is None or self._on_its_way is not None:
            return
        model, settings = self.stack.world_model, self.stack.config.replanning
        latent = model.look(window.images[model.spec.camera][-1:])[0]
        self._see_goal(latent, window.newest_stamp_ns)
        reason = self.replanning.due(latent, window.newest_stamp_ns, settings)
        self._note_drift(settings)
        if self.stopped or reason is None:
            return
        report = self.replanning.make(window, latent, reason, settings)
        self.rejections.update(report.rejections)
        for stage, seconds in report.latency_s.items():
            self.latency_s[stage].append(seconds)
        self.latency_s["total"].append(sum(report.latency_s.values()))
        if self.watch:
            self.watch(self.observation, report)
        self._on_its_way = self.rig.time_ns + round(self.settings.latency_s * 1e9), report
        self._receive()

    def step(self) -> None:
        """Let one frame's time pass, with the executor at its own rate, and look."""
        seen = self.observation
        joints, width = seen.joint_position, seen.gripper_width
        sent = act(self.executor, self.rig, joints, width, self.dt, self._receive)
        self.commands.extend(sent)
        for command in sent:
            self.check.take(command)
        self._receive()
        self.observation = self._look()
        self.done_s += [self.rig.time_ns * 1e-9] * (self.rig.goals_done - len(self.done_s))
        if self.watch:
            self.watch(self.observation, None)

    def _see_goal(self, latent: np.ndarray, stamp_ns: int) -> None:
        """Turn to the next goal where the planner sees this one reached."""
        goals = self.goals
        if goals.done:
            return
        goals.read(latent, stamp_ns, self.rig.time_ns, self.stack.config.goals)
        if goals.reached > len(self.seen_s):
            self.seen_s.append(stamp_ns * 1e-9)
            if not goals.done:  # else physics has the last word
                self.failures = 0
                self.replanning.pursue(goals.goal)

    def _receive(self) -> None:
        """Hand a plan to the executor once its time has passed.

        Without a new plan the old one goes on to its end, which was accepted when it was made.
        """
        now_ns = self.rig.time_ns
        if self._on_its_way is None or now_ns < self._on_its_way[0]:
            return
        (_, report), self._on_its_way = self._on_its_way, None
        plan = self.replanning.send(report, now_ns, self.stack.config.replanning).plan
        self.failures += 1
        if not isinstance(plan, Plan):
            self.no_plans += 1
            return
        joints, width = self.observation.joint_position, self.observation.gripper_width
        self.executor.see_joints(joints, width, now_ns)
        refusal = self.executor.set_plan(plan, now_ns)
        if refusal:
            self.refusals[refusal] += 1
            self.replanning.refused()
            return
        self.plans += 1
        self.failures = 0

    def failed(self) -> str:
        """Begin another attempt where this one has failed; where there is none, say why."""
        goals, now_ns = self.goals, self.rig.time_ns
        over = not goals.done and goals.overdue_s(now_ns, math.inf) is not None
        why = "time limit" if over else ""
        why = "no plan" if self.failures >= self.settings.no_plan_limit else why
        if not why or goals.done or not goals.retry(now_ns, self.stack.config.goals):
            return why
        self.failures = 0
        self.replanning.pursue(goals.goal)
        return ""

    def _note_drift(self, settings: ReplanningSettings) -> None:
        drift, plan = self.replanning.drift, self.replanning.plan
        if drift is None or plan is None or not drift.drifted:
            return
        self.stopped = settings.on_drift == "stop"
        if plan.plan_id != self._drifted_plan:
            self._drifted_plan = plan.plan_id
            self.drifted_s.append(self.observation.stamp_ns * 1e-9)

    def _choose(self, report: PlanReport) -> PlanReport:
        if self.chooser is None or not isinstance(report.plan, Plan):
            return report
        window = self.history.window()
        assert window is not None  # the report was made on it
        here = partial(Trials, self.stack, self.rig, self.executor, window)
        return replace(report, plan=report.plan_of(self.chooser.choose(report, here, self.seed)))

    def _look(self) -> Observation:
        """Observe, and remember it with what the arms had been told to do by then."""
        observation = self.rig.observe()
        joints, width = observation.joint_position, observation.gripper_width
        robot = self.stack.robot
        while len(self.commands) > 1 and self.commands[1].stamp_ns <= observation.stamp_ns:
            self.commands.popleft()
        told = self.commands[0] if self.commands else None
        commanded = robot.hand_poses(told.joint_position, told.gripper_width) if told else None
        self.history.add(observation, robot.hand_poses(joints, width), commanded)
        return observation
