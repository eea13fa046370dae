"""What run folders hold: datasets, evaluations, demos and replays."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wm_planner.assembly import StackConfig, load_bundles, open_world_model
from wm_planner.bundle import WORLD_MODEL
from wm_planner.commands.demo_report.recording import Recording, read_recording
from wm_planner.commands.labelling.futures import (
    DREAMED,
    RECORDED,
    Future,
    Run,
    recorded_futures,
)
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import DataError
from wm_planner.robot.rig_description import find_rig
from wm_planner.world_models.world_model import WorldModel

Decode = Callable[[np.ndarray, str, np.ndarray | None], np.ndarray]
"""Latents, the bundle's hash and the frame that they go on from, to pictures."""


class Decoder:
    """The configured world model, loaded when the first dream is looked at."""

    def __init__(self, config: StackConfig) -> None:
        self._config = config

    def __call__(
        self, latents: np.ndarray, bundle_hash: str, scene: np.ndarray | None
    ) -> np.ndarray:
        """Decode latents (n, ...) of that bundle into pictures (n, h, w, 3).

        Args:
            latents: of a dream.
            bundle_hash: of the world model that dreamed it.
            scene: the frame that it goes on from, None where that is unknown.
        """
        loaded = self._model.spec.bundle_hash
        if bundle_hash != loaded:
            raise DataError(
                f"dreams are of world model {bundle_hash[:12]}, loaded is {loaded[:12]}: name the "
                "one they were dreamed with, --world-model"
            )
        return self._model.decode(latents.astype(np.float32), scene)

    @functools.cached_property
    def _model(self) -> WorldModel:
        bundles = load_bundles(self._config, find_rig(self._config.rig))
        return open_world_model(self._config, bundles[WORLD_MODEL])


def open_run(folder: Path, camera: str, camera_topic: str, decode: Decode) -> Run:
    """Open a folder as what it is.

    Args:
        folder: of a dataset, of `evaluate --record`, of a demo or of a replay.
        camera: that a dataset's futures are seen through.
        camera_topic: the same in bags.
        decode: of dreams.
    """
    if (folder / "meta" / "info.json").exists():
        return DatasetRun(folder, camera)
    if (folder / "report.json").exists() and (folder / "bags").is_dir():
        bags = {path.parent.name: path for path in sorted(folder.glob("bags/*/bag"))}
        return BagRun(folder, bags, camera_topic, "/replay/planner/plan", decode)
    if (folder / "metadata.json").exists() and (folder / "bag").is_dir():
        return BagRun(folder, {folder.name: folder / "bag"}, camera_topic, "/planner/plan", decode)
    if any(folder.glob("*.npz")):
        return EvaluationRun(folder, decode)
    raise DataError(
        f"{folder}: is no dataset (meta/info.json), no demo (metadata.json, bag), no replay "
        "(report.json, bags) and has no episodes (*.npz) of evaluate --record-dreams"
    )


class DatasetRun:
    """Recorded episodes, by number."""

    def __init__(self, folder: Path, camera: str) -> None:
        self._folder, self._camera = folder, camera
        self._data = LeRobotDataset(folder)

    def futures(self) -> list[Future]:
        """Return those of episodes in which something was asked for."""
        data, found = self._data, []
        lengths = np.diff(data.episode_offsets)
        for e in range(len(data)):
            if data.instruction[e] and data.kind[e] not in ("stills", "play"):
                found += recorded_futures(
                    self._folder, str(e), int(lengths[e]), str(data.task[e]),
                    str(data.instruction[e]), bool(data.success[e]),
                )  # fmt: skip
        return found

    def pictures(self, what: str, episode: str, at: tuple[int, int]) -> np.ndarray:
        """Return the frames of one."""
        if not episode.isdigit() or int(episode) >= len(self._data):
            raise DataError(f"{self._folder}: no episode {episode!r}, it has {len(self._data)}")
        return np.array(self._data.frames(self._camera, int(episode))[at[0] : at[1] + 1])


