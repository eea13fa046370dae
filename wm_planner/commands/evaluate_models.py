"""Measure world model and inverse dynamics on recorded episodes, without moving a robot.

Every figure stands beside its baselines in one table: PSNR, SSIM and shift-tolerant LPIPS of
dreams, how far they follow actions and tasks, how diverse they are, the errors of the commands
that are read off frames in mm and degrees, how sure the model is of them, and where objects are
according to the latents. Leaves figures.json, figures.md and pictures in --out; the same question
gives the same figures.

The dataset must hold seeds that the models were not trained on: `wm-planner collect --seed 900000`,
with near_miss among its --kinds for the hardest figures about objects.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.settings import validate

if TYPE_CHECKING:
    from wm_planner.assembly import StackConfig
    from wm_planner.bundle import Bundle
    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.open_loop.evaluation import Stage
    from wm_planner.open_loop.models import Models
    from wm_planner.open_loop.object_probe import FitProbe
    from wm_planner.open_loop.picture_figures import Perceptual

NAME = "evaluate-models"
HELP = "measure the models on recorded episodes, with baselines"
AVERAGED_DRAWS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR",
        help="dataset of episodes that the models were not trained on",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument(
        "--windows", type=int, default=128, metavar="N",
        help="pieces of episodes to dream, each as long as the model's horizon (default: 128)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S",
        help="of the choice of windows, of noise and of probes (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--probe-data", type=Path, nargs="+", default=[], metavar="DIR",
        help="datasets with more episodes, of other seeds, to fit the object probes on; absent: "
        "only those in --data that are not measured on",
    )  # fmt: skip
    parser.add_argument(
        "--write-card", action="store_true",
        help="put the table into both bundles' README.md and bundle.json",
    )  # fmt: skip
    add_stack_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, write and print where."""
    from wm_planner.bundle.card import read_card, with_figures, write_figures
    from wm_planner.datasets.collection import FIRST_VALIDATION_SEED
    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.open_loop.evaluation import OpenLoopSettings, evaluate_models
    from wm_planner.open_loop.figures import as_json
    from wm_planner.open_loop.report import table, write_report

    settings = OpenLoopSettings(windows=args.windows, seed=args.seed)
    validate(settings)
    if args.out.exists() and not args.out.is_dir():
        raise ConfigurationError(f"--out {args.out}: is a file, expected a folder")
    data = LeRobotDataset(args.data)
    more = [LeRobotDataset(folder) for folder in args.probe_data]
    for other in more:
        if set(other.seed) & set(data.seed):
            raise DataError(f"{other.root} and {args.data} hold episodes of the same seeds")
    config = read_stack_config(args)
    bundles, models = open_models(config, data)
    question = {
        "command": f"wm-planner evaluate-models --windows {args.windows} --seed {args.seed}"
        + (" --probe-data" + " DIR" * len(more) if more else ""),
        "data": tell_data(data),
        **({"probe data": "; ".join(map(tell_data, more))} if more else {}),
        "world model": bundles["world_model"].bundle_hash[:12],
        "inverse dynamics": bundles["inverse_dynamics"].bundle_hash[:12],
    }
    if args.write_card:
        for bundle in bundles.values():
            with_figures(read_card(bundle), "")  # refuse what could not be written, early
    result = evaluate_models(
        data, models, settings, find_perceptual(), find_probe(), more, progress_bars()
    )
    if data.origin is None and data.seed.min() < FIRST_VALIDATION_SEED:
        result.notes.append(f"some seeds are below {FIRST_VALIDATION_SEED}, which is for training")
    for path in write_report(args.out, result, question):
        print(path)
    if args.write_card:
        evaluation = {"question": question, "figures": as_json(result.figures)}
        for bundle in bundles.values():
            write_figures(bundle, table(result, question), evaluation)
            print(bundle.folder)
    for note in result.notes:
        print(f"note: {note}")
    return 0


def open_models(config: StackConfig, data: LeRobotDataset) -> tuple[dict[str, Bundle], Models]:
    """Open both bundles as the planner would; they must fit each other and the dataset."""
    from wm_planner.assembly import open_inverse_dynamics, open_world_model
    from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle, pair
    from wm_planner.open_loop.models import Models

    # One thread: the same figures on every machine with the same arithmetic.
    config = dataclasses.replace(config, onnx=dataclasses.replace(config.onnx, threads=1))
    bundles = {
        WORLD_MODEL: load_bundle(config.world_model.bundle, WORLD_MODEL),
        INVERSE_DYNAMICS: load_bundle(config.inverse_dynamics.bundle, INVERSE_DYNAMICS),
    }
    pair(
        bundles[WORLD_MODEL].manifest, bundles[INVERSE_DYNAMICS].manifest, data.robot_type,
        data.cameras,
    )  # fmt: skip
    inverse = bundles[INVERSE_DYNAMICS]
    return bundles, Models(
        world_model=open_world_model(config, bundles[WORLD_MODEL]),
        inverse_dynamics=open_inverse_dynamics(config, inverse),
        averaging=open_inverse_dynamics(averaging(config), inverse),
        averaging_draws=AVERAGED_DRAWS,
    )


def averaging(config: StackConfig) -> StackConfig:
    """Return the configuration with inverse dynamics that averages, if it is a model that can."""
    model = config.inverse_dynamics
    if not hasattr(model.settings, "draws"):
        return config
    settings = dataclasses.replace(model.settings, draws=AVERAGED_DRAWS)
    return dataclasses.replace(
        config, inverse_dynamics=dataclasses.replace(model, settings=settings)
    )


def tell_data(data: LeRobotDataset) -> str:
    """Return what a dataset is, in a line."""
    if data.origin is not None:
        numbers = ", ".join(str(number) for number in data.origin.episodes)
        return f"{data.origin.source}, episodes {numbers}, content {data.content_hash[:12]}"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(data.kind).items()))
    return (
        f"{len(data)} episodes ({kinds}) of seeds {data.seed.min()} to {data.seed.max()}, "
        f"content {data.content_hash[:12]}"
    )


def find_perceptual() -> Perceptual | None:
    """Return shift-tolerant LPIPS where it and torch are installed."""
    try:
        from wm_planner.training.perceptual_distance import available, perceptual_distance
    except ImportError:
        return None
    return perceptual_distance() if available() else None


def find_probe() -> FitProbe | None:
    """Return what fits object probes, where torch is installed."""
    try:
        from wm_planner.training.object_probe import fit_probe
    except ImportError:
        return None
    return fit_probe


def progress_bars() -> Stage:
    """Return a function that opens one progress bar after the other."""
    from tqdm import tqdm

    open_bars: list[Any] = []

    def stage(name: str, steps: int) -> Any:
        while open_bars:
            open_bars.pop().close()
        bar = tqdm(total=steps, desc=name, disable=None)
        open_bars.append(bar)
        return bar.update

    return stage
