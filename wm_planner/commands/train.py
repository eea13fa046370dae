"""Train the world model and the inverse dynamics model on a recorded dataset.

Stages: autoencoder, inverse_dynamics, denoiser, inverse_dynamics_on_dreams, scene_decoder,
pixel_inverse_dynamics, value, preference, instruction. Interrupt with Ctrl-C and run the same
command again to continue. Curves: tensorboard --logdir DIR. With --start-from models/NAME the
shipped models are fine-tuned on your own recordings.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from wm_planner.errors import ConfigurationError

NAME = "train"
HELP = "train the models on a dataset (needs the [train] extra)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stage", nargs="?", default="all",
        choices=(
            "all", "autoencoder", "inverse_dynamics", "denoiser", "inverse_dynamics_on_dreams",
            "scene_decoder", "pixel_inverse_dynamics", "value", "preference", "instruction",
        ),
        help="what to train; all by default",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, required=True, nargs="+", metavar="DIR",
        help="dataset folders; several are learned from as one, and one that is named twice counts "
        "twice",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="YAML as in config/training/; by default that of the run, if --out holds one, else "
        "config/training/simulated_bimanual.yaml",
    )  # fmt: skip
    parser.add_argument(
        "--start-from", type=Path, metavar="DIR",
        help="begin with the weights of another run, or of a folder with world_model/ and "
        "inverse_dynamics/ bundles; random ones by default",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, nargs="+", default=(), metavar="FILE",
        help="pairs of futures from `wm-planner label`, for the stage preference",
    )  # fmt: skip
    parser.add_argument(
        "--device", metavar="NAME", help="auto, cpu, cuda or cuda:N (auto: a GPU if there is one)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of a process (1)")
    parser.add_argument(
        "--processes", type=int, metavar="N",
        help="processes that train together, each on batches of its own (1): on a CPU two with one "
        "thread each are faster than one with two. On several machines start this command with "
        "torchrun instead",
    )  # fmt: skip
    parser.add_argument(
        "--sharded", action="store_true",
        help="each of them holds only its part of a network in training (FSDP), not all of it: for "
        "networks that are too large for one",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    if args.processes and args.processes > 1 and "WORLD_SIZE" not in os.environ:
        return _start_together(args.processes)
    run_ = open_run(
        args.data, args.out, args.config, args.threads, args.start_from, args.device, args.sharded
    )
    if args.labels:
        run_.labels = _read_labels(args.labels, run_.settings, run_.source.frames.shape[1:3])
    for stage in run_.stages if args.stage == "all" else (args.stage,):
        run_.train(stage)
        if run_.workers.first:
            print(f"{stage}: done, in {args.out / stage}")
    return 0


def _read_labels(files: Sequence[Path], settings, size: tuple[int, int]) -> list:  # type: ignore[no-untyped-def, type-arg]
    from wm_planner.assembly import load_config
    from wm_planner.commands.labelling.pictures import labelled_pictures
    from wm_planner.commands.labelling.runs import Decoder
    from wm_planner.robot.rig_description import find_rig
    from wm_planner.training.preference_training import LabelledPictures

    topic = find_rig(settings.rig).cameras[settings.camera].topic
    pairs = labelled_pictures(files, settings.camera, topic, size, Decoder(load_config()))
    return [LabelledPictures(*pair) for pair in pairs]


def _start_together(processes: int) -> int:
    """Run this same command in several processes that know of each other; Ctrl-C reaches all."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", str(processes), "-m", "wm_planner.cli", *sys.argv[1:],
    ]  # fmt: skip
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    return subprocess.run(command, env=environment).returncode


def open_run(  # type: ignore[no-untyped-def]
    data: Sequence[Path],
    out: Path,
    config: Path | None = None,
    threads: int | None = None,
    start_from: Path | None = None,
    device: str | None = None,
    sharded: bool = False,
):
    """Open or create a training run on one or more datasets.

    Without a configuration a run that was begun goes on with its own.
    """
    if importlib.util.find_spec("torch") is None:
        raise ConfigurationError(
            "torch is not installed; training needs it: pip install 'wm_planner[train]'"
        )
    import dataclasses

    import yaml

    from wm_planner.datasets.lerobot_reader import LeRobotDataset
    from wm_planner.settings import from_mapping
    from wm_planner.share_folder import share_folder
    from wm_planner.training.pipeline import Run
    from wm_planner.training.run_record import settings_of
    from wm_planner.training.source import EpisodeSource
    from wm_planner.training.training_settings import TrainingSettings
    from wm_planner.training.warm_start import WarmStart
    from wm_planner.training.workers import Workers

    settings = None if config else settings_of(out)
    if settings is None:
        path = config or share_folder() / "config" / "training" / "simulated_bimanual.yaml"
        if not path.exists():
            raise ConfigurationError(f"--config {path}: no such file")
        settings = from_mapping(TrainingSettings, yaml.safe_load(path.read_text()))
    settings = dataclasses.replace(
        settings, threads=threads or settings.threads, device=device or settings.device,
        sharded=sharded or settings.sharded,
    )  # fmt: skip
    distinct = {folder: LeRobotDataset(folder) for folder in dict.fromkeys(data)}
    datasets = [distinct[folder] for folder in data]
    with Workers(settings.sharded).first_alone():  # it decodes the videos for the others
        source = EpisodeSource.joined(
            [EpisodeSource.from_dataset(dataset, settings.camera) for dataset in datasets]
        )
    facts = {
        "episodes": sum(len(dataset.episode_offsets) - 1 for dataset in distinct.values()),
        "frames": sum(len(dataset.hand_pose) for dataset in distinct.values()),
        "sha256": " ".join(dataset.content_hash for dataset in distinct.values()),
    }
    times = [data.count(folder) for folder in distinct]
    if max(times) > 1:
        facts["counted"] = " ".join(f"{number} times" for number in times)
    origins = [dataset.origin.sentence for dataset in distinct.values() if dataset.origin]
    if origins:
        facts["origins"] = origins
    start = WarmStart(start_from) if start_from else None
    return Run(out, settings, source, facts, start)
