"""The rig's controllers by topic, and the emergency stop."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.rigs.joint_trajectory_controller import JointTrajectory, TrajectoryRejectedError
from wm_planner.rigs.rig_controllers import RigControllers
from wm_planner.robot.rig_description import find_rig

SECOND = 1_000_000_000
RIG = find_rig("simulated_bimanual")
LEFT = RIG.hands[0]


def move(target: float) -> JointTrajectory:
    row = tuple(target for _ in LEFT.joint_names)
    rest = tuple(0.0 for _ in LEFT.joint_names)
    return JointTrajectory(LEFT.joint_names, SECOND, (SECOND,), (row,), (rest,))


def controllers() -> RigControllers:
    return RigControllers(RIG, np.zeros(12), np.full(2, 0.08))


def test_each_topic_moves_its_own_joints():
    rig = controllers()
    rig.update(LEFT.arm_topic, move(0.5), SECOND)
    arms, widths = rig.reference(2 * SECOND)
    assert arms[:6] == pytest.approx(np.full(6, 0.5))
    assert arms[6:] == pytest.approx(np.zeros(6))
    assert widths == pytest.approx([0.08, 0.08])


def test_a_gripper_takes_finger_positions_and_answers_with_its_width():
    rig = controllers()
    fingers = tuple(LEFT.gripper.joint_position(np.array(0.02)))
    names = LEFT.gripper.joint_names
    close = JointTrajectory(names, SECOND, (SECOND,), (fingers,), ((0.0,) * len(names),))
    rig.update(LEFT.gripper_topic, close, SECOND)
    assert rig.reference(3 * SECOND)[1] == pytest.approx([0.02, 0.08])


def test_emergency_stop_holds_refuses_and_does_not_resume_on_release():
    rig = controllers()
    rig.update(LEFT.arm_topic, move(0.5), SECOND)
    rig.set_emergency_stop(True, SECOND * 3 // 2)
    held = rig.reference(2 * SECOND)[0]
    assert held[0] < 0.4
    with pytest.raises(TrajectoryRejectedError, match="emergency stop"):
        rig.update(LEFT.arm_topic, move(0.5), SECOND * 3 // 2)
    rig.set_emergency_stop(False, 4 * SECOND)
    assert rig.reference(9 * SECOND)[0] == pytest.approx(held)
