"""How much nearer plans are to recorded commands than no model would be, by cross-validation.

    python benchmarks/cross_validation.py --recordings g1/lerobot_v21 --out runs/cross_validation
        --part 2 8 13 --part 4 11 15 --part 7 12 16 --always 1 10

For every part, models learn from the recordings of all other parts (and those of --always), from
the weights of --start-from on, and plan on the part's own recordings, which they never saw, in
`wm-planner replay`. Every recording of a part is so judged once, by models that did not learn from
it. Whatever was chosen for the recipe must have been chosen on recordings that are in no part.

Every step is a `wm-planner` command that goes on where it stopped, and is left out where it is
done; so an interrupted table continues.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from wm_planner.replay.margins import COMMANDED, MEASURED, path_margins

ROOT = Path(__file__).parents[1]
CAMERAS = "head=cam_high"
WORKED_OUT = {COMMANDED: "recorded commands", MEASURED: "measured palms"}


def do(*words: str | Path, done: Path) -> None:
    """Run a `wm-planner` command unless what it makes is there."""
    if not done.exists():
        print("wm-planner", *words, flush=True)
        command = [sys.executable, "-m", "wm_planner.cli", *(str(word) for word in words)]
        subprocess.run(command, check=True)


def bring(args: argparse.Namespace, name: str, numbers: list[str]) -> Path:
    """Import recordings for training (all phases) and for replay (bags); return their folder."""
    folder: Path = args.out / "recordings" / name
    origin = ["--published-at", args.published_at, "--licence", args.licence]
    source = [args.recordings, "--rig", args.rig, "--cameras", args.cameras, *origin]
    for kind, phases in (("training", args.phases), ("single", 1)):
        do("import", *source, "--out", folder / kind, "--episodes", *numbers,
           "--phases", str(phases), done=folder / kind)  # fmt: skip
    do("export-bag", folder / "single", "--out", folder / "bags", done=folder / "bags")
    return folder


def judge(args: argparse.Namespace, name: str, own: Path, others: list[Path]) -> list[Any]:
    """Train on the others' recordings, plan on the own ones; return what each bag's replay says."""
    folder: Path = args.out / "folds" / name
    folder.mkdir(parents=True, exist_ok=True)
    data = [other / "training" for other in others]
    models, replayed = folder / "models", folder / "replay"
    do("train", "--data", *data, "--out", folder / "run", "--config", args.training,
       "--start-from", args.start_from, "--threads", str(args.threads), done=models)  # fmt: skip
    do("export", "--data", *data, "--run", folder / "run", "--out", models, done=models)
    config = yaml.safe_load(args.config.read_text())
    for model in ("world_model", "inverse_dynamics"):
        config[model]["bundle"] = str((models / model).resolve())
    (folder / "planner.yaml").write_text(yaml.safe_dump(config))
    do("replay", *sorted((own / "bags").iterdir()), "--config", folder / "planner.yaml",
       "--instruction", args.instruction, "--out", replayed,
       done=replayed / "report.json")  # fmt: skip
    bags: list[Any] = json.loads((replayed / "report.json").read_text())["bags"]
    return bags


def told(margin: dict[str, Any]) -> str:
    """A margin and its interval, which a single recording does not have, mm."""
    mean = f"{1e3 * margin['margin']:.1f}"
    if margin["interval"] is None:
        return mean
    low, high = margin["interval"]
    return f"{mean} ({1e3 * low:.1f} to {1e3 * high:.1f})"


def table(bags: dict[str, list[Any]], seed: int) -> str:
    """Margins of each part and of all recordings together, in mm."""
    rows = [
        "| recordings | hand | against | planned | standing still | nearer than standing still "
        "| than going on as before |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    everything = {**bags, "all": [bag for part in bags.values() for bag in part]}
    for name, results in everything.items():
        for against, what in WORKED_OUT.items():
            for hand, found in path_margins(results, against, seed).items():
                still, before = found["baselines"].values()
                rows.append(
                    f"| {name} ({found['bags']}) | {hand} | {what} | {1e3 * found['planned']:.1f} "
                    f"| {1e3 * still['mean']:.1f} | {told(still)} | {told(before)} |"
                )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--recordings", type=Path, required=True, metavar="DATASET", help="LeRobot dataset")
    add("--part", nargs="+", action="append", required=True, metavar="N",
        help="numbers of recordings to judge together; once for every part")  # fmt: skip
    add("--always", nargs="+", default=[], metavar="N", help="recordings that all learn from")
    add("--out", type=Path, required=True, metavar="DIR", help="results")
    add("--rig", default="unitree_g1_inspire", help="rig file (unitree_g1_inspire)")
    add("--cameras", default=CAMERAS, metavar="RIG=RECORDED", help=f"({CAMERAS})")
    add("--training", type=Path, default=ROOT / "config/training/unitree_g1_once.yaml",
        metavar="YAML", help="recipe (config/training/unitree_g1_once.yaml)")  # fmt: skip
    add("--config", type=Path, default=ROOT / "config/unitree_g1_inspire.yaml", metavar="YAML",
        help="planner (config/unitree_g1_inspire.yaml)")  # fmt: skip
    add("--start-from", type=Path, default=ROOT / "models/simulated_bimanual", metavar="DIR",
        help="weights that saw no recording of a part (models/simulated_bimanual)")  # fmt: skip
    add("--instruction", default="Pick up the yellow bottle on the table.", help="to plan for")
    add("--phases", type=int, default=6, help="episodes to learn from a recording (6)")
    add("--published-at", default="github.com/YifanTian07/G1-policy-train", help="for the cards")
    add("--licence", default="MIT", help="of the recordings (MIT)")
    add("--threads", type=int, default=1, help="CPU threads of training (1)")
    add("--seed", type=int, default=0, help="of the bootstrap over recordings (0)")
    args = parser.parse_args()
    parts = {f"part {number}": numbers for number, numbers in enumerate(args.part, 1)}
    folders = {name: bring(args, name.replace(" ", "_"), own) for name, own in parts.items()}
    always = [bring(args, "always", args.always)] if args.always else []
    bags = {}
    for name, own in folders.items():
        others = [folder for other, folder in folders.items() if other != name]
        bags[name] = judge(args, name.replace(" ", "_"), own, others + always)
    text = table(bags, args.seed)
    (args.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
