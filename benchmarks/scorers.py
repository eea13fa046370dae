"""Which scorer knows how a recorded future went?

    OMP_NUM_THREADS=1 python benchmarks/scorers.py --data data/held_out --out results/scorers.json

Windows of episodes in which something was asked for, cut at even distances before success. Judged
are the recorded future itself, and a dream of it in which the recorded commands were given; what
really happened decides. Three figures for each scorer:

- AUROC: how often a future that ends in success is scored above one of the same task that does
  not, averaged over tasks, with a 95% interval from drawing episodes anew;
- rank correlation (Spearman) with the time that is left to success, among successes of a task;
- order: of two windows of one success, how often the later one is scored above the earlier one.

Scorers whose head the bundle lacks are left out. `latent` and `perceptual` are the distance to the
episode's own last picture, in latents (what `image_goal` takes) and by shift-tolerant LPIPS, among
successes alone: which of them is the better distance to a goal image?
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from wm_planner import actions
from wm_planner.assembly import build_scorers, load_bundles, open_inverse_dynamics, open_world_model
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL
from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import BundleError
from wm_planner.open_loop.dreams import act, decode, encode
from wm_planner.open_loop.inversion import commanded
from wm_planner.open_loop.models import Reader, window_sizes
from wm_planner.open_loop.windows import Windows, windows_at
from wm_planner.registry import BUILT_IN, resolve, settings_of
from wm_planner.robot.rig_description import find_rig
from wm_planner.scorers.scorer import Scorer, ScoringContext
from wm_planner.types import ActionChunks, Goal, Need, Resimulation, Rollouts
from wm_planner.world_models.world_model import WorldModel

HOLD = 4  # frames that experts hold for after success
RESAMPLES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--every", type=int, default=6, help="frames between windows (default: 6)")
    parser.add_argument("--seed", type=int, default=0, help="of noise and resampling")
    parser.add_argument("--perceptual", type=int, default=0, metavar="N",
                        help="windows to compare distances to the last picture on")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="figures as JSON")
    add_stack_arguments(parser)
    args = parser.parse_args()
    config = read_stack_config(args)
    bundles = load_bundles(config, find_rig(config.rig))
    model = open_world_model(config, bundles[WORLD_MODEL])
    inverse = open_inverse_dynamics(config, bundles[INVERSE_DYNAMICS])
    reader = Reader(inverse, model, args.seed)
    scorers = open_scorers(config, bundles[WORLD_MODEL])
    figures: dict = {"windows": {}, "auroc": {}, "time": {}, "order": {}}
    columns: dict[str, list] = {name: [] for name in ("task", "episode", "success", "left")}
    scores: dict[tuple[str, str], list] = {}
    apart: dict[str, list] = {"latent": [], "perceptual": [], "left": [], "task": []}
    for number, folder in enumerate(args.data):
        data = LeRobotDataset(folder)
        episode, newest, left = choose(data, model.spec.horizon, args.every)
        windows = windows_at(data, window_sizes(data, model), episode, newest)
        context = windows.images.shape[1] - windows.horizon
        real = encode(model, windows.images[:, context - 1 :])
        dreams = np.stack([
            act(model, windows, b, [b], np.random.default_rng([args.seed, b]))[0]
            for b in range(len(windows))
        ])  # fmt: skip
        for what, future in (("recorded", real[:, 1:]), ("dreamed", dreams)):
            read = reader(windows, future.astype(np.float32), real[:, 0], what == "dreamed")
            chain = read.actions if what == "dreamed" else commanded(windows)
            seen = Futures(future, chain, read.variance, real[:, 0])
            judged = judge(scorers, model, windows, seen, config.planner.execute_steps, args.seed)
            for name, values in judged.items():
                scores.setdefault((name, what), []).append(values)
        columns["task"].append(windows.task)
        columns["episode"].append(windows.episode + number * 10**6)
        columns["success"].append(left <= windows.horizon)
        columns["left"].append(left)
        if args.perceptual:
            compare_distances(apart, data, model, windows, left, args.perceptual, args.seed)
    known = {name: np.concatenate(parts) for name, parts in columns.items()}
    figures["windows"] = {
        task: [
            int((known["task"] == task).sum()),
            int(known["success"][known["task"] == task].sum()),
        ]
        for task in sorted(set(known["task"]))
    }
    for (name, what), parts in scores.items():
        values = np.concatenate(parts)
        figures["auroc"][f"{name}, {what}"] = auroc_with_interval(values, known, args.seed)
        figures["time"][f"{name}, {what}"] = time_correlation(values, known["left"], known["task"])
        figures["order"][f"{name}, {what}"] = order(values, known["left"], known["episode"])
    for name in ("latent", "perceptual"):
        if apart["left"]:
            figures["time"][f"{name} distance to the last picture"] = time_correlation(
                -np.array(apart[name]), np.array(apart["left"]), np.array(apart["task"])
            )
    print(json.dumps(figures, indent=1))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")


def open_scorers(config, bundle) -> dict[str, Scorer]:  # type: ignore[no-untyped-def]
    """Every built-in scorer with default settings, but those without their head and image_goal."""
    found = {}
    for name in BUILT_IN["scorers"]:
        if name == "image_goal":
            continue
        settings = settings_of(resolve("scorers", name))()
        try:
            (found[name],) = build_scorers(
                dataclasses.replace(config, scorers={name: settings}), bundle
            )
        except BundleError as error:
            print(error)
    return found


def choose(data: LeRobotDataset, horizon: int, every: int) -> tuple[np.ndarray, ...]:
    """Episodes and newest frames of windows, and the frames left to success (inf: never)."""
    episodes, newest, left = [], [], []
    for e in range(len(data)):
        if data.kind[e] in ("stills", "play") or not data.instruction[e]:
            continue
        length = int(np.diff(data.episode_offsets)[e])
        done = length - 1 - HOLD if data.success[e] else np.inf
        for at in range(0, max(length - horizon, 1), every):
            if at < done:
                episodes.append(e)
                newest.append(at)
                left.append(done - at)
    return np.array(episodes), np.array(newest), np.array(left)


@dataclass(frozen=True, eq=False)
class Futures:
    """What is judged, of B windows.

    Attributes:
        latents: shape (B, H, ...).
        chain: their actions, (B, H, 20).
        variance: stated of these, (B, H, 20).
        newest: latents of the newest observed frames, (B, ...).
    """

    latents: np.ndarray
    chain: np.ndarray
    variance: np.ndarray
    newest: np.ndarray


def judge(
    scorers: dict[str, Scorer], model: WorldModel, windows: Windows, futures: Futures,
    execute_steps: int, seed: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Score all windows one at a time, as candidates of plans of their own."""
    result = {name: np.zeros(len(windows)) for name in scorers}
    dt, digest = model.spec.dt, model.spec.bundle_hash
    need = max((scorer.needs for scorer in scorers.values()), default=Need.NOTHING)
    for b, seen in enumerate(windows.seen):
        row = slice(b, b + 1)
        rollouts = Rollouts(futures.latents[row], dt, 0, 0, digest)
        chunks = ActionChunks(futures.chain[row], futures.variance[row], dt, 0, digest)
        again = None
        if need:
            start, generator = (
                actions.unpack(windows.hand_pose[b]),
                np.random.default_rng([seed, 4, b]),
            )
            simulated = model.simulate(seen, start, chunks, generator)
            again = Resimulation(rollouts, simulated, futures.newest[b])
        goal, scene = Goal(str(windows.instruction[b])), seen.images[model.spec.camera][-1]
        context = ScoringContext(rollouts, chunks, goal, model, execute_steps, again, scene)
        for name, scorer in scorers.items():
            result[name][b] = scorer.score(context).contribution[0]
    return result