class EvaluationRun:
    """Episodes of `evaluate --record-dreams`, by file name: what happened, and what might have."""

    def __init__(self, folder: Path, decode: Decode) -> None:
        self._folder, self._decode = folder, decode

    def futures(self) -> list[Future]:
        """Return recorded ones, and all candidates of all plans."""
        found = []
        for path in sorted(self._folder.glob("*.npz")):
            arrays = self._read(path.name)
            task, asked = str(arrays["task"]), str(arrays["instruction"])
            if not asked:
                continue
            found += recorded_futures(
                self._folder, path.name, len(arrays["stamp_ns"]), task, asked,
                bool(arrays["success"]),
            )  # fmt: skip
            scores = arrays.get("total_score", np.zeros((0, 0)))
            found += [
                Future(self._folder, DREAMED, path.name, (plan, k), task, asked,
                       f"{self._folder.resolve()}/{path.name}/{plan}")
                for plan, row in enumerate(scores) for k in range(len(row))
            ]  # fmt: skip
        return found

    def pictures(self, what: str, episode: str, at: tuple[int, int]) -> np.ndarray:
        """Return the frames of one."""
        arrays = self._read(episode)
        if what == RECORDED:
            return arrays["frames"][at[0] : at[1] + 1]
        dreams = arrays["dreams"]
        if not (0 <= at[0] < len(dreams) and 0 <= at[1] < dreams.shape[1]):
            raise DataError(f"{self._folder / episode}: no plan {at[0]}, candidate {at[1]}")
        began = np.flatnonzero(arrays["stamp_ns"] == arrays["plan_stamp_ns"][at[0]])
        scene = arrays["frames"][began[0]] if len(began) else None
        return self._decode(dreams[at[0], at[1]], str(arrays["bundle_hash"]), scene)

    def _read(self, name: str) -> dict[str, np.ndarray]:
        path = self._folder / name
        try:
            with np.load(path, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error


class BagRun:
    """A demo's bag, or the bags of a replay: what the camera saw, and the chosen dreams.

    Plans of two replays on the same frame of the same bag can be compared.
    """

    def __init__(
        self, folder: Path, bags: dict[str, Path], camera_topic: str, plans: str, decode: Decode
    ) -> None:
        self._folder, self._bags, self._decode = folder, bags, decode
        self._camera_topic, self._plans_topic = camera_topic, plans
        path = folder / "metadata.json"
        self._facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def futures(self) -> list[Future]:
        """Return those of demos that were recorded, and chosen dreams."""
        found = []
        task, asked = (str(self._facts.get(key) or "") for key in ("task", "instruction"))
        for name in self._bags:
            recording, frames, told = self._read(name)
            asked = asked or told
            if not asked:
                continue
            if "success" in self._facts:
                found += recorded_futures(
                    self._folder, name, len(frames), task, asked, bool(self._facts["success"])
                )
            found += [
                Future(self._folder, DREAMED, name, (n, plan.candidate), task, asked,
                       f"{name} at {plan.start_ns}")
                for n, plan in enumerate(recording.plans)
            ]  # fmt: skip
        return found

    def pictures(self, what: str, episode: str, at: tuple[int, int]) -> np.ndarray:
        """Return the frames of one."""
        if episode not in self._bags:
            known = ", ".join(self._bags)
            raise DataError(f"{self._folder}: no bag {episode!r}, it has {known}")
        recording, frames, _ = self._read(episode)
        plans = recording.plans
        if what == RECORDED:
            return np.stack(frames[at[0] : at[1] + 1])
        if not 0 <= at[0] < len(plans):
            raise DataError(f"{self._bags[episode]}: no plan {at[0]}, it has {len(plans)}")
        plan = plans[at[0]]
        return self._decode(plan.dream, plan.bundle_hash, recording.scene_of(plan))

    @functools.lru_cache(maxsize=4)  # noqa: B019  # a run lives as long as the command
    def _read(self, name: str) -> tuple[Recording, list[np.ndarray], str]:
        recording = read_recording(self._bags[name], self._camera_topic, self._plans_topic)
        told = [message.instruction for _, message in recording.progress if message.instruction]
        step = _frames_a_step(recording)
        frames = [picture for _, picture in recording.frames[::step]]
        return recording, frames, (told[0] if told else "")


def _frames_a_step(recording: Recording) -> int:
    """How many of the camera's frames pass between two of a dream: heads know its pace alone."""
    if not recording.plans or len(recording.frames) < 2:
        return 1
    period_s = float(np.median(np.diff([stamp for stamp, _ in recording.frames]))) * 1e-9
    dt = min(plan.dt for plan in recording.plans)  # others may have been slowed down
    return max(1, round(dt / max(period_s, 1e-3)))
