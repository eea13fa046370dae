"""Frames in which hands and objects are anywhere, also in each other: they teach seeing.

In episodes a hand is mostly where an object is, so an encoder may learn the hand and guess the
object. Stills break that habit: each is a scene of its own, with hands drawn independently, beside
an object, or holding one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wm_planner import actions, images
from wm_planner.rigs.appearance import restore_appearance, vary_appearance
from wm_planner.rigs.hands import LOWER, OPEN, UPPER, Hands
from wm_planner.rigs.simulated_scene import PARKED

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.robot.robot_model import RobotModel

FRAMES = 40
HELD_WIDTH = 0.05


def record_stills(
    rig: MujocoRig, robot: RobotModel, task: str, seed: int, variation: float = 0.0
) -> dict[str, Any]:
    """`FRAMES` unrelated frames of a task's scene, in the form of `collection.record_episode`."""
    rig.reset(task, seed)
    generator = np.random.default_rng([seed, 4])
    rows: list[tuple[np.ndarray, ...]] = []
    start = rig.joint_state()[0]
    for _ in range(FRAMES):
        for name in rig.movable:  # a task may use fewer objects than the last layout did
            rig.place(name, PARKED, 0.0)
        rig.task.place(rig, generator)
        rig.forward()  # where things are now is asked for below
        if variation:
            restore_appearance(rig)  # the frame before this one may have been varied
        vary(rig, seed * FRAMES + len(rows), variation)
        hands = _draw_hands(rig, generator)
        joints = robot.inverse_kinematics(hands.poses()[None, None], start)[0][0, 0]
        if generator.random() < 0.35:
            tools = robot.hand_poses(joints, hands.width).position
            _put_into_hand(rig, generator, tools, hands)
        reached = robot.hand_poses(joints, hands.width)  # a held object sets the width
        rig.set_posture(joints, hands.width)
        rig.forward()
        packed = actions.pack(reached)
        rows.append((
            images.fit(rig.render("head"), 96, 128), joints, np.zeros_like(joints), hands.width,
            packed, packed, actions.encode(reached, reached), np.array(False),
            np.stack([rig.object_position(name) for name in rig.tracked]),
        ))  # fmt: skip
    names = (
        "image", "joint_position", "joint_velocity", "gripper_width", "hand_pose", "hand_target",
        "action", "step_good", "object_position",
    )  # fmt: skip
    arrays = {
        name: np.stack(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    return arrays | {
        "object_names": rig.tracked, "task": "stills", "instruction": "", "success": False,
        "kind": "stills", "seed": seed,
    }  # fmt: skip


def vary(rig: MujocoRig, seed: int, probability: float) -> None:
    """Change how the scene looks, or not; a stream of its own leaves all else as it is."""
    generator = np.random.default_rng([seed, 6])
    if generator.random() < probability:
        vary_appearance(rig, generator)


def _draw_hands(rig: MujocoRig, generator: np.random.Generator) -> Hands:
    hands = Hands(np.zeros((2, 3)), np.zeros((2, 3)), generator.uniform(0.0, OPEN, 2))
    for side in range(2):
        hands.position[side] = generator.uniform(LOWER[side], UPPER[side])
        hands.turn[side] = generator.normal(0, [0.4, 0.1, 0.1])
    if generator.random() < 0.6:  # near something, where grasps succeed or fail
        things = [rig.object_position(name) for name in rig.tracked]
        things = [thing for thing in things if thing[2] > 0]
        thing = things[generator.integers(len(things))]
        side = int(thing[0] + generator.normal(0, 0.05) > 0)
        hands.position[side] = thing + generator.normal(0, [0.04, 0.04, 0.04]) + [0, 0, 0.04]
    hands.position = np.clip(hands.position, LOWER, UPPER)
    if hands.position[1, 0] - hands.position[0, 0] < 0.15:
        hands.position[:, 0] = hands.position[:, 0].mean() + np.array([-0.09, 0.09])
    return hands


def _put_into_hand(
    rig: MujocoRig, generator: np.random.Generator, tools: np.ndarray, hands: Hands
) -> None:
    """Place an object between one hand's fingers, or a tray between both hands."""
    loose = [name for name in rig.movable if rig.body_position(name)[2] > 0]
    name = str(generator.choice(loose))
    if name == "tray":
        place = tools.mean(0) - [0, 0, 0.04]
        place[2] = max(place[2], 0.01)
        rig.place(name, place, generator.uniform(-0.2, 0.2))
        return
    side = int(generator.integers(2))
    hands.width[side] = HELD_WIDTH
    along = generator.uniform(-0.09, 0.09) if name == "bar" else 0.0
    place = tools[side] + generator.normal(0, 0.006, 3) + [along, 0, 0]
    place[2] = max(place[2], 0.025)
    rig.place(name, place, hands.turn[side, 0])
