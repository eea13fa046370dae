"""A small bag, tiny models, and what a replay of the one with the others gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from painted_rig import write_config
from simple_bags import write_bag

from wm_planner.replay.job import ReplayJob, replay_bag

LIFT = "lift both hands"


@pytest.fixture(scope="session")
def config(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_config(folder, text="planner: {candidates: 3, execute_steps: 2}\n")


@pytest.fixture(scope="session")
def bag(tmp_path_factory) -> Path:
    return write_bag(tmp_path_factory.mktemp("bags") / "run")


@pytest.fixture(scope="session")
def job(tmp_path_factory, config, bag) -> ReplayJob:
    return ReplayJob(bag, tmp_path_factory.mktemp("out") / "run", config, instruction=LIFT)


@pytest.fixture(scope="session")
def result(job) -> dict:
    return replay_bag(job)
