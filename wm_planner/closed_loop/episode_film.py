"""A video of an episode: what the camera saw, what was asked for, what happened and the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.films import page, write_film
from wm_planner.planner import PlanReport
from wm_planner.types import Observation, Plan

SCALE = 2  # film pixels a side for each of the camera's


class EpisodeFilm:
    """Watches an episode, as `run_episode` lets it, and writes what it saw.

    Args:
        camera: through which the planner looks.
    """

    def __init__(self, camera: str) -> None:
        self._camera, self._thought = camera, "no plan yet"
        self._frames: dict[int, tuple[np.ndarray, str]] = {}  # by stamp: picture, thought
        self._plans = 0

    def __call__(self, observation: Observation, report: PlanReport | None) -> None:
        """Keep a frame; a report is about the frame it was made on."""
        if report:
            self._plans += isinstance(report.plan, Plan)
            reasons = ", ".join(f"{name} {count}" for name, count in report.rejections.items())
            planned = f"plan {self._plans}" if isinstance(report.plan, Plan) else "no plan"
            self._thought = planned + (f"; rejected: {reasons}" if reasons else "")
        picture = observation.images[self._camera]
        self._frames[observation.stamp_ns] = picture, self._thought

    def write(self, folder: Path, result: EpisodeResult, dt: float) -> Path:
        """Write an mp4 at the pace of the episode, named after task, seed and end.

        Args:
            folder: is made.
            result: of the episode.
            dt: spacing of frames, s.
        """
        asked = f"“{result.instruction}”" if result.instruction else "nothing asked"
        lines = [
            f"{result.task}, seed {result.seed}: {asked}",
            f"ends with {result.end} after {result.duration_s:.1f} s",
        ]
        path = folder / f"{result.task}_{result.seed}_{result.end.replace(' ', '_')}.mp4"
        pages = (
            page([[picture]], captions=[*lines, f"{stamp * 1e-9:4.1f} s, {thought}",
                                        _disturbed(result, stamp * 1e-9)], scale=SCALE)
            for stamp, (picture, thought) in self._frames.items()
        )  # fmt: skip
        write_film(path, pages, 1 / dt)
        return path


def _disturbed(result: EpisodeResult, now_s: float) -> str:
    """What had gone wrong by then, "" for nothing."""
    disturbed = result.disturbed
    if disturbed is None or disturbed.time_s is None or now_s < disturbed.time_s:
        return ""
    what = disturbed.what if disturbed.applied else f"not applied, {disturbed.reason}"
    return f"{disturbed.kind} at {disturbed.time_s:.1f} s: {what}"
