"""Who knows the best of a plan's dreams: judges of dreams, of re-simulations, of what really came.

    python benchmarks/judges.py --out runs/judges --episodes 12 --seed 960000

In closed loop, the accepted candidates of every --every-th plan are tried in the simulator for
--steps steps, and the camera looks after --execute-steps and --steps. Then judges choose: by how
much is their choice nearer to success than the plan's mean candidate (mm), and how do they rank
candidates (Spearman's correlation within plans)? Re-simulated is what will be carried out, at the
speed that the filters ask for. A judge of what the camera really saw bounds what
a world model without errors would give; "the nearest then" what any judge could choose. Below:
how alike dreams and re-simulations are to what came, in what sets candidates of a plan apart
(correlation of their latents less the plan's mean). Intervals are bootstraps over episodes.

Every episode is a file in --out with all that the planner saw and dreamed, so other judges can be
tried in seconds; an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from wm_planner.assembly import assemble
from wm_planner.closed_loop.choosing import Estimate, estimate
from wm_planner.closed_loop.episode import run_episode
from wm_planner.closed_loop.evaluation import goals_for, open_simulated_rig
from wm_planner.closed_loop.tried_plans import PlanTester, TriedPlan, load, save
from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.rigs.disturbance import Disturbance
from wm_planner.types import Goal
from wm_planner.world_models.world_model import WorldModel

CELLS = (
    "handover:object_moved", "towel_fold:object_moved", "pick_lift:object_pushed",
    "tray_lift:object_pushed", "towel_fold:object_pushed",
)  # fmt: skip
LAST = 3  # frames that the shipped scorer values
Judge = Callable[["Judged"], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """One tried plan and what the value head says of its T tried candidates.

    Attributes:
        plan: the plan.
        dreamed: of the dreams, (T, H).
        simulated: of the re-simulations, (draws, T, H).
        seen: of what the camera saw, (T, 2).
        seen_latents: the same as latents, (T, 2, ...).
    """

    plan: TriedPlan
    dreamed: np.ndarray
    simulated: np.ndarray
    seen: np.ndarray
    seen_latents: np.ndarray

    @staticmethod
    def by(model: WorldModel, plan: TriedPlan, instruction: str) -> Judged:
        """Ask the value head."""
        rows, goal, shape = plan.tried, Goal(instruction), model.spec.latent_shape

        def value(latents: np.ndarray) -> np.ndarray:
            flat = latents.reshape(-1, *shape).astype(np.float32)
            return model.value(flat, goal).reshape(latents.shape[: -len(shape)])

        pictures = plan.seen[rows]
        seen = model.look(pictures.reshape(-1, *pictures.shape[2:]))
        seen = seen.reshape(*pictures.shape[:2], *shape)
        return Judged(
            plan, value(plan.latents[rows]), value(plan.simulated[:, rows]), value(seen), seen
        )


def judges(executed: int) -> dict[str, Judge]:
    """Return who is compared; each gives the tried candidates numbers, (T,)."""
    simulated: Judge = lambda j: j.simulated.mean(axis=0)  # noqa: E731
    return {
        "the planner (its scorers and pace)": lambda j: j.plan.score[j.plan.tried],
        f"value of the dream, last {LAST}": lambda j: j.dreamed[:, -LAST:].mean(axis=1),
        "value of the dream, all frames": lambda j: j.dreamed.mean(axis=1),
        "value of the dream, end of execution": lambda j: j.dreamed[:, executed - 1],
        f"value of the re-simulation, last {LAST}": lambda j: simulated(j)[:, -LAST:].mean(axis=1),
        "value of the re-simulation, all frames": lambda j: simulated(j).mean(axis=1),
        "value of the re-simulation, end of execution": lambda j: simulated(j)[:, executed - 1],
        "the same, the worse of two draws": lambda j: j.simulated.mean(axis=2).min(axis=0),
        "value of the dream and the re-simulation": lambda j: (
            j.dreamed.mean(axis=1) + simulated(j).mean(axis=1)
        ),
        "value of what the camera saw, end of execution": lambda j: j.seen[:, 0],
        "value of what the camera saw, at the end": lambda j: j.seen[:, 1],
        "value of what the camera saw, both": lambda j: j.seen.mean(axis=1),
    }


def nearest(steps: int) -> Judge:
    """Return who knows how much is left after so many steps."""
    return lambda j: j.plan.gained(steps)[j.plan.tried]


def over_plans(
    episodes: list[list[Judged]], of_plan: Callable[[Judged], float], digits: int
) -> str:
    """Return the mean over plans with its interval; NaN leaves a plan out."""
    values = [np.array([of_plan(one) for one in episode]) for episode in episodes]

    def mean(numbers: np.ndarray) -> float:
        drawn = np.concatenate([values[n] for n in numbers])
        drawn = drawn[np.isfinite(drawn)]
        return float(drawn.mean()) if len(drawn) else np.nan

    found: Estimate = estimate(mean, len(values), resamples=500)
    return found.text(digits)


def choice_mm(one: Judged, judge: Judge, steps: int) -> float:
    """By how much the choice is nearer to success than the mean candidate, mm."""
    gained = 1000 * one.plan.gained(steps)[one.plan.tried]
    return float(gained[np.argmax(judge(one))] - gained.mean())


def rank_correlation(one: Judged, judge: Judge, steps: int) -> float:
    """Spearman's, NaN where all are the same."""
    merit, gained = judge(one), one.plan.gained(steps)[one.plan.tried]
    if len(gained) < LAST or np.ptp(merit) == 0 or np.ptp(gained) == 0:
        return np.nan
    return float(np.corrcoef(rankdata(merit), rankdata(gained))[0, 1])


