"""Success of every task, disturbed and not, and of the controls on test seeds.

    python benchmarks/success_table.py --out runs/success [--episodes 50] [--workers 2]

makes the table in README.md. Whether one dream at a time will do, also where things move:

    python benchmarks/success_table.py --out runs/one_dream --candidates 1 --episodes 100
        --disturb object_moved --controls-on reach pick_lift tray_lift handover towel_fold

Every cell is one `wm-planner evaluate` run whose JSON is kept in --out, so an interrupted table
continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

TASKS = ("reach", "pick_lift", "tray_lift", "handover", "towel_fold")
CONTROLS = {
    "untrained world model": ["--untrained", "world_model"],
    "untrained inverse dynamics": ["--untrained", "inverse_dynamics"],
    "wrong instruction": ["--instruction", "wrong"],
    "no instruction": ["--instruction", "none"],
}
CONTROLLED = ("pick_lift", "tray_lift")


def cells(args: argparse.Namespace) -> list[tuple[str, str, list[str]]]:
    """(task, what, extra arguments) of every cell, the main ones first."""
    rows = {"": [], **{kind.replace("=", " "): ["--disturb", kind] for kind in args.disturb}}
    main = [(task, name, extra) for name, extra in rows.items() for task in args.tasks]
    controlled = [task for task in args.controls_on if task in args.tasks]
    return main + [(task, name, extra) for name, extra in CONTROLS.items() for task in controlled]


def evaluate(args: argparse.Namespace, task: str, name: str, extra: list[str]) -> dict:
    """Run one cell, or read it where it is done."""
    path = args.out / f"{task}{'-' + name.replace(' ', '_') if name else ''}.json"
    command = [
        sys.executable, "-m", "wm_planner.cli", "evaluate", "--task", task, "--resume",
        "--episodes", str(args.episodes), "--candidates", str(args.candidates),
        "--seed", str(args.seed), "--workers", str(args.workers), "--json", str(path), *extra,
    ]  # fmt: skip
    if not path.exists():
        command.remove("--resume")
    subprocess.run(command, check=True)
    return json.loads(path.read_text())


def main() -> None:
    """Run all cells and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--episodes", type=int, default=50, help="per cell (50)")
    parser.add_argument("--candidates", type=int, default=8, help="dreams per plan (8)")
    parser.add_argument("--seed", type=int, default=1_000_000, help="first test seed (1000000)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
                        help=f"some of: {', '.join(TASKS)}")  # fmt: skip
    parser.add_argument("--controls-on", nargs="*", choices=TASKS, default=list(CONTROLLED),
                        metavar="TASK", help=f"({' '.join(CONTROLLED)})")  # fmt: skip
    parser.add_argument("--disturb", nargs="*", default=[], metavar="KIND[=AMOUNT]",
                        help="more rows, as of wm-planner evaluate --disturb")  # fmt: skip
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for task, name, extra in cells(args):
        result = evaluate(args, task, name, extra)
        low, high = result["interval_95"]
        disturbed = result["disturbed"]
        happened = f"{disturbed['successes']}/{disturbed['applied']}" if disturbed else ""
        rows.append(
            f"| {task} | {name or 'trained'} | {result['successes']}/{result['episodes']} | "
            f"{100 * low:.0f} to {100 * high:.0f}% | {happened} |"
        )
    head = "| task | | successes | 95% interval | where it was disturbed |"
    table = [head, "|---|---|---|---|---|", *rows]
    (args.out / "table.md").write_text("\n".join(table) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    main()
