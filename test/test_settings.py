"""Settings: declared once, refused as a whole, described for everyone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from wm_planner.errors import ConfigurationError, UnknownNameError
from wm_planner.settings import describe, from_mapping, setting, validate


@dataclass(frozen=True)
class ArmSettings:
    speed: float = setting(1.0, unit="rad/s", minimum=0.0, maximum=3.0, help="How fast.")
    count: int = setting(2, minimum=1)
    mode: str = setting("soft", choices=("soft", "hard"))
    names: tuple[str, ...] = setting(("a",), choices=("a", "b"))
    enabled: bool = setting(True)

    def problems(self) -> list[str]:
        return ["hard needs speed below 2 rad/s"] if self.mode == "hard" and self.speed > 2 else []


def test_that_missing_names_keep_their_default():
    assert from_mapping(ArmSettings, None) == ArmSettings()
    assert from_mapping(ArmSettings, {"speed": 2}) == ArmSettings(speed=2.0)
    assert from_mapping(ArmSettings, {"names": ["a", "b"]}).names == ("a", "b")


def test_that_an_unknown_name_offers_the_closest():
    with pytest.raises(UnknownNameError, match=r"'spede'.*Did you mean 'speed'.*Known: count"):
        from_mapping(ArmSettings, {"spede": 1.0})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": float("nan")}, "speed is nan, expected a finite number"),
        ({"speed": 3.5}, "speed is 3.5 rad/s, expected at most 3.0 rad/s"),
        ({"count": 0}, "count is 0, expected at least 1"),
        ({"count": 1.5}, "count is 1.5, expected int"),
        ({"count": True}, "count is True, expected int"),
        ({"mode": "firm"}, "mode is 'firm', expected one of 'soft', 'hard'"),
        ({"names": ["c"]}, "names is 'c', expected one of"),
        ({"names": "a"}, "names is 'a', expected a list"),
        ({"enabled": 1}, "enabled is 1, expected bool"),
        ({"speed": 2.5, "mode": "hard"}, "hard needs speed below 2 rad/s"),
    ],
)
def test_that_bad_values_are_named(values, message):
    with pytest.raises(ConfigurationError, match=message):
        from_mapping(ArmSettings, values)


def test_that_every_problem_of_a_batch_is_told():
    with pytest.raises(ConfigurationError, match=r"speed is -1.0.*; .*count is 0"):
        validate(ArmSettings(speed=-1.0, count=0))


def test_that_describe_tells_what_was_declared():
    speed = describe(ArmSettings)[0]
    assert (speed.name, speed.type, speed.default, speed.unit) == ("speed", float, 1.0, "rad/s")
    assert (speed.minimum, speed.maximum, speed.help) == (0.0, 3.0, "How fast.")