def alike(one: Judged, imagined: np.ndarray, look: int) -> np.ndarray:
    """Return the three sums of a correlation of latents, each less the plan's mean.

    Args:
        one: a plan.
        imagined: one frame each of its tried candidates, (T, ...).
        look: which of the camera's looks they are compared with.
    """
    came = one.seen_latents[:, look]
    ours, true = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (imagined, came))
    return np.array([(ours * true).sum(), (ours * ours).sum(), (true * true).sum()])


def table(episodes: list[list[Judged]], looks: tuple[int, int]) -> str:
    """Return everything as markdown."""
    head = "| judge | " + " | ".join(f"after {n} steps, mm | rank" for n in looks) + " |"
    lines = [head, "|---" * (1 + 2 * len(looks)) + "|"]
    everyone = judges(looks[0]) | {f"the nearest after {n} steps": nearest(n) for n in looks}
    for name, judge in everyone.items():
        cells = [name]
        for steps in looks:
            for figure, digits in ((choice_mm, 1), (rank_correlation, 2)):
                of_plan = functools.partial(figure, judge=judge, steps=steps)
                cells.append(over_plans(episodes, of_plan, digits))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| latents, correlation with what came | " + " | ".join(
        f"after {n} steps" for n in looks) + " |", "|---" * (1 + len(looks)) + "|"]  # fmt: skip
    sources: dict[str, Callable[[TriedPlan, int], np.ndarray]] = {
        "dream": lambda p, h: p.latents[p.tried, h],
        "re-simulation": lambda p, h: p.simulated[0, p.tried, h],
    }
    for name, take in sources.items():
        cells = [name]
        for look, steps in enumerate(looks):
            sums = [
                sum((alike(o, take(o.plan, steps - 1), look) for o in e), np.zeros(3))
                for e in episodes
            ]

            def correlation(numbers: np.ndarray, s: list[np.ndarray] = sums) -> float:
                both, ours, true = sum(s[n] for n in numbers)
                return float(both / np.sqrt(ours * true))

            cells.append(estimate(correlation, len(sums), resamples=500).text())
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def collect(args: argparse.Namespace) -> dict[str, list[list[Judged]]]:
    """Run what is missing, and return the judged plans of all episodes by cell."""
    config = read_stack_config(args)
    config = dataclasses.replace(
        config,
        onnx=dataclasses.replace(config.onnx, threads=1),
        planner=dataclasses.replace(config.planner, candidates=args.candidates),
    )
    stack = assemble(config)
    rig = open_simulated_rig("mujoco", stack.rig_description)
    question = {
        "candidates": args.candidates, "every": args.every, "steps": args.steps,
        "executed": config.planner.execute_steps,
        "world_model": stack.world_model.spec.bundle_hash,
        "inverse_dynamics": stack.inverse_dynamics.spec.bundle_hash,
    }  # fmt: skip
    found: dict[str, list[list[Judged]]] = {cell: [] for cell in args.cells}
    for seed in range(args.seed, args.seed + args.episodes):  # cells in turns
        for cell in args.cells:
            task, _, kind = cell.partition(":")
            path = args.out / f"{task}-{kind or 'none'}-{seed}.npz"
            goals = goals_for(rig, task, "task", seed)
            if not path.exists():
                looks = (config.planner.execute_steps, args.steps)
                tester = PlanTester(stack, args.every, looks)
                disturbance = Disturbance.parse(kind) if kind else None
                run_episode(
                    *(stack, rig, goals, task, seed), disturbance=disturbance, chooser=tester
                )
                save(path, tester.plans, question)
            plans, facts = load(path)
            if facts != question:
                raise SystemExit(f"{path} answers another question: choose another --out")
            judged = [
                Judged.by(stack.world_model, plan, goals[0].instruction or "")
                for plan in plans
                if len(plan.tried) > 1
            ]
            found[cell] += [judged] if judged else []
    return found


def main() -> None:
    """Collect, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results")
    parser.add_argument("--cells", nargs="+", default=list(CELLS), metavar="TASK[:KIND[=AMOUNT]]",
                        help=f"({' '.join(CELLS)})")  # fmt: skip
    parser.add_argument("--episodes", type=int, default=12, help="per cell (12)")
    parser.add_argument("--seed", type=int, default=900_000, help="first (900000)")
    parser.add_argument("--candidates", type=int, default=8, help="dreams per plan (8)")
    parser.add_argument("--every", type=int, default=2, help="plans: every n-th is tried (2)")
    parser.add_argument("--steps", type=int, default=10, help="how far (10)")
    add_stack_arguments(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found = collect(args)
    everyone = [episode for episodes in found.values() for episode in episodes]
    counts = ", ".join(
        f"{cell} {sum(map(len, episodes))} of {len(episodes)}" for cell, episodes in found.items()
    )
    looks = (read_stack_config(args).planner.execute_steps, args.steps)
    text = f"Plans of episodes: {counts}.\n\n{table(everyone, looks)}\n"
    (args.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
