"""The batched kinematics is pinocchio's, on ordinary and on odd robots."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from wm_planner.robot.robot_model import RobotModel


def postures(robot: RobotModel, count: int, generator: np.random.Generator) -> np.ndarray:
    lower, upper = np.maximum(robot.position_lower, -3), np.minimum(robot.position_upper, 3)
    return generator.uniform(lower, upper, size=(count, len(lower)))


class Reference:
    """Pinocchio on the whole URDF, one posture at a time."""

    def __init__(self, robot: RobotModel) -> None:
        self.rig, self.model = robot.rig, pin.buildModelFromUrdf(str(robot.rig.urdf))
        self.data = self.model.createData()
        self.tools = [self._frame(hand.tool_frame) for hand in self.rig.hands]
        self.base = self._frame(self.rig.base_frame)

    def _frame(self, name: str) -> int:
        return self.model.getFrameId(name, pin.FrameType.BODY)

    def update(self, joint_position: np.ndarray) -> pin.SE3:
        """Move there; return the placement of the base frame."""
        q = pin.neutral(self.model)
        values = dict(zip(self.rig.joint_names, joint_position, strict=True))
        for name, value in {**values, **self.rig.locked_joints}.items():
            joint = self.model.joints[self.model.getJointId(name)]
            q[joint.idx_q] = value
            if joint.nq == 2:
                q[joint.idx_q : joint.idx_q + 2] = np.cos(value), np.sin(value)
        pin.computeJointJacobians(self.model, self.data, q)
        pin.updateFramePlacements(self.model, self.data)
        return self.data.oMf[self.base]

    def tool(self, base: pin.SE3, side: int) -> pin.SE3:
        return base.actInv(self.data.oMf[self.tools[side]])

    def jacobian(self, base: pin.SE3, side: int) -> np.ndarray:
        """Shape (6, D), in the base frame."""
        aligned = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        all_joints = pin.getFrameJacobian(self.model, self.data, self.tools[side], aligned)
        joints = [self.model.joints[self.model.getJointId(n)] for n in self.rig.joint_names]
        columns = all_joints[:, [joint.idx_v for joint in joints]]
        turn = base.rotation.T
        return np.vstack([turn @ columns[:3], turn @ columns[3:]])


def test_forward_kinematics_agrees_with_pinocchio(each_robot: RobotModel, generator) -> None:
    reference = Reference(each_robot)
    q = postures(each_robot, 30, generator)
    position, rotation = each_robot.forward_kinematics(q)
    for row in range(len(q)):
        base = reference.update(q[row])
        for side in range(2):
            tool = reference.tool(base, side)
            np.testing.assert_allclose(position[row, side], tool.translation, atol=1e-9)
            np.testing.assert_allclose(rotation[row, side], tool.rotation, atol=1e-9)


def test_jacobians_agree_with_pinocchio(each_robot: RobotModel, generator) -> None:
    reference, chains = Reference(each_robot), each_robot._chains
    q = postures(each_robot, 10, generator)
    _, _, jacobian = chains.jacobian(chains.gather(q))
    for row in range(len(q)):
        base = reference.update(q[row])
        for side in range(2):
            expected = reference.jacobian(base, side)
            movable = chains.movable[side]
            columns = chains.columns[side][movable]
            got = jacobian[row, side]
            np.testing.assert_allclose(got[:, movable], expected[:, columns], atol=1e-9)
            assert not got[:, ~movable].any()
            others = np.setdiff1d(np.arange(q.shape[1]), columns)
            assert not expected[:, others].any()


def test_leading_axes_are_free(each_robot: RobotModel, generator) -> None:
    q = postures(each_robot, 12, generator)
    position, rotation = each_robot.forward_kinematics(q.reshape(3, 4, -1))
    assert position.shape == (3, 4, 2, 3)
    alone = each_robot.forward_kinematics(q[5])
    np.testing.assert_allclose(position[1, 1], alone[0], atol=1e-12)
    np.testing.assert_allclose(rotation[1, 1], alone[1], atol=1e-12)


def test_gather_and_scatter_are_each_others_inverse(each_robot: RobotModel, generator) -> None:
    chains, q = each_robot._chains, postures(each_robot, 4, generator)
    assert np.array_equal(chains.scatter(chains.gather(q), q.shape[1]), q)