def auroc(values: np.ndarray, success: np.ndarray, task: np.ndarray) -> float:
    """Mean over tasks that have both; from ranks (Mann and Whitney 1947)."""
    found = []
    for t in np.unique(task):
        good = success[task == t]
        n = good.sum()
        if 0 < n < len(good):
            above = rankdata(values[task == t])[good].sum() - n * (n + 1) / 2
            found.append(above / (n * (len(good) - n)))
    return float(np.mean(found))


def auroc_with_interval(values: np.ndarray, known: dict[str, np.ndarray], seed: int) -> list[float]:
    """AUROC and its 95% interval over episodes drawn anew; last, against failures alone."""
    success, task = known["success"], known["task"]
    rows_of = {e: np.flatnonzero(known["episode"] == e) for e in np.unique(known["episode"])}
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = generator.choice(list(rows_of), len(rows_of))
        rows = np.concatenate([rows_of[e] for e in chosen])
        drawn.append(auroc(values[rows], success[rows], task[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    hard = success | np.isinf(known["left"])
    return [
        round(x, 3)
        for x in (auroc(values, success, task), float(low), float(high),
                  auroc(values[hard], success[hard], task[hard]))
    ]  # fmt: skip


def time_correlation(values: np.ndarray, left: np.ndarray, task: np.ndarray) -> float:
    """Spearman's rank correlation with minus the time left, mean over tasks, successes alone."""
    good = np.isfinite(left)
    found = [
        spearmanr(values[good & (task == t)], -left[good & (task == t)]).statistic
        for t in sorted(set(task[good]))
    ]
    return round(float(np.mean(found)), 3)


def order(values: np.ndarray, left: np.ndarray, episode: np.ndarray) -> float:
    """Share of pairs of windows of one success that are in the right order."""
    right = []
    for e in np.unique(episode[np.isfinite(left)]):
        rows = np.flatnonzero(episode == e)
        late, early = np.nonzero(left[rows][:, None] < left[rows][None])
        right += list(values[rows[late]] > values[rows[early]])
    return round(float(np.mean(right)), 3)


def compare_distances(apart, data, model, windows, left, count, seed) -> None:  # type: ignore[no-untyped-def]
    """Distance of some windows' last pictures to the episode's last one, two ways."""
    from wm_planner.training.perceptual_distance import perceptual_distance

    good = np.flatnonzero(np.isfinite(left))
    some = np.random.default_rng(seed).permutation(good)[:count]
    last = windows.images[some, -1]
    frames = data.frames(model.spec.camera)
    goal = frames[data.episode_offsets[windows.episode[some] + 1] - 1]
    seen, wanted = encode(model, last), encode(model, goal)
    square = (seen - wanted) ** 2
    apart["latent"] += list(np.sqrt(square.mean(axis=tuple(range(1, square.ndim)))))
    scenes = windows.images[some, model.spec.context_frames - 1]
    # Dreams are decoded: compare as pictures that a decoder made, on one side.
    apart["perceptual"] += list(perceptual_distance()(decode(model, seen, scenes), goal))
    apart["left"] += list(left[some])
    apart["task"] += list(windows.task[some])


if __name__ == "__main__":
    main()
