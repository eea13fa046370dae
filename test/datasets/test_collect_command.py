"""The command `wm-planner collect` and the recorder behind it."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner import actions, cli
from wm_planner.commands.collect import read_weights
from wm_planner.datasets.episode import KINDS, Episode
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.datasets.simulated_recorder import open_simulated_recorder
from wm_planner.errors import ConfigurationError, UnknownNameError
from wm_planner.rigs.collection import KINDS as USUAL_KINDS
from wm_planner.rigs.collection import SPECIAL_KINDS

RECORDED_KINDS = (*USUAL_KINDS, *SPECIAL_KINDS)


def test_that_weights_are_read_from_words():
    known = {"reach": None, "pick_lift": None}
    assert read_weights("task", ["reach", "pick_lift=2.5"], known, {}) == {
        "reach": 1.0,
        "pick_lift": 2.5,
    }
    assert read_weights("task", None, known, {"reach": 0.4}) == {"reach": 0.4}
    with pytest.raises(UnknownNameError, match=r"Unknown task 'rich'\. Did you mean 'reach'"):
        read_weights("task", ["rich"], known, {})
    with pytest.raises(ConfigurationError, match="'many' after = is not a number"):
        read_weights("task", ["reach=many"], known, {})


def test_that_test_seeds_are_refused(tmp_path, capsys):
    code = cli.main(["collect", "--out", str(tmp_path / "set"), "--seed", "1000000"])
    assert code == cli.EXIT_ERROR
    assert "are for evaluation" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    "words, why",
    [
        (["light_dimmed"], "experts know object_moved, object_pushed, arm_nudged"),
        (["object_moved", "--kinds", "play"], "--kinds and --variation are for undisturbed"),
    ],
)
def test_that_experts_are_only_disturbed_where_their_pictures_are_as_they_were(
    tmp_path, capsys, words, why
):
    code = cli.main(["collect", "--out", str(tmp_path / "set"), "--disturb", *words])
    assert code == cli.EXIT_ERROR
    assert why in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_that_every_kind_the_rig_records_can_be_kept():
    assert set(RECORDED_KINDS) <= set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECORDED_KINDS)
def test_that_the_recorder_gives_consistent_episodes(kind):
    record = open_simulated_recorder()
    episode = Episode.from_mapping(record("tray_lift", 11, kind))
    assert episode.images["head"].shape[1:] == (96, 128, 3)
    start, target = actions.unpack(episode.hand_pose), actions.unpack(episode.hand_target)
    np.testing.assert_allclose(actions.encode(start, target), episode.action, atol=1e-5)
    present = dict(zip(episode.object_names, episode.object_visible.all(0), strict=True))
    assert present["tray"]
    assert (episode.object_position[~episode.object_visible] == 0).all()
    again = Episode.from_mapping(record("tray_lift", 11, kind))
    np.testing.assert_array_equal(again.hand_pose, episode.hand_pose)
    np.testing.assert_array_equal(again.images["head"], episode.images["head"])


@pytest.mark.slow
def test_that_the_command_leaves_a_dataset(tmp_path, capsys):
    arguments = ["collect", "--out", str(tmp_path), "--episodes", "2", "--seed", "900000"]
    assert cli.main([*arguments, "--tasks", "reach", "--kinds", "expert"]) == 0
    assert "2 episodes, 2 of them recorded now" in capsys.readouterr().out
    dataset = LeRobotDataset(tmp_path)
    assert dataset.seed.tolist() == [900_000, 900_001]
    assert set(dataset.task) == {"reach"}
    assert dataset.success.all()
