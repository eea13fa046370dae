"""Two processes train as one with batches of both; a killed pair goes on where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

import train_together  # noqa: E402

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.loop import LoopSettings, train  # noqa: E402
from wm_planner.training.workers import Workers  # noqa: E402

pytestmark = pytest.mark.slow
SCRIPT = Path(train_together.__file__)


def together(folder: Path, stop: int = 100) -> None:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(SCRIPT), str(folder), str(stop),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def weights_of(folder: Path) -> list[dict]:
    return [json.loads((folder / f"rank_{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    together(folder)
    return folder


def test_both_end_with_the_weights_of_one_with_both_batches(pair, tmp_path):
    first, second = weights_of(pair)
    assert first == second
    other = np.random.default_rng([0, 11, 1])  # the second process draws from this one
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    settings = LoopSettings(steps=12, warmup=1, checkpoint_every=4)

    def both(model, generator, progress):
        parts = [train_together.loss_of(model, g) for g in (generator, other)]
        return sum(parts) / 2, {}

    train(model, both, settings, tmp_path, Workers())
    np.testing.assert_allclose(first["weight"], model.weight.tolist(), rtol=1e-5)
    np.testing.assert_allclose(first["bias"], model.bias.tolist(), rtol=1e-5)


def test_a_killed_pair_goes_on_bit_exactly(pair, tmp_path):
    together(tmp_path, stop=6)
    assert not (tmp_path / "rank_0.json").exists()
    together(tmp_path)
    assert weights_of(tmp_path) == weights_of(pair)


def test_one_process_does_not_go_on_with_the_checkpoint_of_two(pair):
    settings = LoopSettings(steps=12, warmup=1, checkpoint_every=4)
    with pytest.raises(ConfigurationError, match="was made by 2 processes, not 1"):
        train(torch.nn.Linear(4, 1), lambda m, g, p: None, settings, pair, Workers())
