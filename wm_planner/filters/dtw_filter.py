"""The DTW filter: candidates that move unlike what they should resemble.

Three comparisons, each on where it is asked for: with what the world model shows the hands doing
under the candidate's own actions, with demonstrations of the task, and with the other candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wm_planner import actions
from wm_planner.errors import ConfigurationError, ShapeError
from wm_planner.filters.dtw.alignment import first_step_apart
from wm_planner.filters.dtw.consensus import to_medoid, to_nearest
from wm_planner.filters.dtw.demonstration_library import DemonstrationLibrary, load_library
from wm_planner.filters.dtw.hand_distance import Weights, distances, step_costs
from wm_planner.filters.filter import Filter, JudgingContext
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import setting
from wm_planner.types import (
    HANDS,
    ActionChunks,
    HandPoses,
    Need,
    RejectionReason,
    StartState,
    Verdicts,
)


@dataclass(frozen=True)
class DtwFilterSettings:
    """What is compared and how far apart it may be."""

    band: int = setting(2, minimum=0, maximum=256, help="largest shift in time, steps", fixed=True)
    position_weight: float = setting(
        1.0, unit="m/m", minimum=0.0, maximum=100.0, help="what a difference in position counts",
        fixed=True,
    )  # fmt: skip
    rotation_weight: float = setting(
        0.1, unit="m/rad", minimum=0.0, maximum=100.0, help="what a difference in rotation counts",
        fixed=True,
    )  # fmt: skip
    width_weight: float = setting(
        1.0, unit="m/m", minimum=0.0, maximum=100.0, help="what a difference in width counts",
        fixed=True,
    )  # fmt: skip
    resimulation: bool = setting(
        False,
        help="compare with the hand trajectory read off the re-simulated actions",
        fixed=True,
    )
    reference_limit: float = setting(
        0.05, unit="m", minimum=0.0, maximum=10.0, help="largest distance to that trajectory"
    )
    demonstrations: str = setting(
        "", help="file of `wm-planner library` to compare with; empty for none", fixed=True
    )
    demonstrations_task: str = setting(
        "",
        help="only demonstrations of this task; empty for the one that the instruction asks for, "
        "and for all where the file knows no such",
        fixed=True,
    )
    demonstrations_limit: float = setting(
        0.0,
        unit="m",
        minimum=0.0,
        maximum=10.0,
        help="largest distance to the nearest demonstration; 0 for the one the file was made with",
    )
    consensus: bool = setting(False, help="compare the candidates with each other")
    consensus_neighbours: int = setting(
        3, minimum=0, maximum=256, help="mean distance to so many others; 0: to the medoid"
    )
    consensus_limit: float = setting(
        0.05, unit="m", minimum=0.0, maximum=10.0, help="largest distance to the other candidates"
    )


class DtwFilter(Filter):
    """Compares hand trajectories; see `hand_distance` for what a distance is."""

    name = "dtw"

    def __init__(self, robot: RobotModel, settings: DtwFilterSettings | None = None) -> None:
        """Read the library, if there is one, and check that it belongs to the robot."""
        self.robot, self.settings = robot, settings or DtwFilterSettings()
        chosen = self.settings
        self.weights = Weights(chosen.position_weight, chosen.rotation_weight, chosen.width_weight)
        self.needs = Need.CHUNKS if chosen.resimulation else Need.NOTHING
        first_step_apart(np.zeros((2, 2)), 1, 0.0)  # compiles, so that no plan waits for it
        self._library = None
        self._known: dict[str, _Known] = {}
        if chosen.demonstrations:
            self._library = load_library(Path(chosen.demonstrations))
            self._library.of_task(chosen.demonstrations_task)
            self._check(chosen)
        self.needs_goal = self._library is not None and not chosen.demonstrations_task

    def judge(self, context: JudgingContext) -> tuple[Verdicts, ...]:
        chunks, start = context.chunks, context.start
        poses = self.targets(chunks, start)
        verdicts = []
        if self.settings.resimulation:
            seen = context.resimulation
            assert seen is not None and seen.chunks is not None  # as this filter `needs`
            verdicts.append(self.judge_against(poses, self.targets(seen.chunks, start)))
        if self._library is not None:
            task = self.settings.demonstrations_task
            task = task or self._library.task_of(context.goal.instruction)
            verdicts.append(self._demonstrations(poses, chunks.dt, self._of_task(task)))
        if self.settings.consensus:
            verdicts.append(self._consensus(poses))
        return tuple(verdicts)

    def targets(self, chunks: ActionChunks, start: StartState) -> HandPoses:
        """Return where the candidates lead the hands, leading axes (K, H)."""
        hands = self.robot.hand_poses(start.joint_position, np.zeros(2))
        with np.errstate(invalid="ignore", over="ignore"):
            return actions.integrate(hands, chunks.actions)

    def judge_against(self, poses: HandPoses, reference: HandPoses) -> Verdicts:
        """Compare each candidate with the trajectory that it should have, such as a re-simulated
        one.

        Args:
            poses: leading axes (K, H).
            reference: one a candidate, leading axes (K, H).
        """
        if poses.lead != reference.lead:
            raise ShapeError(f"dtw filter: candidates {poses.lead}, references {reference.lead}")
        measured = self._distances(poses, reference).max(axis=1)
        reason, limit = RejectionReason.FAR_FROM_REFERENCE, self.settings.reference_limit
        own = np.arange(len(measured))
        return self._verdict(reason, measured, limit, poses, reference, own)

    def _of_task(self, task: str) -> _Known:
        """Return a task's demonstrations, unpacked once."""
        assert self._library is not None
        if task not in self._known:
            part = self._library.of_task(task)
            self._known[task] = _Known(part, part.poses, part.card.limit[task])
        return self._known[task]

    def _demonstrations(self, poses: HandPoses, dt: float, demonstrated: _Known) -> Verdicts:
        library, known, chosen = demonstrated.library, demonstrated.poses, self.settings
        card = library.card
        if known.lead[1] != poses.lead[1] or abs(card.dt - dt) > 1e-6:
            raise ShapeError(
                f"dtw filter: {chosen.demonstrations} has windows of {known.lead[1]} steps of "
                f"{card.dt} s, candidates have {poses.lead[1]} of {dt} s: build the library again"
            )
        apart = self._distances(poses[:, None], known).max(axis=2)  # (K, N)
        nearest = apart.argmin(axis=1)
        measured = apart[np.arange(len(apart)), nearest]
        limit = chosen.demonstrations_limit or demonstrated.limit
        reason = RejectionReason.FAR_FROM_DEMONSTRATIONS
        verdict = self._verdict(reason, measured, limit, poses, known, nearest)
        where = tuple(
            f"{hand} (nearest: {library.task[n]}, episode {library.episode[n]})"
            for hand, n in zip(verdict.where, nearest, strict=True)
        )
        return replace(verdict, where=where)

    def _consensus(self, poses: HandPoses) -> Verdicts:
        apart = self._distances(poses[:, None], poses).max(axis=2)  # (K, K)
        count = self.settings.consensus_neighbours
        measured, partner = to_nearest(apart, count) if count else to_medoid(apart)
        reason, limit = RejectionReason.FAR_FROM_CONSENSUS, self.settings.consensus_limit
        return self._verdict(reason, measured, limit, poses, poses, partner)

    def _distances(self, one: HandPoses, other: HandPoses) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            return distances(one, other, self.weights, self.settings.band)

    def _verdict(
        self,
        reason: RejectionReason,
        measured: np.ndarray,
        limit: float,
        poses: HandPoses,
        others: HandPoses,
        partner: np.ndarray,
    ) -> Verdicts:
        """Say which hand is further from its partner (K,) among the others, and from when on."""
        others = others[partner]
        hand = self._distances(poses, others).argmax(axis=1)
        step = np.full(len(measured), -1)
        for k in np.flatnonzero(~np.less_equal(measured, limit)):
            costs = step_costs(poses[k], others[k], self.weights)[hand[k]]
            step[k] = first_step_apart(costs, self.settings.band, limit)
        where = tuple(HANDS[side] for side in hand)
        return Verdicts(self.name, reason, measured, limit, "m", where, step)

    def _check(self, chosen: DtwFilterSettings) -> None:
        assert self._library is not None
        card, rig = self._library.card, self.robot.rig.name
        if card.rig != rig:
            raise ConfigurationError(f"{chosen.demonstrations}: is of rig {card.rig}, not {rig}")
        same = card.weights == self.weights and card.band == chosen.band
        if not (same or chosen.demonstrations_limit):
            raise ConfigurationError(
                f"{chosen.demonstrations}: its limits are for band {card.band} and {card.weights}, "
                f"configured are {chosen.band} and {self.weights}: build it again, or set "
                "demonstrations_limit"
            )


@dataclass(frozen=True, eq=False)
class _Known:
    """Demonstrations of one task, or of all.

    Attributes:
        library: what they are.
        poses: the same, leading axes (N, H).
        limit: that was calibrated for them, m.
    """

    library: DemonstrationLibrary
    poses: HandPoses
    limit: float
