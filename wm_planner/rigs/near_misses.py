"""Episodes in which the cube is moved away just before a hand reaches for where it was.

The hand ends up beside the cube, which scripted experts avoid and stills show without motion. A
model that guesses an object from where the hand is shows it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wm_planner.rigs.hands import CLOSED, LOWER, OPEN, UPPER
from wm_planner.rigs.performance import Performance
from wm_planner.rigs.simulated_scene import CUBE_HALF
from wm_planner.rigs.tasks.pick_lift import ABOVE, quarter_turn
from wm_planner.rigs.tasks.tabletop import FOOTPRINT

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.robot.robot_model import RobotModel

TASK = "pick_lift"
MISS_M = (0.045, 0.06)
_TRIES = 64


def record_near_miss(rig: MujocoRig, robot: RobotModel, seed: int) -> dict[str, Any]:
    """Grasp and lift beside the cube, in the form of `collection.record_episode`.

    ``step_good`` is False from the first frame on that shows the cube at its new place.
    """
    rig.reset(TASK, seed)
    generator = np.random.default_rng([seed, 5])
    performance = Performance(rig, robot, generator)
    _perform(performance)
    arrays = {name: np.stack(values) for name, values in vars(performance.finish()).items()}
    return arrays | {
        "object_names": rig.tracked,
        "task": TASK,
        "instruction": str(generator.choice(rig.task.instructions)),
        "success": rig.succeeded(),
        "kind": "near_miss",
        "seed": seed,
    }


def _perform(performance: Performance) -> None:
    rig, move = performance.rig, performance.move
    aim = rig.object_position("cube")
    side = int(aim[0] > 0)
    yaw = quarter_turn(rig.object_yaw("cube"))
    above = performance.hands.moved(side, aim + ABOVE, yaw, OPEN)
    move(above, performance.pace_for(side, above))
    rig.place("cube", _beside(performance, aim, yaw), yaw)
    rig.forward()
    move(above.moved(side, aim), performance.pace(4), good=False)
    performance.hold(1, good=False)
    move(performance.hands.moved(side, width=CLOSED), 2, good=False)
    move(performance.hands.moved(side, aim + ABOVE), performance.pace(4), good=False)
    performance.hold(3, good=False)


def _beside(performance: Performance, aim: np.ndarray, yaw: float) -> np.ndarray:
    """A place 4.5 to 6 cm from ``aim``, (3,) m: clear of other objects and of the open fingers."""
    rig, generator = performance.rig, performance.generator
    # The fingers open along the hand's x: go across that, to either side.
    heading = yaw + np.pi / 2 + generator.uniform(-0.4, 0.4, _TRIES)
    heading += np.pi * generator.integers(2, size=_TRIES)
    way = np.stack([np.cos(heading), np.sin(heading), np.zeros(_TRIES)], axis=1)
    places = aim + way * generator.uniform(*MISS_M, (_TRIES, 1))
    gap = np.full(_TRIES, np.inf)
    for name in rig.movable:
        thing = rig.object_position(name)
        if name != "cube" and thing[2] > 0:  # on the table, not parked
            radius = np.linalg.norm(FOOTPRINT[name]) + np.sqrt(2) * CUBE_HALF
            gap = np.minimum(gap, np.linalg.norm(places - thing, axis=1) - radius)
    low, high = LOWER.min(0)[:2], UPPER.max(0)[:2]
    outside = ((places[:, :2] < low) | (places[:, :2] > high)).any(1)
    gap = np.where(outside, -np.inf, np.minimum(gap, 0.0))
    return places[int(gap.argmax())]  # the first that is clear, else the one that is nearly
