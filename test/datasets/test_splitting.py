"""A dataset that is split: every episode is in one of the sets, whole and unchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from episodes import make_episode

from wm_planner.cli import main
from wm_planner.datasets.lerobot_index import finish
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.datasets.origin import Origin
from wm_planner.datasets.splitting import SETS

PER_FRAME = ("joint_position", "hand_pose", "hand_target", "action", "step_good", "object_position")
PER_EPISODE = ("task", "instruction", "kind", "success")


def dataset(root: Path, episodes: int, phases: int = 0) -> LeRobotDataset:
    """Episodes in shards of three; of imported recordings where there are phases."""
    for shard in range(0, episodes, 3):
        seeds = range(shard, min(shard + 3, episodes))
        made = [make_episode(seed, kind="play" if seed == 2 else "expert") for seed in seeds]
        write_shard(root, shard // 3, made, 5)
    names = tuple(f"can/{number}" for number in range(episodes // max(phases, 1)))
    finish(root, "rig", 5, Origin("example.org", "MIT", names, phases) if phases else None)
    return LeRobotDataset(root)


def split(data: LeRobotDataset, out: Path, *words: str) -> dict[str, LeRobotDataset]:
    assert main(["split", str(data.root), "--out", str(out), *words]) == 0
    return {name: LeRobotDataset(out / name) for name in SETS if (out / name).exists()}


def test_every_episode_is_in_one_set_as_it_was(tmp_path, capsys):
    data = dataset(tmp_path / "data", 10)
    parts = split(data, tmp_path / "out")
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 8, "validation": 1, "test": 1
    }  # fmt: skip
    assert f"{tmp_path / 'out' / 'train'}: 8 recordings" in capsys.readouterr().out
    assert sorted(seed for part in parts.values() for seed in part.seed) == list(range(10))
    for part in parts.values():
        assert (part.robot_type, part.fps, part.origin) == ("rig", 5, None)
        for number, seed in enumerate(part.seed):
            for name in PER_EPISODE:
                assert getattr(part, name)[number] == getattr(data, name)[seed]
            here, there = (
                slice(*d.episode_offsets[[n, n + 1]]) for d, n in ((part, number), (data, seed))
            )
            for name in PER_FRAME:
                np.testing.assert_array_equal(getattr(part, name)[here], getattr(data, name)[there])
            pictures = part.frames("head", number).astype(int) - data.frames("head", int(seed))
            assert np.abs(pictures).mean() < 2.0


def test_episodes_of_one_recording_stay_together_and_keep_their_names(tmp_path):
    parts = split(
        dataset(tmp_path / "data", 12, phases=2), tmp_path / "out", "--shares", "2", "1", "1"
    )
    names = [name for part in parts.values() for name in part.recording_names]
    assert sorted(names) == [f"can/{number}" for number in range(6)]
    for part in parts.values():
        assert part.origin is not None and part.origin.phases == 2
        recordings = [f"can/{seed // 2}" for seed in part.seed]
        assert recordings == [name for name in part.recording_names for _ in range(2)]


def test_the_same_command_splits_the_same_way_and_touches_nothing_that_is_there(tmp_path, capsys):
    data = dataset(tmp_path / "data", 6)
    first, second = (split(data, tmp_path / name, "--shares", "1", "1", "0") for name in "ab")
    assert set(first) == {"train", "validation"}
    for name, part in first.items():
        assert part.seed.tolist() == second[name].seed.tolist()
    words = ["split", str(data.root), "--out", str(tmp_path / "a")]
    assert main(words) == 2
    assert "exists: choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize("shares", [("0", "0", "0"), ("1", "-1", "1")])
def test_what_are_no_shares_is_refused_and_leaves_nothing(tmp_path, capsys, shares):
    data = dataset(tmp_path / "data", 3)
    words = ["split", str(data.root), "--out", str(tmp_path / "out"), "--shares", *shares]
    assert main(words) == 2
    assert "expected shares of train, validation, test" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
