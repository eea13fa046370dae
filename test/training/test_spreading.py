"""Two processes with a part of the model each train it as two that hold all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

import train_sharded  # noqa: E402

from wm_planner.errors import ConfigurationError  # noqa: E402
from wm_planner.training.optimisers import MatrixMuon  # noqa: E402
from wm_planner.training.spreading import _layers  # noqa: E402
from wm_planner.training.workers import Workers  # noqa: E402

SCRIPT = Path(train_sharded.__file__)


def together(folder: Path, how: str, stop: int = 100) -> None:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(SCRIPT), str(folder), str(stop), how,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def kept(folder: Path) -> list[dict]:
    return [json.loads((folder / f"rank_{rank}.json").read_text()) for rank in range(2)]


def weights(folder: Path, rank: int = 0) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / f"rank_{rank}.pt", weights_only=True)
    return loaded


@pytest.fixture(scope="module")
def sharded(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sharded")
    together(folder, "sharded")
    return folder


@pytest.mark.slow
def test_the_weights_are_those_of_two_with_the_whole_model(sharded, tmp_path):
    """Equal but for the gradient's norm, whose squares are added in another order."""
    together(tmp_path, "replicated")
    torch.testing.assert_close(weights(sharded), weights(tmp_path), rtol=0, atol=2e-5)
    assert kept(sharded)[0]["drawn"] == pytest.approx(kept(tmp_path)[0]["drawn"], abs=1e-4)


@pytest.mark.slow
def test_each_process_holds_its_part_and_returns_the_whole(sharded):
    both = kept(sharded)
    for name in ("model", "averaged", "gradients"):
        held = [each[name] for each in both]
        # Uneven rows go to the first; the lone number is held by both.
        assert sum(held) == both[0]["whole"] + 1, name
        assert max(held) < 0.55 * both[0]["whole"], name
    # Two numbers for each parameter of AdamW, one for each of Muon.
    moments = [each["optimisers"] for each in both]
    assert max(moments) < 0.55 * sum(moments)
    assert len(both[0]["drawn"]) == 3 and both[1]["drawn"] == []
    learnt = [name for name in weights(sharded) if "running" not in name]
    for name in learnt:
        assert torch.equal(weights(sharded)[name], weights(sharded, 1)[name]), name


@pytest.mark.slow
def test_a_killed_pair_goes_on_bit_exactly(sharded, tmp_path):
    together(tmp_path, "sharded", stop=3)
    assert not (tmp_path / "rank_0.json").exists()
    together(tmp_path, "sharded")
    torch.testing.assert_close(weights(tmp_path), weights(sharded), rtol=0, atol=0)


def test_one_process_alone_is_refused():
    with pytest.raises(ConfigurationError, match="sharded: got 1 process, expected at least 2"):
        Workers(sharded=True)


def test_muon_on_one_matrix_after_the_other_is_torchs():
    torch.manual_seed(0)
    options = {"lr": 0.02, "weight_decay": 0.05, "adjust_lr_fn": "match_rms_adamw"}
    start = [torch.randn(6, 4), torch.randn(3, 7)]
    ends = []
    for kind in (MatrixMuon, torch.optim.Muon):
        matrices = [torch.nn.Parameter(matrix.clone()) for matrix in start]
        optimiser = kind(matrices, **options)
        for step in range(3):
            for matrix in matrices:
                matrix.grad = torch.sin(matrix.detach() + step)
            optimiser.step()
        ends.append((matrices, [optimiser.state[m]["momentum_buffer"] for m in matrices]))
    torch.testing.assert_close(*ends, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_layers_are_entries_of_lists_and_large_ones_are_taken_apart(monkeypatch):
    model = train_sharded.Several()
    names = {module: name for name, module in model.named_modules()}
    blocks = [f"blocks.{n}" for n in range(3)]
    assert [names[layer] for layer in _layers(model)] == [*blocks, "narrow.0.0", "narrow.1"]
    monkeypatch.setattr("wm_planner.training.spreading.LARGEST_LAYER", 100)
    outer = torch.nn.ModuleList([model])
    found = [names[layer] for layer in _layers(outer)]
    assert found == [*blocks, "narrow.0.0", "narrow.1", ""]
