"""Episodes in which something is disturbed under a scripted expert's hands.

The scripts aim once, so they go on as if nothing had happened: hands close beside what was pushed,
a towel is folded by one corner. Then the expert looks again, mostly before it grasps, and goes on
from there. These are the states that a planner comes to with the same disturbance
(`datasets.planner_recorder`), for a fraction of the time, as nothing needs to be dreamed.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from wm_planner.rigs.disturbance import KINDS, Disturbance
from wm_planner.rigs.hands import Hands
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.robot.robot_model import RobotModel

SETTLING_STEPS = {"object_pushed": 3}  # until what was disturbed lies still; 0: it does at once
NOTICED_STEPS = (3, 20)  # from the disturbance until the expert looks again
PROMPT_STEPS = (0, 3)  # the same where it is prompt
PROMPT_SHARE = 0.75  # of episodes
STARING_STEPS = 3  # at most, at rest before it goes on, as a planner does that is stuck
AFRESH_SHARE = 0.3  # of episodes, where it is late: the expert goes home first
FINISH_STEPS = 60  # at most, from there on
LIFTED_M = 0.01  # a thing that is higher than it was is in somebody's hand


class _Noticed(Exception):
    """The expert looks up."""


class _Unaware(Performance):
    """Goes on for a while after a disturbance; what it does then is marked as no good."""

    disturbed_at = -1  # step in whose course it happened
    patience = 0  # steps from there on
    unaware = True

    def _advance(self, hands: Hands, following: Hands | None, good: bool) -> None:
        disturbed = self.rig.disturbed
        if self.unaware and disturbed is not None and disturbed.applied:
            if self.disturbed_at < 0:
                self.disturbed_at = self.step - 1
                self.record.step_good[-1] = False
            if self.step > self.disturbed_at + self.patience:
                raise _Noticed
            good = False
        super()._advance(hands, following, good)

    def forgive(self) -> None:
        """Mark as good what was done unawares."""
        steps = self.record.step_good
        steps[self.disturbed_at + 1 :] = [True] * len(steps[self.disturbed_at + 1 :])


def promptly(generator: np.random.Generator) -> int:
    """Draw after how many steps from a disturbance somebody looks again who notices in time."""
    return int(generator.integers(*PROMPT_STEPS, endpoint=True))


def drawn(disturbances: tuple[Disturbance, ...], seed: int) -> Disturbance:
    """Return the one that goes wrong in this episode, by half to one and a half times as much."""
    generator = np.random.default_rng([seed, 17])
    one = disturbances[generator.integers(len(disturbances))]
    low, high = np.clip(
        one.amount * np.array([0.5, 1.5]), KINDS[one.kind].minimum, KINDS[one.kind].maximum
    )
    return Disturbance(one.kind, float(generator.uniform(low, high)))


def lifted(rig: MujocoRig, rest: dict[str, float]) -> list[str]:
    """Return the things that are higher than they rested, m."""
    return [name for name, z in rest.items() if rig.object_position(name)[2] > z + LIFTED_M]


def record_disturbed_expert(
    rig: MujocoRig, robot: RobotModel, task: str, seed: int, disturbance: Disturbance
) -> dict[str, Any]:
    """Perform and record one episode.

    Args:
        rig: it is reset.
        robot: the rig's kinematics.
        task: name of the task.
        seed: fixes the scene, what happens when, and how long the expert does not notice.
        disturbance: what goes wrong.

    Returns:
        As `collection.record_episode`, of kind "recovery". Steps between the disturbance and the
        expert's next look are no good ones, unless they brought the task to its end.
    """
    rig.reset(task, seed)
    rest = {name: rig.object_position(name)[2] for name in rig.movable}
    rig.disturb(disturbance, seed)
    generator = np.random.default_rng([seed, 6])
    noise = float(generator.choice([0.0015, 0.003, 0.006]))
    limit = int(rig.task.time_limit_s / 0.2)
    performance = _Unaware(rig, robot, generator, noise_m=noise, max_steps=limit)
    prompt = generator.random() < PROMPT_SHARE
    if prompt:
        performance.patience = promptly(generator)
    else:
        performance.patience = int(generator.integers(*NOTICED_STEPS, endpoint=True))
    afresh = generator.random() < AFRESH_SHARE and not prompt
    with contextlib.suppress(EpisodeOver, _Noticed):
        rig.task.perform(performance, "")
    performance.unaware = False
    rig.suspend_disturbance()
    if performance.disturbed_at >= 0:
        held = lifted(rig, rest)
        if rig.succeeded():
            performance.forgive()
        elif rig.task.resumable(rig, held):
            still = performance.disturbed_at + 1 + SETTLING_STEPS.get(disturbance.kind, 0)
            _go_on(performance, still, afresh and not held)
    arrays = {name: np.stack(values) for name, values in vars(performance.finish()).items()}
    return arrays | {
        "object_names": rig.tracked, "task": task,
        "instruction": str(generator.choice(rig.task.instructions)),
        "success": rig.succeeded(), "kind": "recovery", "seed": seed,
    }  # fmt: skip


def _go_on(performance: _Unaware, still: int, afresh: bool) -> None:
    """Wait until step ``still``, when nothing slides any more, and do the task from there."""
    performance.max_steps = performance.step + FINISH_STEPS
    with contextlib.suppress(EpisodeOver):
        performance.hold(max(still - performance.step, 0))
        if performance.patience > PROMPT_STEPS[1]:
            performance.hold(int(performance.generator.integers(STARING_STEPS + 1)), good=False)
        if afresh:
            performance.go_home()
        performance.rig.task.perform(performance, "")
