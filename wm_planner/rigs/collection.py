"""One training episode of the simulated rig, by a scripted expert or at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from wm_planner.rigs.hands import CLOSED, LOWER, OPEN, UPPER
from wm_planner.rigs.mujoco_rig import MujocoRig
from wm_planner.rigs.near_misses import record_near_miss
from wm_planner.rigs.performance import EpisodeOver, Performance
from wm_planner.rigs.stills import record_stills, vary
from wm_planner.robot.robot_model import RobotModel

#: Share of each kind of episode and of each task in a training set.
KINDS = {"expert": 0.52, "recovery": 0.14, "failure": 0.05, "play": 0.09, "stills": 0.2}
#: Kinds that are recorded when asked for by name.
SPECIAL_KINDS = ("near_miss",)
TASK_SHARES = {
    "reach": 0.32,
    "pick_lift": 0.32,
    "tray_lift": 0.14,
    "handover": 0.14,
    "towel_fold": 0.08,
}


def record_episode(
    rig: MujocoRig, robot: RobotModel, task: str, seed: int, kind: str, variation: float = 0.0
) -> dict[str, Any]:
    """Perform and record one episode.

    Args:
        rig: any simulated rig; it is reset.
        robot: the rig's kinematics.
        task: name of the task; its scene and objects.
        seed: fixes the scene and everything that the expert does.
        kind: "expert", "recovery" (a mistake, mended), "failure" (not mended), "play" (random),
            "stills" (unrelated frames, see `stills.record_stills`), "near_miss" (a hand beside the
            cube, always in the scene of pick_lift, see `near_misses.record_near_miss`).
        variation: probability of another light, colours, camera pose and clutter.

    Returns:
        ``image`` (N, 96, 128, 3) uint8; ``joint_position``, ``joint_velocity`` (N, 12);
        ``gripper_width`` (N, 2) m; ``hand_pose``, ``hand_target`` (N, 20) packed, the target due at
        the next frame; ``action`` (N, 20) the same relative to the measured pose; ``step_good``
        (N,) bool; ``object_position`` (N, M, 3) m; and ``object_names``, ``task``, ``instruction``
        ("" for play), ``success``, ``kind``, ``seed``.
    """
    if kind == "stills":
        return record_stills(rig, robot, task, seed, variation)
    if kind == "near_miss":
        return record_near_miss(rig, robot, seed)
    rig.reset(task, seed)
    vary(rig, seed, variation)
    generator = np.random.default_rng([seed, 2])
    recoveries = rig.task.recoveries
    if kind == "recovery" and not recoveries:
        kind = "expert"
    mistake = {"recovery": str(generator.choice(recoveries or ("",))), "failure": "fail"}.get(
        kind, ""
    )
    noise = float(generator.choice([0.0015, 0.003, 0.006]))
    limit = int(rig.task.time_limit_s / 0.2) + (25 if kind == "recovery" else 0)
    performance = Performance(rig, robot, generator, noise_m=noise, max_steps=limit)
    try:
        if kind == "play":
            _play(performance)
        else:
            rig.task.perform(performance, mistake)
    except EpisodeOver:
        pass
    record = performance.finish()
    arrays = {name: np.stack(values) for name, values in vars(record).items()}
    if kind == "failure" and rig.succeeded():
        # A miss that physics forgave is no failure, and its actions were good ones.
        kind = "expert"
        arrays["step_good"] = np.ones_like(arrays["step_good"])
    instruction = "" if kind == "play" else str(generator.choice(rig.task.instructions))
    return arrays | {
        "object_names": rig.tracked,
        "task": "play" if kind == "play" else task,
        "instruction": instruction,
        "success": rig.succeeded() and kind != "play",
        "kind": kind,
        "seed": seed,
    }


def _play(performance: Performance) -> None:
    """Random motion, often near objects: what actions do when nobody wants anything."""
    rig, generator = performance.rig, performance.generator
    for _ in range(int(generator.integers(3, 6))):
        target = performance.hands.copy()
        for side in range(2):
            if generator.random() < 0.2:
                continue
            target.position[side] = generator.uniform(LOWER[side], UPPER[side])
            if generator.random() < 0.5:
                thing = rig.object_position(str(generator.choice(rig.movable)))
                if thing[2] > 0:  # on the table, not parked
                    spread = generator.normal(0, [0.04, 0.04, 0.03])
                    target.position[side] = thing + [0, 0, 0.05] + spread
            target.turn[side] = generator.normal(0, [0.4, 0.12, 0.12])
            target.width[side] = generator.choice([CLOSED, 0.04, OPEN])
        target.position = np.clip(target.position, LOWER, UPPER)
        if target.position[1, 0] - target.position[0, 0] < 0.17:  # keep the arms apart
            middle = target.position[:, 0].mean()
            target.position[:, 0] = middle - 0.09, middle + 0.09
        performance.move(target, performance.pace(5))
