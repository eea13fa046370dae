"""The planner: imagine, invert, judge, score, choose; what is rejected is dreamed anew."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wm_planner import actions
from wm_planner.errors import BundleError
from wm_planner.filters.filter import Filter, JudgingContext
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.planner.candidate_plan import candidate_plan
from wm_planner.planner.candidates import Candidates
from wm_planner.planner.committed_steps import go_on_from
from wm_planner.planner.plan_report import (
    PlanReport,
    Round,
    rejection_reasons,
    tell_rejections,
)
from wm_planner.planner.readable_frames import check_readable, readable_frames
from wm_planner.planner.regeneration import restart
from wm_planner.planner.search import GIVEN, MotionSearch, SearchSettings, bend
from wm_planner.planner.stage_timer import StageTimer
from wm_planner.robot.robot_model import RobotModel
from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.settings import setting
from wm_planner.types import (
    ActionChunks,
    Goal,
    HandPoses,
    Need,
    NoPlan,
    ObservationWindow,
    Plan,
    Resimulation,
    Restart,
    Rollouts,
    Scores,
    StartState,
)
from wm_planner.world_models.world_model import WorldModel


@dataclass(frozen=True)
class PlannerSettings(SearchSettings):
    """How a plan is made, and how much of it is carried out."""

    candidates: int = setting(8, minimum=1, maximum=256, help="Dreams per plan.")
    execute_steps: int = setting(4, minimum=1, maximum=256, help="Steps before looking again.")
    slowdown_cost: float = setting(
        1.0, minimum=0.0, maximum=1000.0,
        help="Score that a plan loses where filters ask for twice the time; in proportion else.",
    )  # fmt: skip
    regeneration_rounds: int = setting(
        2, minimum=0, maximum=10, help="How often rejected dreams are replaced before giving up."
    )
    regeneration_below: int = setting(
        1, minimum=1, maximum=256, help="Accepted dreams below which rejected ones are replaced."
    )
    regeneration_time: float = setting(
        0.5, unit="s", minimum=0.0, maximum=60.0,
        help="Age of a plan at which no round of replacing begins any more; 0 for no such limit.",
    )  # fmt: skip

    @property
    def motions(self) -> int:
        """How many motions a batch of a search has."""
        return self.search_samples or self.candidates

    def problems(self) -> list[str]:
        """Some motions of a search must be new ones."""
        if self.search == "none" or self.motions > GIVEN:
            return []
        name = "search_samples" if self.search_samples else "candidates"
        return [
            f"{name} is {self.motions}, expected more than {GIVEN} for search {self.search}: so "
            "many motions of a batch are known already; set search_samples"
        ]


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
        """Put the parts together; `clock` returns seconds, for latencies and the time limit."""
        check_readable(world_model, inverse_dynamics.spec)
        self.world_model, self.inverse_dynamics, self.robot = world_model, inverse_dynamics, robot
        self.filters, self.scorers = tuple(filters), tuple(scorers)
        self.settings = settings or PlannerSettings()
        self._clock, self._plan_ids = clock, itertools.count(1)

    def plan(
        self,
        window: ObservationWindow,
        goal: Goal,
        generator: np.random.Generator,
        committed: HandPoses | None = None,
    ) -> PlanReport:
        """Return the best accepted candidate as a Plan, or NoPlan when all were rejected.

        Args:
            window: the newest T frames.
            goal: what to reach.
            generator: source of all randomness.
            committed: where the hands will be told to be on the first d < H steps whatever is
                planned now, leading axis d; None where nothing is decided yet.
        """
        begun_s, timer = self._clock(), StageTimer(self._clock)
        with timer("encode"):
            scene = window.images[self.world_model.spec.camera][-1]
            newest = self.world_model.look(scene[None])
        hands = self.robot.hand_poses(window.newest_joint_position, window.newest_gripper_width)
        seen = _Seen(window, goal, scene, newest, hands, committed, generator, timer)
        candidates = self._imagine(seen, self.settings.candidates)
        rounds = [self._judge(seen, candidates)]
        while self._worth_another(rounds, begun_s):
            rows = np.flatnonzero(rounds[-1].rejected)
            again = restart(candidates.rollouts, rounds[-1].verdicts, rows, len(rounds))
            candidates = candidates.replaced(rows, self._imagine(seen, len(rows), again))
            rounds.append(self._judge(seen, candidates))
        if self.settings.search != "none" and not rounds[-1].rejected.all():
            rounds.append(self._search(seen, rounds[-1]))
        return PlanReport(self._decide(rounds), tuple(rounds), timer.seconds)

    def _worth_another(self, rounds: Sequence[Round], begun_s: float) -> bool:
        """Whether too little was accepted, and rounds and time are left."""
        settings, rejected = self.settings, rounds[-1].rejected
        if not rejected.any() or (~rejected).sum() >= settings.regeneration_below:
            return False
        limit_s = settings.regeneration_time or np.inf
        return len(rounds) <= settings.regeneration_rounds and self._clock() - begun_s < limit_s

    def _imagine(self, seen: _Seen, count: int, again: Restart | None = None) -> Candidates:
        """Dream, read the actions off the dreams, and simulate them where anyone asks for it."""
        model = self.world_model
        with seen.timer("imagine"):
            rollouts = model.imagine(
                seen.window, seen.goal, count, seen.generator, seen.committed, again
            )
        with seen.timer("invert"):
            chunks = go_on_from(seen.committed, self._invert(seen, rollouts), seen.hands)
        if not self._need:
            return self._candidates(seen, rollouts, chunks, None)
        with seen.timer("resimulate"):
            simulated = model.simulate(seen.window, seen.hands, chunks, seen.generator)
        return self._candidates(seen, rollouts, chunks, simulated)

    def _search(self, seen: _Seen, found: Round) -> Round:
        """Simulate motions near the best candidate's, each batch nearer to the good ones.

        Its own motion is simulated with them: only then are their scores to be compared.
        """
        proposal = int(np.nanargmax(found.total_score))
        first, search = found.candidates.chunks, MotionSearch(self.settings)
        targets = actions.integrate(seen.hands, first.actions[proposal])
        count = self.settings.motions
        variance = np.broadcast_to(first.variance[proposal], (count, *first.variance.shape[1:]))
        judged = found
        for _ in range(self.settings.search_iterations):
            offsets = search.ask(count, seen.generator)
            moved = actions.difference(seen.hands, bend(targets, offsets))
            chunks = replace(first, actions=moved, variance=variance)
            chunks = go_on_from(seen.committed, chunks, seen.hands)
            with seen.timer("search"):
                args = (seen.window, seen.hands, chunks, seen.generator)
                rollouts = self.world_model.simulate(*args)
            judged = self._judge(seen, self._candidates(seen, rollouts, chunks, rollouts))
            search.tell(offsets, judged.total_score)
        return found if judged.rejected.all() else judged

    def _candidates(
        self, seen: _Seen, rollouts: Rollouts, chunks: ActionChunks, simulated: Rollouts | None
    ) -> Candidates:
        """Put together what belongs to dreams and their actions."""
        with seen.timer("kinematics"):
            joints = seen.window.newest_joint_position
            trajectories = self.robot.trajectories(chunks, seen.hands, joints)
        again, need = None, self._need
        if simulated is not None and need:
            with seen.timer("resimulate"):
                inverted = self._invert(seen, simulated) if need >= Need.CHUNKS else None
            again = Resimulation(rollouts, simulated, seen.newest[0], inverted)
        return Candidates(rollouts, chunks, trajectories, again, seen.decided)

    @property
    def _need(self) -> Need:
        needs = [one.needs for one in self.filters] + [one.needs for one in self.scorers]
        return max(needs, default=Need.NOTHING)

    def _invert(self, seen: _Seen, rollouts: Rollouts) -> ActionChunks:
        """Read actions off dreams, each with the newest observed frame in front."""
        observed = np.repeat(seen.newest[None], len(rollouts.latents), axis=0)
        latents = np.concatenate([observed, rollouts.latents.astype(np.float32)], axis=1)
        spec = self.inverse_dynamics.spec
        frames = readable_frames(self.world_model, spec, latents, seen.scene)
        loaded, origin = self.world_model.spec.bundle_hash, rollouts.bundle_hash
        chunks = self.inverse_dynamics.invert(
            frames, seen.hands, rollouts.dt, rollouts.start_ns, origin, seen.generator
        )
        for name, got in (("rollouts", origin), ("action chunks", chunks.bundle_hash)):
            if got != loaded:  # another model's latents mean something else
                raise BundleError(f"{name} come from world model {got}, loaded is {loaded}")
        return chunks

    def _judge(self, seen: _Seen, made: Candidates) -> Round:
        """Ask all filters and all scorers about all candidates."""
        chunks, again, window = made.chunks, made.resimulation, seen.window
        with seen.timer("filter"):
            start = StartState(window.newest_joint_position, window.joint_velocity[-1])
            judging = JudgingContext(chunks, made.trajectories, start, again, seen.goal)
            judged = (judge.judge(judging) for judge in self.filters)
            verdicts = tuple(itertools.chain.from_iterable(judged))
        with seen.timer("score"):
            steps, model = self.settings.execute_steps, self.world_model
            scoring = ScoringContext(
                made.rollouts, chunks, seen.goal, model, steps, again, seen.scene
            )
            slower = np.max([v.slowdown for v in verdicts], axis=0, initial=1.0) - 1.0
            pace = Scores("pace", np.full(len(made), -self.settings.slowdown_cost) * slower)
            scores = (*(scorer.score(scoring) for scorer in self.scorers), pace)
        total = sum((s.contribution for s in scores), np.zeros(len(made)))
        reasons = rejection_reasons(verdicts, total)
        total[[reason != "" for reason in reasons]] = np.nan
        return Round(made, verdicts, scores, total, tuple(reasons))

    def _decide(self, rounds: Sequence[Round]) -> Plan | NoPlan:
        """Return the best of the last round, or why there is none."""
        last = rounds[-1]
        made = last.candidates
        if last.rejected.all():
            return NoPlan(made.rollouts.start_ns, tell_rejections(rounds), last.verdicts)
        best = int(np.nanargmax(last.total_score))
        return candidate_plan(best, next(self._plan_ids), made, last.verdicts)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What stays the same while one plan is made.

    Attributes:
        scene: the newest frame, (h, w, 3) uint8.
        newest: its latent, (1, *latent_shape).
        hands: measured at that frame.
        committed: targets of the steps that are decided, or None.
    """

    window: ObservationWindow
    goal: Goal
    scene: np.ndarray
    newest: np.ndarray
    hands: HandPoses
    committed: HandPoses | None
    generator: np.random.Generator
    timer: StageTimer

    @property
    def decided(self) -> int:
        """How many steps are decided."""
        return 0 if self.committed is None else self.committed.lead[0]
