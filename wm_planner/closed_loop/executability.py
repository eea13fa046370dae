"""Whether dreams can be carried out: every candidate of a plan, tried in the simulator.

A candidate is executable where hands are then seen to be near where the dream shows them: the same
inverse dynamics reads both, the dream and what the camera saw. Measured hands would not do, for
what is read are commands, which hands follow late. Beside it stands everything that the planner
knew of the candidate: so one can see what would have told, and how much there was to choose from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from wm_planner import actions
from wm_planner.assembly import Stack
from wm_planner.closed_loop.choosers import Chooser
from wm_planner.closed_loop.trials import Trial, Trials
from wm_planner.planner import PlanReport
from wm_planner.planner.plan_report import rejection_reasons
from wm_planner.planner.readable_frames import readable_frames
from wm_planner.types import HandPoses, Plan

HIGHER_IS_BETTER = "score "  # what quantities that speak for a candidate begin with


@dataclass(frozen=True)
class TriedCandidate:
    """One candidate and what became of it.

    Attributes:
        plan: counts the episode's plans whose candidates were tried.
        candidate: its number.
        chosen: whether the planner took it.
        rejected: the first reason against it, "" where it was accepted.
        known: what the planner could tell, by name; see `known_of`.
        refused: why the executor did not take it, "" where it did.
        position_m: furthest that a hand was seen from where it was dreamed, m; None where refused.
        rotation_rad: most that one was seen turned from that, rad; None where refused.
        behind_m: furthest that a measured hand was from its target, m; None where refused.
        behind_rad: most that one was turned from its target, rad; None where refused.
        succeeded: whether the task was done after the steps that would be executed.
        gained_m: by how much the way to success was shorter then, m; None where refused.
    """

    plan: int
    candidate: int
    chosen: bool
    rejected: str
    known: dict[str, float]
    refused: str = ""
    position_m: float | None = None
    rotation_rad: float | None = None
    behind_m: float | None = None
    behind_rad: float | None = None
    succeeded: bool = False
    gained_m: float | None = None

    def executable(self, position_m: float, rotation_rad: float) -> bool:
        """Whether the hands were seen within these of the dream."""
        if self.position_m is None or self.rotation_rad is None:
            return False
        return self.position_m <= position_m and self.rotation_rad <= rotation_rad


class CandidateTester(Chooser):
    """Leaves the choice to the planner, and tries all candidates of every n-th plan.

    Plans of which none was accepted are left out, as there is nothing to choose.

    Args:
        stack: whose candidates they are.
        every: n.
        steps: how far they are tried.
        executed: after how many steps the way to success is measured; at most `steps`.

    Attributes:
        tried: what came of it.
    """

    def __init__(self, stack: Stack, every: int, steps: int, executed: int) -> None:
        self._stack = stack
        self.tried: list[TriedCandidate] = []
        self._every, self._steps, self._executed = every, steps, executed
        self._seen = self._plans = 0

    def choose(self, report: PlanReport, trials: Callable[[], Trials], seed: int) -> int:
        """Return what the planner chose."""
        assert isinstance(report.plan, Plan)
        if self._seen % self._every == 0:
            self._try_all(report, trials(), report.plan.candidate)
            self._plans += 1
        self._seen += 1
        return report.plan.candidate

    def _try_all(self, report: PlanReport, here: Trials, chosen: int) -> None:
        score = sum((s.contribution for s in report.scores), np.zeros(len(report.total_score)))
        reasons = rejection_reasons(report.verdicts, score)
        known = known_of(report, here.start, self._steps)
        for k, reason in enumerate(reasons):
            noted = partial(
                TriedCandidate,
                plan=self._plans,
                candidate=k,
                chosen=k == chosen,
                rejected=reason,
                known={name: float(values[k]) for name, values in known.items()},
            )
            if not np.isfinite(report.trajectories.joint_position[k]).all():
                self.tried.append(noted(refused="not finite"))
                continue
            plan = report.plan_of(k)
            looks = range(1, self._steps + 1)
            trial = here.run(plan, self._steps, step_s=plan.dt, looks=looks)
            if trial.hands is None:
                self.tried.append(noted(refused=trial.refusal))
                continue
            targets = actions.integrate(here.start, report.chunks.actions[k])[: self._steps]
            position, rotation = deviation(self._read(here, trial), targets)
            behind = deviation(trial.hands, targets)
            last = self._executed - 1
            one = noted(
                position_m=position,
                rotation_rad=rotation,
                behind_m=behind[0],
                behind_rad=behind[1],
                succeeded=bool(trial.succeeded[last]),
                gained_m=here.way_left - float(trial.way_left[last]),
            )
            self.tried.append(one)

    def _read(self, here: Trials, trial: Trial) -> HandPoses:
        """Where inverse dynamics sees the hands told to be, in what the camera saw, (N,).

        A plan that is carried out slower shows the dream's steps later, so they are as far apart.
        """
        model, inverse = self._stack.world_model, self._stack.inverse_dynamics
        assert trial.seen is not None
        scene = here.window.images[model.spec.camera][-1]
        latents = model.look(np.concatenate([scene[None], trial.seen]))
        chunks = inverse.invert(
            readable_frames(model, inverse.spec, latents[None], scene),
            *(here.start, inverse.spec.dt, here.window.newest_stamp_ns, model.spec.bundle_hash),
            dreamed=False,
        )
        return actions.integrate(here.start, chunks.actions[0])


def deviation(measured: HandPoses, targets: HandPoses) -> tuple[float, float]:
    """Return how far apart hands are at worst: m, and rad."""
    way = np.linalg.norm(measured.position - targets.position, axis=-1)
    between = np.swapaxes(measured.rotation, -1, -2) @ targets.rotation
    cosine = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    return float(way.max()), float(np.arccos(np.clip(cosine, -1, 1)).max())


def known_of(report: PlanReport, start: HandPoses, steps: int) -> dict[str, np.ndarray]:
    """Return everything that the planner knew of each candidate, by name, each (K,).

    All scores and all that filters measured; what inverse dynamics says of its own error; and how
    rough, long and unlike the others the hands' paths are, over the first `steps`. Names of
    scores begin with `HIGHER_IS_BETTER`, and of the others less is better.
    """
    known = {f"{HIGHER_IS_BETTER}{s.scorer}": s.contribution for s in report.scores}
    for verdict in report.verdicts:
        name = f"{verdict.filter} {verdict.reason.value}"
        known[name] = verdict.measured
    variance = report.chunks.variance[:, :steps]
    variance = variance.reshape(*variance.shape[:2], 2, actions.HAND_SIZE)
    for name, part in (("position", actions.POSITION), ("rotation", actions.ROTATION)):
        known[f"stated {name} error"] = np.sqrt(variance[..., part].mean(axis=(1, 2, 3)))
    targets = actions.integrate(start, report.chunks.actions[:, :steps]).position  # (K, N, 2, 3)
    begin = np.broadcast_to(start.position, targets[:, :1].shape)
    path = np.concatenate([begin, targets], axis=1)
    known["path roughness"] = np.linalg.norm(np.diff(path, n=2, axis=1), axis=-1).mean(axis=(1, 2))
    known["path length"] = np.linalg.norm(np.diff(path, axis=1), axis=-1).sum(axis=1).mean(axis=1)
    unlike = np.linalg.norm(targets - np.nanmedian(targets, axis=0), axis=-1)
    known["unlike the others"] = unlike.mean(axis=(1, 2))
    return known
