"""Each stage in a process of its own, on simulated time: the planner reaches them by services."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from painted_mujoco_rig import lifted_picture

sys.path.insert(0, str(Path(__file__).parent))
from graph_fixture import graph_of

from wm_planner.types import Goal

pytestmark = pytest.mark.slow


def test_that_the_task_is_done_across_seven_processes_on_a_slow_clock(tmp_path):
    with graph_of(tmp_path, composed=False, real_time_factor=0.3) as graph:
        assert len(graph.supervisor.keeper.kept) == 7
        outcome = graph.client.run([Goal(image=lifted_picture())], 30.0)
        assert outcome.outcome == "SUCCEEDED", outcome
        assert outcome.plans >= 1
