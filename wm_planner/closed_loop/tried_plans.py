"""Plans all of whose accepted candidates were tried, kept whole: to judge them anew at any time.

Unlike `executability`, which notes what the planner said of each candidate, this keeps what it saw
and dreamed, and what the camera saw in the trials. Judges that nobody has thought of yet can be
compared on it without simulating again.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from wm_planner import actions
from wm_planner.assembly import Stack
from wm_planner.closed_loop.choosers import Chooser
from wm_planner.closed_loop.trials import Trials
from wm_planner.planner import PlanReport
from wm_planner.types import ActionChunks, HandPoses, ObservationWindow, Plan

DRAWS = 2  # re-simulations of every plan


@dataclass(frozen=True, eq=False)
class TriedPlan:
    """One plan; K candidates, H steps of which N were tried.

    Attributes:
        window: what the planner saw.
        latents: what it dreamed, (K, H, ...).
        actions: read off that, (K, H, 20).
        slowdown: how much slower they are carried out than dreamed, (K,); 1 where rejected.
        simulated: what the world model says of that, (DRAWS, K, H, ...).
        score: its sum by the planner's scorers, (K,); NaN where rejected.
        way_before: from the task's success before the trials, m.
        way_left: after each step, (K, N), m; NaN where rejected or refused by the executor.
        succeeded: whether the task was done then, (K, N).
        seen: camera images after the steps `PlanTester.looks`, (K, L, h, w, 3), uint8.
    """

    window: ObservationWindow
    latents: np.ndarray
    actions: np.ndarray
    slowdown: np.ndarray
    simulated: np.ndarray
    score: np.ndarray
    way_before: float
    way_left: np.ndarray
    succeeded: np.ndarray
    seen: np.ndarray

    @property
    def tried(self) -> np.ndarray:
        """Numbers of the candidates that were tried."""
        return np.flatnonzero(np.isfinite(self.way_left[:, 0]))

    def gained(self, steps: int) -> np.ndarray:
        """By how much the way to success was shorter after so many steps, (K,), m."""
        gained: np.ndarray = self.way_before - self.way_left[:, steps - 1]
        return gained


class PlanTester(Chooser):
    """Leaves the choice to the planner, and tries the accepted candidates of every n-th plan.

    Args:
        stack: what plans.
        every: n.
        looks: after how many steps the camera looks, rising; the last one ends a trial.

    Attributes:
        plans: what came of it.
    """

    def __init__(self, stack: Stack, every: int, looks: tuple[int, ...]) -> None:
        self.plans: list[TriedPlan] = []
        self._model = stack.world_model
        self._every, self._looks, self._asked = every, looks, 0

    def choose(self, report: PlanReport, trials: Callable[[], Trials], seed: int) -> int:
        """Return what the planner chose."""
        assert isinstance(report.plan, Plan)
        if self._asked % self._every == 0 and len(report.accepted) > 1:
            self.plans.append(self._try(report, trials(), seed))
        self._asked += 1
        return report.plan.candidate

    def _try(self, report: PlanReport, here: Trials, seed: int) -> TriedPlan:
        window, model = here.window, self._model
        count, steps = len(report.total_score), self._looks[-1]
        way, done = np.full((count, steps), np.nan), np.zeros((count, steps), bool)
        slowdown = np.ones(count)
        camera = window.images[model.spec.camera]
        seen = np.zeros((count, len(self._looks), *camera.shape[1:]), np.uint8)
        for k in report.accepted:
            plan = report.plan_of(int(k))
            slowdown[k] = plan.dt / report.rollouts.dt
            trial = here.run(plan, steps, looks=self._looks)
            if not trial.refusal:
                way[k], done[k], seen[k] = trial.way_left, trial.succeeded, trial.seen
        generator = np.random.default_rng([seed, window.newest_stamp_ns])
        chunks = carried_out(here.start, report.chunks, slowdown)
        again = [model.simulate(window, here.start, chunks, generator) for _ in range(DRAWS)]
        return TriedPlan(
            window=window,
            latents=report.rollouts.latents,
            actions=report.chunks.actions,
            slowdown=slowdown,
            simulated=np.stack([rollouts.latents for rollouts in again]),
            score=report.total_score,
            way_before=here.way_left,
            way_left=way,
            succeeded=done,
            seen=seen,
        )


def carried_out(start: HandPoses, chunks: ActionChunks, slowdown: np.ndarray) -> ActionChunks:
    """Return what the hands are told by each of the chunks' steps when all of it goes slower.

    Args:
        start: measured hands where the chunks begin.
        chunks: K of H steps.
        slowdown: factor of time, (K,), at least 1.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # what is rejected may be no number
        targets = actions.pack(actions.integrate(start, chunks.actions))  # (K, H, 20)
        count, steps = targets.shape[:2]
        first = np.broadcast_to(actions.pack(start), (count, 1, actions.ACTION_SIZE))
        path = np.concatenate([first, targets], axis=1)
        at = np.arange(1, steps + 1) / slowdown[:, None]  # (K, H)
        before = np.minimum(at.astype(int), steps - 1)
        share, rows = (at - before)[..., None], np.arange(count)[:, None]
        mixed = (1 - share) * path[rows, before] + share * path[rows, before + 1]
        slower = actions.difference(start, actions.unpack(mixed))
    return dataclasses.replace(chunks, actions=slower)


def save(path: Path, plans: Sequence[TriedPlan], facts: dict[str, Any]) -> None:
    """Write an episode's plans under another name, then rename.

    Args:
        path: an .npz file.
        plans: may be none.
        facts: of the episode, for `load`; numbers, booleans and texts.
    """
    arrays: dict[str, Any] = {"plans": len(plans), **{f"fact {k}": v for k, v in facts.items()}}
    for n, plan in enumerate(plans):
        for one in fields(plan):
            if one.name != "window":
                arrays[f"{n} {one.name}"] = getattr(plan, one.name)
        window = plan.window
        for one in fields(window):
            if one.name != "images":
                arrays[f"{n} window {one.name}"] = getattr(window, one.name)
        arrays |= {f"{n} image {camera}": frames for camera, frames in window.images.items()}
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)


def load(path: Path) -> tuple[list[TriedPlan], dict[str, Any]]:
    """Return the plans of a file and its facts."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}

    def begin(prefix: str) -> dict[str, Any]:
        found = {k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)}
        return {name: value.item() if value.ndim == 0 else value for name, value in found.items()}

    plans = []
    for n in range(int(arrays["plans"])):
        window = ObservationWindow(**begin(f"{n} window "), images=begin(f"{n} image "))
        own = {one.name for one in fields(TriedPlan)} - {"window"}
        parts = {name: value for name, value in begin(f"{n} ").items() if name in own}
        plans.append(TriedPlan(window=window, **parts))
    return plans, begin("fact ")
