"""What each part of the world model's recipe is worth: one change at a time, equal training.

    python benchmarks/ablations.py --data data --held-out held --base training --out runs/ablations

Needs a training run with a finished autoencoder, inverse dynamics and value (--base); every variant
trains a denoiser of its own on that run's latents, from random weights, for the same number of
steps. Rows that are there are kept, so an interrupted table continues where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

from wm_planner.commands.train import open_run
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.training.bundles import export_run
from wm_planner.training.pipeline import Run
from wm_planner.training.source import EpisodeSource

VARIANTS: dict[str, dict[str, object]] = {
    "shipped recipe": {},
    "predicts x": {"prediction": "x"},
    "predicts v": {"prediction": "v"},
    "masked residual": {"prediction": "masked_residual"},
    "shortcut": {"shortcut": True},
    "hands drawn": {"actions": "hands"},
    "hands drawn and vectors": {"actions": "both"},
    "commands not compared": {"command_weight": 0.0},
    "no outcome labels": {"outcomes": False},
    "no impossible requests": {"impossible": 0.0},
    "no recovery data": {"without_kinds": ("recovery", "planner")},
}
SEED = 3_000_000  # of the closed loop: other scenes than the success table's
FIGURES = {
    "psnr_actions_given_db": "actions given, dB",
    "psnr_free_dream_db": "free, dB",
    "action_shuffle_ratio": "shuffle ratio",
    "command_actions_given_mm": "commands read, mm",
}


def train_variant(name: str, base: Run, args: argparse.Namespace) -> dict[str, float]:
    """Train and measure one variant, or read its row."""
    folder = args.out / name.replace(" ", "_")
    row = folder / "row.json"
    if row.exists():
        figures: dict[str, float] = json.loads(row.read_text())
        return figures
    folder.mkdir(parents=True, exist_ok=True)
    settings = dataclasses.replace(
        base.settings, denoiser_steps=args.steps, threads=args.threads, compile=False,
        seed=args.seed, **VARIANTS[name],
    )  # fmt: skip
    for stage in ("autoencoder", "inverse_dynamics", "value"):
        (folder / stage).mkdir(exist_ok=True)
        shutil.copy(base.folder / stage / "model.pt", folder / stage)
    latents = folder / "latents.npy"
    latents.unlink(missing_ok=True)
    latents.symlink_to((base.folder / "latents.npy").resolve())
    run = Run(folder, settings, base.source, base.data)
    run.train("denoiser")
    held_out = EpisodeSource.from_dataset(LeRobotDataset(args.held_out), settings.camera)
    figures = export_run(run, folder / "models", held_out)
    figures["seconds"] = json.loads((folder / "run.json").read_text())["seconds"]["denoiser"]
    for task in args.tasks:
        figures[task] = closed_loop(folder, task, args.episodes)
    row.write_text(json.dumps(figures, indent=2))
    return figures


def closed_loop(folder: Path, task: str, episodes: int) -> int:
    """Successes of the planner."""
    path = folder / f"{task}.json"
    command = [
        sys.executable, "-m", "wm_planner.cli", "evaluate", "--task", task, "--seed", str(SEED),
        "--episodes", str(episodes), "--json", str(path),
        "--world-model", str(folder / "models" / "world_model"),
        "--inverse-dynamics", str(folder / "models" / "inverse_dynamics"),
    ]  # fmt: skip
    subprocess.run([*command, *(["--resume"] if path.exists() else [])], check=True)
    return int(json.loads(path.read_text())["successes"])


def main() -> None:
    """Train and measure all variants, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR",
                        help="the base run's datasets")  # fmt: skip
    parser.add_argument("--held-out", type=Path, required=True, metavar="DIR",
                        help="dataset of other seeds, for the figures")  # fmt: skip
    parser.add_argument("--base", type=Path, required=True, metavar="DIR", help="training run")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the base run's configuration")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--steps", type=int, default=1500, help="optimiser steps (1500)")
    parser.add_argument("--episodes", type=int, default=50, help="closed loop, per task (50)")
    parser.add_argument("--tasks", nargs="+", default=["reach", "pick_lift"], metavar="TASK",
                        help="in closed loop (reach pick_lift)")  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS),
                        metavar="VARIANT", help=f"some of: {', '.join(VARIANTS)}")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and noise (0)")
    args = parser.parse_args()
    base = open_run(args.data, args.base, args.config, args.threads)
    names = [*FIGURES.values(), *(f"{task} of {args.episodes}" for task in args.tasks), "s"]
    rows = [f"| variant | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for name in args.only:
        figures = train_variant(name, base, args)
        cells = [f"{figures[key]:.2f}" for key in FIGURES]
        cells += [f"{figures[key]:.0f}" for key in (*args.tasks, "seconds")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
        (args.out / "table.md").write_text("\n".join(rows) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
