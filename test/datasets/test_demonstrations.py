"""Demonstration libraries: what is in them, and that their limits hold for what was held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from episodes import make_fields

from wm_planner import actions
from wm_planner.cli import main
from wm_planner.datasets.demonstrations import HELD_OUT, LibrarySettings, make_library
from wm_planner.datasets.episode import Episode
from wm_planner.datasets.lerobot_index import begin, finish
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.lerobot_writer import write_shard
from wm_planner.errors import DataError
from wm_planner.filters.dtw.demonstration_library import ANY_TASK, load_library
from wm_planner.filters.dtw.hand_distance import Weights, distances

STEPS = 4
SETTINGS = LibrarySettings(steps=STEPS, false_rejections=0.2)


def episode(seed: int, task: str, **fields) -> Episode:
    made = make_fields(seed, task)
    good = np.ones(len(made["step_good"]), bool)
    return Episode.from_mapping({**made, "success": True, "step_good": good, **fields})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ten good episodes of two tasks, then some that nobody should imitate."""
    root = tmp_path_factory.mktemp("dataset")
    good = [episode(seed, "reach" if seed < 10 else "fold") for seed in range(20)]
    failed = episode(20, "reach", success=False)
    play = episode(21, "reach", kind="play")
    mistaken = episode(22, "reach", step_good=np.arange(len(make_fields(22)["action"])) < STEPS)
    begin(root)
    write_shard(root, 0, [*good, failed, play, mistaken], fps=5)
    finish(root, "simulated_bimanual", fps=5)
    return root


@pytest.fixture(scope="module")
def dataset(folder) -> LeRobotDataset:
    return LeRobotDataset(folder)


def test_it_holds_windows_of_good_behaviour_alone(dataset) -> None:
    library = make_library([dataset], SETTINGS)
    assert library.targets.shape[1:] == (STEPS, 20)
    assert sorted(set(library.task)) == ["fold", "reach"]
    assert not {20, 21} & set(library.episode)
    for targets, number in zip(library.targets, library.episode, strict=True):
        first, last = dataset.episode_offsets[number : number + 2]
        whole = dataset.hand_target[first:last]
        start = int(np.abs(whole - targets[0]).sum(axis=1).argmin())
        rows = np.minimum(start + np.arange(STEPS), len(whole) - 1)
        np.testing.assert_array_equal(targets, whole[rows])
        assert dataset.step_good[first + rows].all()
    card = library.card
    assert (card.rig, card.dt, card.licence) == ("simulated_bimanual", 0.2, "apache-2.0")
    assert card.datasets == (dataset.content_hash,)
    asked = {str(text) for text in dataset.instruction[:10]}
    assert set(card.instructions["reach"]) == asked - {""}
    assert set(card.instructions) == {"reach", "fold"}


def test_limits_reject_no_more_of_what_was_held_out_than_asked(dataset) -> None:
    library = make_library([dataset], SETTINGS)
    for task, first in (("reach", 0), ("fold", 10)):
        out = range(first + HELD_OUT - 1, first + 10, HELD_OUT)
        assert not set(out) & set(library.episode)
        nearest = []
        for number in out:
            begins, ends = dataset.episode_offsets[number : number + 2]
            for row in range(begins, ends):
                rows = np.minimum(row + np.arange(STEPS), ends - 1)
                poses = actions.unpack(dataset.hand_target[rows].astype(float))
                known = library.of_task(task).poses
                nearest.append(distances(poses, known, Weights(), 2).max(axis=1).min())
        limit = library.card.limit[task]
        assert len(nearest) == library.card.held_out[task]
        assert np.mean(np.array(nearest) > limit + 1e-6) <= 0.2
        assert np.isclose(nearest, limit).any()
    assert library.card.limit[ANY_TASK] <= max(library.card.limit.values())


def test_fewer_false_rejections_mean_a_wider_limit(dataset) -> None:
    limits = [
        make_library([dataset], replace(SETTINGS, false_rejections=share)).card.limit["fold"]
        for share in (0.5, 0.3, 0.15)
    ]
    assert limits == sorted(limits)
    assert limits[0] < limits[-1]
    with pytest.raises(DataError, match="expected at least 999 for"):
        make_library([dataset], replace(SETTINGS, false_rejections=0.001))


def test_the_command_writes_the_same_file_every_time(folder, tmp_path, capsys) -> None:
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        words = ["steps=4", "false_rejections=0.2", "windows=5"]
        assert main(["library", "--data", str(folder), "--out", str(out), "--set", *words]) == 0
    one, two = map(load_library, outs)
    assert len(one.task) == 10
    assert one.card == two.card
    np.testing.assert_array_equal(one.targets, two.targets)
    printed = capsys.readouterr().out
    assert "10 windows of 4 steps" in printed
    assert f"{one.card.limit['fold']:.4f}" in printed
    missing = ["library", "--data", str(folder), "--out", str(outs[0]), "--set", "step=4"]
    assert main(missing) == 2
    assert "Did you mean 'steps'" in capsys.readouterr().err
