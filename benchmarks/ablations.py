"""What each part of the recipe is worth: one change at a time, at equal compute.

    python benchmarks/ablations.py --data data --held-out held --base training --out runs/ablations

Needs a training run with a finished autoencoder, inverse dynamics, denoiser and value (--base).
Variants of the world model train a denoiser on that run's latents, those of inverse dynamics train
an inverse dynamics beside that run's denoiser, all from random weights. Each may use as many
floating-point operations as --steps (or --inverse-dynamics-steps) of the base's own recipe use:
one with more tokens takes fewer steps. Rows that are there are kept, so an interrupted table
continues where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from torch.utils.flop_counter import FlopCounterMode

from wm_planner.commands.train import open_run
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.training.bundles import export_run
from wm_planner.training.pipeline import Run
from wm_planner.training.source import EpisodeSource
from wm_planner.training.training_settings import TrainingSettings

WORLD_MODEL: dict[str, dict[str, object]] = {
    "shipped recipe": {},
    "predicts x": {"prediction": "x"},
    "predicts v": {"prediction": "v"},
    "masked residual": {"prediction": "masked_residual"},
    "shortcut": {"shortcut": True},
    "1 token a frame": {"denoiser_token": "frame"},
    "12 tokens a frame": {"denoiser_token": "cell"},
    "hands drawn": {"actions": "hands"},
    "hands drawn and vectors": {"actions": "both"},
    "one noise level for all frames": {"own_levels": 0.0},
    "context without noise": {"context_noise": 0.0},
    "commands not compared": {"command_weight": 0.0},
    "no outcome labels": {"outcomes": False},
    "no impossible requests": {"impossible": 0.0},
    "no recovery data": {"without_kinds": ("recovery", "planner")},
}
INVERSE_DYNAMICS: dict[str, dict[str, object]] = {
    "regression, two frames": {},
    "flow head": {"inverse_dynamics_head": "flow"},
    "window of 8 frames, averaged": {"inverse_dynamics_window": 8},
    "play no more often than recorded": {"anywhere_share": 0.0},
}
STAGES = {"denoiser": WORLD_MODEL, "inverse_dynamics": INVERSE_DYNAMICS}
NEEDED = ("autoencoder", "inverse_dynamics", "denoiser", "value")
SEED = 3_000_000  # of the closed loop: other scenes than the success table's
FIGURES = {
    "psnr_actions_given_db": "actions given, dB",
    "psnr_free_dream_db": "free, dB",
    "action_shuffle_ratio": "shuffle ratio",
    "command_real_mm": "commands off frames, mm",
    "command_actions_given_mm": "off dreams, mm",
}


def train_variant(name: str, base: Run, args: argparse.Namespace) -> dict[str, float]:
    """Train and measure one variant, or read its row."""
    folder = args.out / name.replace(" ", "_").replace(",", "")
    row = folder / "row.json"
    if row.exists():
        figures: dict[str, float] = json.loads(row.read_text())
        return figures
    (stage,) = (stage for stage, variants in STAGES.items() if name in variants)
    folder.mkdir(parents=True, exist_ok=True)
    for needed in NEEDED:
        if needed != stage:
            (folder / needed).mkdir(exist_ok=True)
            shutil.copy(base.folder / needed / "model.pt", folder / needed)
    latents = folder / "latents.npy"
    latents.unlink(missing_ok=True)
    latents.symlink_to((base.folder / "latents.npy").resolve())
    plain = dataclasses.replace(
        base.settings, threads=args.threads, compile=False, samples_every=0, seed=args.seed
    )
    changed = dataclasses.replace(plain, **STAGES[stage][name])  # type: ignore[arg-type]
    steps = {"denoiser": args.steps, "inverse_dynamics": args.inverse_dynamics_steps}[stage]
    steps = equal_steps(folder, base, stage, plain, changed, steps)
    run = Run(
        folder, dataclasses.replace(changed, **{f"{stage}_steps": steps}), base.source, base.data
    )
    run.train(stage)
    held_out = EpisodeSource.from_dataset(LeRobotDataset(args.held_out), changed.camera)
    figures = export_run(run, folder / "models", held_out)
    figures["steps"] = steps
    figures["seconds"] = json.loads((folder / "run.json").read_text())["seconds"][stage]
    for task in args.tasks:
        figures[task] = closed_loop(folder, task, args.episodes)
    row.write_text(json.dumps(figures, indent=2))
    return figures


def equal_steps(
    folder: Path, base: Run, stage: str, plain: TrainingSettings, changed: TrainingSettings,
    steps: int,
) -> int:  # fmt: skip
    """Return how many steps with the changed settings cost as much as ``steps`` with the plain."""
    known = folder / "steps.json"
    if not known.exists():
        cost = [operations(folder, base, stage, settings) for settings in (plain, changed)]
        known.write_text(json.dumps(max(1, round(steps * cost[0] / cost[1]))))
    return int(json.loads(known.read_text()))


def operations(folder: Path, base: Run, stage: str, settings: TrainingSettings) -> int:
    """Return the floating-point operations of one training step, forwards and backwards."""
    model, loss = Run(folder, settings, base.source, base.data).begin(stage)
    (folder / "run.json").unlink()  # that was not the run
    with FlopCounterMode(display=False) as counter:
        value, _ = loss(model.train(), np.random.default_rng(0), 0.5)
        value.backward()
    return int(counter.get_total_flops())


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
    variants = [*WORLD_MODEL, *INVERSE_DYNAMICS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR",
                        help="the base run's datasets")  # fmt: skip
    parser.add_argument("--held-out", type=Path, required=True, metavar="DIR",
                        help="dataset of other seeds, for the figures")  # fmt: skip
    parser.add_argument("--base", type=Path, required=True, metavar="DIR", help="training run")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--steps", type=int, default=1500, metavar="N",
                        help="cost of a denoiser, in steps of the base's (1500)")  # fmt: skip
    parser.add_argument("--inverse-dynamics-steps", type=int, default=2500, metavar="N",
                        help="the same for inverse dynamics (2500)")  # fmt: skip
    parser.add_argument("--episodes", type=int, default=50, help="closed loop, per task (50)")
    parser.add_argument("--tasks", nargs="*", default=["reach", "pick_lift"], metavar="TASK",
                        help="in closed loop (reach pick_lift); without a name, none")  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=variants, default=variants,
                        metavar="VARIANT", help=f"some of: {'; '.join(variants)}")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and noise (0)")
    args = parser.parse_args()
    base = open_run(args.data, args.base, threads=args.threads)
    shown = [*FIGURES.values(), *(f"{task} of {args.episodes}" for task in args.tasks)]
    rows = [f"| variant | {' | '.join(shown)} | steps | s |", "|---|" + "---|" * (len(shown) + 2)]
    for name in args.only:
        figures = train_variant(name, base, args)
        cells = [f"{figures[key]:.2f}" for key in FIGURES]
        cells += [f"{figures[key]:.0f}" for key in (*args.tasks, "steps", "seconds")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
        (args.out / "table.md").write_text("\n".join(rows) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
