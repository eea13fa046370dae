"""Other people's recordings as datasets of this project, whatever a part of them lacks.

Nothing that is wrong with one recording ends an import: it is repaired or skipped, and said.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.datasets.origin import Origin
from wm_planner.datasets.recording import Recording, Source
from wm_planner.datasets.resampling import frame_times, make_episode, phases_of
from wm_planner.datasets.splitting import SETS, check_shares, place
from wm_planner.errors import DataError, WmPlannerError
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import setting


@dataclass(frozen=True)
class ImportSettings:
    """How recordings become episodes."""

    fps: int = setting(5, "Hz", 1, 100, "frames a second to keep")
    phases: int = setting(
        1, minimum=1, maximum=100, help="episodes to make of each recording, a picture apart"
    )
    height: int = setting(96, "px", 8, 4096, "of the pictures")
    width: int = setting(128, "px", 8, 4096, "of the pictures")


@dataclass
class Tally:
    """What an import came to.

    Attributes:
        recordings: used, by the dataset they went to.
        repaired: how many of them had something wrong with them.
        skipped: how many could not be used.
    """

    recordings: dict[str, int]
    repaired: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class _Candidate:
    source: Source
    key: str
    name: str


def import_recordings(
    sources: Sequence[Source],
    root: Path,
    robot: RobotModel,
    settings: ImportSettings,
    origin: tuple[str, str],
    split: Sequence[float] | None = None,
    say: Callable[[str], None] = lambda line: None,
    done: Callable[[int, int], None] = lambda count, total: None,
) -> Tally:
    """Write one dataset, or one for each of `SETS` that gets a recording.

    Args:
        sources: of recordings, in the order of their episodes.
        root: folder of the dataset, or of the datasets where they are split; must not exist.
        robot: its rig file says what the recorded joints are called.
        settings: how.
        origin: where the recordings were published, and their licence.
        split: shares of `SETS`; None for one dataset.
        say: told, a line each, what was repaired and skipped.
        done: told how many of how many recordings are done.

    Raises:
        DataError: no recording could be used.
    """
    if split is not None:
        check_shares(split)
    tally = Tally({})
    usable = list(_usable(sources, settings, tally, say))
    placed = [""] * len(usable) if split is None else place([c.name for c in usable], split)
    folders = sorted(set(placed), key=lambda name: (*SETS, "").index(name))
    count = itertools.count(1)
    for folder in folders:
        target = root / folder
        begin(target)
        names: list[str] = []
        for candidate in (c for c, where in zip(usable, placed, strict=True) if where == folder):
            try:
                _write(candidate, target, len(names), robot, settings)
                names.append(candidate.name)
            except WmPlannerError as error:
                tally.skipped += 1
                say(f"skipped: {candidate.name}: {error}")
            done(next(count), len(usable))
        if names:
            source, licence = origin
            finish(
                target,
                robot.rig.name,
                settings.fps,
                Origin(source, licence, tuple(names), settings.phases),
            )
            tally.recordings[folder] = len(names)
    if not tally.recordings:
        raise DataError(f"nothing could be used: {tally.skipped} recordings skipped")
    return tally


def _usable(
    sources: Sequence[Source],
    settings: ImportSettings,
    tally: Tally,
    say: Callable[[str], None],
) -> Iterator[_Candidate]:
    """The recordings that can be used as far as can be told without decoding pictures."""
    seen: dict[bytes, str] = {}
    names: dict[str, int] = {}
    for source in sources:
        for key in source.keys:
            name = f"{source.name}/{key}" if key else source.name
            names[name] = names.get(name, 0) + 1
            if names[name] > 1:  # folders of the same name
                name = f"{name} ({names[name]})"
            try:
                recording = source.read(key)
                most = phases_of(recording, settings.fps)
                for phase in range(settings.phases if most >= settings.phases else 0):
                    frame_times(recording, settings.fps, phase)
                if most < settings.phases:
                    raise DataError(f"has {most} pictures a frame, {settings.phases} phases wanted")
                same = seen.setdefault(_content(recording), name)
                if same != name:
                    raise DataError(f"has the same joints as {same}")
            except WmPlannerError as error:
                tally.skipped += 1
                say(f"skipped: {name}: {error}")
                continue
            tally.repaired += bool(recording.notes)
            for note in recording.notes:
                say(f"repaired: {name}: {note}")
            yield _Candidate(source, key, name)


def _content(recording: Recording) -> bytes:
    """Equal for the same motion, also where it was stored in another format."""
    moved = np.round(recording.measured.arms, 3) + 0.0  # no negative zeros
    return hashlib.sha256(moved.tobytes()).digest()


def _write(
    candidate: _Candidate, root: Path, shard: int, robot: RobotModel, settings: ImportSettings
) -> None:
    recording = candidate.source.read(candidate.key)
    size = settings.height, settings.width
    episodes = [
        make_episode(recording, robot, size, settings.fps, phase, shard * settings.phases + phase)
        for phase in range(settings.phases)
    ]
    write_shard(root, shard, episodes, settings.fps)
