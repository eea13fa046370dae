import numpy as np
import pytest
from episodes import make_episode, make_fields

from wm_planner.datasets.episode import Episode
from wm_planner.errors import DataError


def test_that_arrays_are_copied_and_read_only():
    fields = make_fields(0)
    episode = Episode.from_mapping(fields)
    fields["hand_pose"][:] = 7.0
    assert not (episode.hand_pose == 7.0).any()
    for array in (episode.action, episode.images["head"], episode.step_good):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_that_its_length_is_the_number_of_frames():
    assert len(make_episode(3)) == len(make_fields(3)["action"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("action", np.zeros((3, 20)), r"action has shape \(3, 20\), expected \(\d, 20\)"),
        ("hand_pose", np.zeros((0, 20)), "no frames"),
        ("object_names", ("cube",), "object_position has shape"),
        ("kind", "clever", "kind is 'clever', known are expert"),
        ("images", {}, "no camera images"),
        ("images", {"head": np.zeros((5, 8, 8, 3))}, "not uint8"),
    ],
)
def test_that_what_does_not_fit_is_named(name, value, message):
    with pytest.raises(DataError, match=message):
        Episode.from_mapping({**make_fields(0), name: value})


def test_that_a_value_that_is_not_finite_is_refused():
    fields = make_fields(0)
    fields["joint_velocity"][2, 3] = np.nan
    with pytest.raises(DataError, match="joint_velocity holds a value that is not finite"):
        Episode.from_mapping(fields)


def test_that_missing_and_unknown_fields_are_listed():
    fields = make_fields(0)
    del fields["action"]
    with pytest.raises(
        DataError, match=r"missing fields \['action'\], unknown fields \['reward'\]"
    ):
        Episode.from_mapping({**fields, "reward": 1.0})
