"""Commands of an episode are judged by the check that also judges bags."""

from __future__ import annotations

import numpy as np
import pytest
from painted_rig import RIG

from wm_planner.closed_loop.command_check import CommandCheck
from wm_planner.types import Command

PERIOD_NS = 50_000_000


def swing(amplitude: float, count: int = 60, width_step: float = 0.0) -> CommandCheck:
    """All joints swing about home at 2 rad/s."""
    check, home = CommandCheck(RIG), np.array(RIG.home)
    for step in range(count):
        angle = 2.0 * step * PERIOD_NS * 1e-9
        position = home + amplitude * np.sin(angle)
        velocity = np.full(len(home), amplitude * 2.0 * np.cos(angle))
        width = np.full(2, width_step * (step % 2))
        check.take(Command(step * PERIOD_NS, position, velocity, width))
    return check


def test_that_a_gentle_motion_breaks_nothing():
    check = swing(0.2)
    assert (check.commands, check.violations) == (60, 0)


@pytest.mark.parametrize("amplitude", [1.5, 30.0])
def test_that_commands_that_break_a_limit_are_counted(amplitude):
    check = swing(amplitude)
    assert 0 < check.violations <= check.commands
    assert swing(2 * amplitude).violations >= check.violations


def test_that_fingers_that_jump_are_counted():
    assert swing(0.0, width_step=0.04).violations == 0  # 0.4 m/s a finger, of 0.5
    assert swing(0.0, width_step=0.06).violations == 59
