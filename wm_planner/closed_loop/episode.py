"""One task from start to end in a simulated rig, in this process: look, plan, act, look again.

Simulated time stands still while the planner thinks, so results do not depend on the machine. The
planner sees what it would see on a real robot: images, measured joints and the goal.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.closed_loop.acting import act
from wm_planner.closed_loop.choosers import Chooser
from wm_planner.closed_loop.trials import Trials
from wm_planner.executor import Executor
from wm_planner.observation_history import ObservationHistory
from wm_planner.planner import PlanReport
from wm_planner.rigs.disturbance import Disturbance, Disturbed
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.settings import setting
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
        10, minimum=1, maximum=1000, help="Plans in a row that may fail before giving up."
    )


@dataclass(frozen=True)
class EpisodeResult:
    """How an episode went.

    Attributes:
        success: whether physics said so long enough.
        end: "success", "time limit" or "no plan".
        duration_s: simulated time, s.
        plans: plans carried out.
        no_plans: times when all candidates were rejected.
        rejections: candidates by the first reason against them.
        refusals: plans that the executor refused, by reason.
        latency_s: by stage, one entry per plan, s; "total" is their sum.
        disturbed: what came of the disturbance; None where none was asked for.
    """

    task: str
    seed: int
    instruction: str | None
    success: bool
    end: str
    duration_s: float
    plans: int
    no_plans: int
    rejections: dict[str, int]
    refusals: dict[str, int]
    latency_s: dict[str, list[float]]
    disturbed: Disturbed | None = None


def run_episode(
    stack: Stack,
    rig: SimulatedRig,
    goal: Goal,
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
        goal: what the planner is asked for.
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
    limit_s = settings.time_limit_s or rig.time_limit_s(task)
    episode = _Episode(stack, rig, seed, watch, chooser)
    steps_in_a_row = failures = 0
    end = "time limit"
    while rig.time_ns * 1e-9 < limit_s:
        planned = episode.plan(goal)
        failures = 0 if planned else failures + 1
        if failures >= settings.no_plan_limit:
            end = "no plan"
            break
        for _ in range(stack.planner.settings.execute_steps if planned else 1):
            episode.step()
            steps_in_a_row = steps_in_a_row + 1 if rig.succeeded() else 0
            if steps_in_a_row >= settings.success_frames:
                break
        if steps_in_a_row >= settings.success_frames:
            end = "success"
            break
    return EpisodeResult(
        task=task,
        seed=seed,
        instruction=goal.instruction,
        success=end == "success",
        end=end,
        duration_s=rig.time_ns * 1e-9,
        plans=episode.plans,
        no_plans=episode.no_plans,
        rejections=dict(episode.rejections),
        refusals=dict(episode.refusals),
        latency_s=dict(episode.latency_s),
        disturbed=rig.disturbed,
    )


@dataclass
class _Episode:
    """What changes in the course of an episode."""

    stack: Stack
    rig: SimulatedRig
    seed: int
    watch: Watcher | None
    chooser: Chooser | None
    plans: int = 0
    no_plans: int = 0
    rejections: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    latency_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        spec = self.stack.world_model.spec
        self.dt = spec.dt
        self.history = ObservationHistory(spec.dt, spec.context_frames)
        self.executor = Executor(self.stack.robot, self.stack.config.executor)
        self.commands: deque[Command] = deque()
        self.observation = self._look()

    def plan(self, goal: Goal) -> bool:
        """Make a plan on the newest frames and hand it to the executor; False when there is none.

        Without a new plan the old one goes on to its end, which was accepted when it was made.
        """
        window = self.history.window()
        if window is None:
            return False
        generator = np.random.default_rng([self.seed, window.newest_stamp_ns])
        report = self._choose(self.stack.planner.plan(window, goal, generator))
        self.rejections.update(report.rejections)
        for stage, seconds in report.latency_s.items():
            self.latency_s[stage].append(seconds)
        self.latency_s["total"].append(sum(report.latency_s.values()))
        if self.watch:
            self.watch(self.observation, report)
        if not isinstance(report.plan, Plan):
            self.no_plans += 1
            return False
        joints, width = self.observation.joint_position, self.observation.gripper_width
        self.executor.see_joints(joints, width, self.rig.time_ns)
        refusal = self.executor.set_plan(report.plan, self.rig.time_ns)
        if refusal:
            self.refusals[refusal] += 1
            return False
        self.plans += 1
        return True

    def step(self) -> None:
        """Let one frame's time pass, with the executor at its own rate, and look."""
        seen = self.observation
        joints, width = seen.joint_position, seen.gripper_width
        self.commands.extend(act(self.executor, self.rig, joints, width, self.dt))
        self.observation = self._look()
        if self.watch:
            self.watch(self.observation, None)

    def _choose(self, report: PlanReport) -> PlanReport:
        if self.chooser is None or not isinstance(report.plan, Plan):
            return report
        here = partial(Trials, self.stack, self.rig, self.executor)
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
