"""The benchmark of judges: who knows what came ranks best, and what came is like itself."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pytest
from painted_rig import PaintedRig, make_stack

from wm_planner.closed_loop import run_episode
from wm_planner.closed_loop.tried_plans import PlanTester
from wm_planner.types import Goal

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "judges.py"
LOOKS = (2, 4)
GOAL = "lift both hands"


@pytest.fixture(scope="module")
def benchmark():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def episodes(tmp_path_factory, benchmark):
    """Two episodes of judged plans; a little noise makes their candidates differ."""
    stack = make_stack(tmp_path_factory.mktemp("stack"))
    found = []
    for seed in (3, 4):
        tester = PlanTester(stack, every=2, looks=LOOKS)
        run_episode(stack, PaintedRig(), [Goal(GOAL)], "lift", seed, chooser=tester)
        found.append([benchmark["Judged"].by(stack.world_model, p, GOAL) for p in tester.plans])
    return found


def test_that_who_knows_what_came_is_never_worse_than_anyone(benchmark, episodes):
    differed = 0
    for plan in (plan for episode in episodes for plan in episode):
        for steps in LOOKS:
            knows = benchmark["nearest"](steps)
            rank = benchmark["rank_correlation"](plan, knows, steps)
            assert rank == pytest.approx(1.0) or np.isnan(rank)  # NaN where all have arrived
            differed += not np.isnan(rank)
            most = benchmark["choice_mm"](plan, knows, steps)
            for judge in benchmark["judges"](LOOKS[0]).values():
                assert benchmark["choice_mm"](plan, judge, steps) <= most
    assert differed >= 2


def test_that_the_table_has_a_row_for_everyone(benchmark, episodes):
    rows = benchmark["table"](episodes, LOOKS).splitlines()
    names = [row.split(" | ")[0].strip("| ") for row in rows]
    assert set(benchmark["judges"](LOOKS[0])) < set(names)
    assert {"the nearest after 2 steps", "dream", "re-simulation"} < set(names)


def test_that_what_came_is_like_itself(benchmark, episodes):
    one = episodes[0][0]
    both, ours, true = benchmark["alike"](one, one.seen_latents[:, 1], 1)
    assert both == pytest.approx(ours) == pytest.approx(true)
    assert both > 0
    opposite = dataclasses.replace(one, seen_latents=-one.seen_latents)
    assert benchmark["alike"](opposite, one.seen_latents[:, 1], 1)[0] == pytest.approx(-both)
