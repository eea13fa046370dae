"""An episode as numbers: what the camera saw, and every candidate's dream, for `wm-planner label`.

One .npz a file, beside the episode's film; dreams are latents, some 10 kB each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from wm_planner import images
from wm_planner.closed_loop.episode_result import EpisodeResult
from wm_planner.planner import PlanReport
from wm_planner.types import Observation
from wm_planner.world_models.world_model import WorldModelSpec


class EpisodeRecord:
    """Watches an episode, as `run_episode` lets it, and writes what it saw.

    Args:
        spec: of the world model, whose camera and image size count.
    """

    def __init__(self, spec: WorldModelSpec) -> None:
        self._spec = spec
        self._frames: dict[int, np.ndarray] = {}  # by stamp
        self._reports: list[PlanReport] = []

    def __call__(self, observation: Observation, report: PlanReport | None) -> None:
        """Keep a frame, and the report on it."""
        picture = observation.images[self._spec.camera]
        self._frames[observation.stamp_ns] = images.fit(picture, *self._spec.image_size)
        if report:
            self._reports.append(report)

    def write(self, folder: Path, result: EpisodeResult) -> Path:
        """Write it under another name, then rename; named after task, seed and end.

        Args:
            folder: is made.
            result: of the episode.
        """
        arrays: dict[str, Any] = {
            "task": result.task, "instruction": result.instruction or "", "seed": result.seed,
            "success": result.success, "bundle_hash": self._spec.bundle_hash,
            "stamp_ns": np.array(list(self._frames), np.int64),
            "frames": np.stack(list(self._frames.values())),
        }  # fmt: skip
        if self._reports:
            arrays |= {
                "plan_stamp_ns": np.array([r.rollouts.start_ns for r in self._reports], np.int64),
                "dreams": np.stack([report.rollouts.latents for report in self._reports]),
                "total_score": np.stack([report.total_score for report in self._reports]),
            }
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{result.task}_{result.seed}_{result.end.replace(' ', '_')}.npz"
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(partial, path)
        return path
