"""The simulated rig's URDF and its MuJoCo world are the same robot."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from wm_planner.rigs.simulated_scene import build_scene
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import HANDS


class Simulator:
    """The bare simulated rig, moved by hand."""

    def __init__(self, robot: RobotModel) -> None:
        self.model = mujoco.MjModel.from_xml_string(build_scene(""))
        self.data = mujoco.MjData(self.model)
        self.arms = [self.model.joint(name) for name in robot.joint_names]
        fingers = [name for hand in robot.rig.hands for name in hand.gripper.joint_names]
        self.fingers = [self.model.joint(name) for name in fingers]

    def move(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        for joint, value in zip(self.arms, joint_position, strict=True):
            self.data.qpos[joint.qposadr] = value
        for joint, value in zip(self.fingers, np.repeat(gripper_width / 2, 2), strict=True):
            self.data.qpos[joint.qposadr] = value
        mujoco.mj_forward(self.model, self.data)

    def link_contacts(self, pairs: set[frozenset[str]]) -> list[float]:
        """Distances, m, of those pairs of links that touch."""
        distances = []
        for contact in self.data.contact[: self.data.ncon]:
            bodies = [self.model.geom_bodyid[geom] for geom in contact.geom]
            pair = frozenset(self.model.body(body).name for body in bodies)
            if pair in pairs:
                distances.append(float(contact.dist))
        return distances


@pytest.fixture(scope="module")
def simulator(robot: RobotModel) -> Simulator:
    return Simulator(robot)


def postures(robot: RobotModel, count: int, generator: np.random.Generator) -> np.ndarray:
    return generator.uniform(robot.position_lower, robot.position_upper, size=(count, 12))


def test_forward_kinematics_agrees(robot: RobotModel, simulator: Simulator, generator) -> None:
    for q in postures(robot, 50, generator):
        simulator.move(q, np.zeros(2))
        position, rotation = robot.forward_kinematics(q)
        for side, name in enumerate(HANDS):
            site = simulator.data.site(f"{name}_tool")
            np.testing.assert_allclose(position[side], site.xpos, atol=1e-9)
            np.testing.assert_allclose(rotation[side], site.xmat.reshape(3, 3), atol=1e-9)


def test_joint_limits_and_finger_travel_agree(robot: RobotModel, simulator: Simulator) -> None:
    ranges = np.array([joint.range for joint in simulator.arms])
    np.testing.assert_allclose(ranges, np.stack([robot.position_lower, robot.position_upper], 1))
    travel = np.array([joint.range for joint in simulator.fingers])
    ends = [(hand.gripper.closed, hand.gripper.open) for hand in robot.rig.hands]
    np.testing.assert_allclose(travel, np.concatenate([np.transpose(end) for end in ends]))


def test_the_same_postures_collide(robot: RobotModel, simulator: Simulator, generator) -> None:
    q = postures(robot, 300, generator)
    q[:, [0, 6]] = generator.uniform([-1.2, 0.2], [-0.2, 1.2], size=(300, 2))  # arms inwards
    width = generator.uniform(0.0, 0.09, size=(300, 2))
    report = robot.collisions(q, width)
    touching = np.zeros(300)
    for row in range(300):
        simulator.move(q[row], width[row])
        touching[row] = min(simulator.link_contacts(robot.collision_pairs), default=0.0)
    clear = np.abs(report.distance) > 1e-4
    assert np.array_equal(report.distance[clear] < 0.0, touching[clear] < 0.0)
    assert 30 < (touching < 0.0).sum() < 270
