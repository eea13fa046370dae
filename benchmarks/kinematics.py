"""Batched kinematics against the same work done by pinocchio in a Python loop, in one run.

    OMP_NUM_THREADS=1 python benchmarks/kinematics.py --candidates 64 --steps 80

Prints CPU milliseconds (median of the repetitions, in turns, so that other load hits both alike)
and their ratio, then the whole way from actions to verdicts, which the planner's latency contains.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable

import numpy as np
import pinocchio as pin

from wm_planner import actions
from wm_planner.filters.filter import JudgingContext
from wm_planner.filters.kinematic.clearance import clearance
from wm_planner.filters.kinematic.motion import motion
from wm_planner.filters.kinematic_filter import CHECKS, KinematicFilter
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import ActionChunks, HandPoses, JointTrajectories, StartState


class PinocchioLoop:
    """The reference: one posture at a time, on the whole URDF."""

    def __init__(self, robot: RobotModel) -> None:
        rig = robot.rig
        self.model = pin.buildModelFromUrdf(str(rig.urdf))
        self.data = self.model.createData()
        self.tools = [self.model.getFrameId(hand.tool_frame) for hand in rig.hands]
        joints = [self.model.joints[self.model.getJointId(name)] for name in rig.joint_names]
        self.columns = np.array([joint.idx_q for joint in joints])
        self.lower, self.upper = robot.position_lower, robot.position_upper
        self.q = pin.neutral(self.model)

    def forward(self, postures: np.ndarray) -> np.ndarray:
        """Return tool positions (N, 2, 3) for postures (N, D)."""
        position = np.empty((len(postures), 2, 3))
        for row, posture in enumerate(postures):
            self.q[self.columns] = posture
            pin.framesForwardKinematics(self.model, self.data, self.q)
            for side, tool in enumerate(self.tools):
                position[row, side] = self.data.oMf[tool].translation
        return position

    def inverse(self, targets: HandPoses, start: np.ndarray, tolerance: float) -> np.ndarray:
        """Damped least squares, warm-started: joint positions (K, H, D)."""
        count, steps = targets.lead
        result = np.empty((count, steps, len(start)))
        for k in range(count):
            posture = start.copy()
            for h in range(steps):
                goals = [
                    pin.SE3(targets.rotation[k, h, side], targets.position[k, h, side])
                    for side in (0, 1)
                ]
                posture = self._reach(goals, posture, tolerance)
                result[k, h] = posture
        return result

    def _reach(self, goals: list[pin.SE3], posture: np.ndarray, tolerance: float) -> np.ndarray:
        error, jacobian = np.empty(12), np.empty((12, len(posture)))
        for _ in range(20):
            self.q[self.columns] = posture
            pin.computeJointJacobians(self.model, self.data, self.q)
            pin.updateFramePlacements(self.model, self.data)
            for side, (tool, goal) in enumerate(zip(self.tools, goals, strict=True)):
                rows = slice(6 * side, 6 * side + 6)
                error[rows] = pin.log6(self.data.oMf[tool].actInv(goal)).vector
                local = pin.getFrameJacobian(self.model, self.data, tool, pin.LOCAL)
                jacobian[rows] = local[:, self.columns]
            if np.abs(error).max() < tolerance:
                break
            system = jacobian @ jacobian.T + 1e-4 * np.eye(12)
            posture = posture + jacobian.T @ np.linalg.solve(system, error)
            posture = np.clip(posture, self.lower, self.upper)
        return posture


def one_by_one(
    judge: KinematicFilter, chunks: ActionChunks, trajectories: JointTrajectories, start: StartState
) -> np.ndarray:
    """Judge candidates in a Python loop: what is measured, (verdicts, K)."""
    columns = []
    for k in range(len(chunks.actions)):
        one = slice(k, k + 1)
        chunk = dataclasses.replace(
            chunks, actions=chunks.actions[one], variance=chunks.variance[one]
        )
        values = {field: array[one] for field, array in vars(trajectories).items()}
        verdicts = judge.judge(JudgingContext(chunk, JointTrajectories(**values), start))
        columns.append([verdict.measured[0] for verdict in verdicts])
    return np.array(columns).T


def cpu_ms(works: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Return the median CPU time of each piece of work, done in turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repetitions):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(1e3 * (time.process_time() - start))
    return {name: float(np.median(values)) for name, values in times.items()}


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    count, steps = arguments.candidates, arguments.steps
    robot = RobotModel(find_rig(arguments.rig))
    loop, home = PinocchioLoop(robot), robot.rig.home
    generator = np.random.default_rng(0)
    share = np.arange(1, steps + 1)[None, :, None] / steps
    q = home + share * generator.normal(size=(count, 1, len(home))) * 0.3
    q = np.clip(q, robot.position_lower, robot.position_upper)
    targets = robot.hand_poses(q, np.zeros((count, steps, 2)))
    start = robot.hand_poses(home, np.zeros(2))
    relative = actions.difference(start, targets)
    chunks = ActionChunks(relative, np.ones_like(relative), 0.2, 0, "")
    trajectories = robot.trajectories(chunks, start, home)
    kinematic_filter, rest = KinematicFilter(robot), StartState(home, np.zeros(len(home)))
    judged = JudgingContext(chunks, trajectories, rest)
    path = np.concatenate([np.broadcast_to(home, q[:, :1].shape), q], axis=1)
    widths = np.zeros((count, steps + 1, 2))
    dense = (
        path[:, :-1, None] + (np.arange(1, 33) / 32)[:, None] * np.diff(path, axis=1)[:, :, None]
    )
    dense = dense.reshape(-1, len(home))
    verdicts = kinematic_filter.judge(judged)
    together = np.stack([verdict.measured for verdict in verdicts])
    alone = one_by_one(kinematic_filter, chunks, trajectories, rest)
    print(f"verdicts agree with those one by one within {np.abs(together - alone).max():.1e}")
    without = [check for check in CHECKS if check is not clearance]
    motion_ = motion(robot, kinematic_filter.settings, chunks, trajectories, rest)

    flat = q.reshape(-1, len(home))
    difference = np.abs(robot.forward_kinematics(flat)[0] - loop.forward(flat)).max()
    solved = loop.inverse(targets, home, 1e-4)
    for name, found in (("loop", solved), ("batched", trajectories.joint_position)):
        miss = np.abs(robot.forward_kinematics(found)[0] - targets.position).max()
        print(f"largest miss of {name} IK: {1e3 * miss:.3f} mm")
    print(f"{count} candidates x {steps} steps; FK agrees within {difference:.1e} m")
    times = cpu_ms(
        {
            "FK, pinocchio loop": lambda: loop.forward(flat),
            "FK, batched": lambda: robot.forward_kinematics(flat),
            "IK, pinocchio loop": lambda: loop.inverse(targets, home, 1e-4),
            "IK, batched": lambda: robot.inverse_kinematics(targets, home),
            "actions to joints": lambda: robot.trajectories(chunks, start, home),
            "collisions, 32 postures a step": lambda: robot.collisions(dense),
            "collisions, on the way": lambda: robot.collisions_on_the_way(path, widths, 0.0, 0.01),
            "verdicts but collisions": lambda: [check(motion_) for check in without],
            "verdicts, one by one": lambda: one_by_one(
                kinematic_filter, chunks, trajectories, rest
            ),
            "verdicts, batched": lambda: kinematic_filter.judge(judged),
        },
        arguments.repetitions,
    )
    for name, value in times.items():
        print(f"{name:32s} {value:9.2f} ms")
    for what, slow, fast in (
        ("FK", "pinocchio loop", "batched"),
        ("IK", "pinocchio loop", "batched"),
        ("collisions", "32 postures a step", "on the way"),
        ("verdicts", "one by one", "batched"),
    ):
        ratio = times[f"{what}, {slow}"] / times[f"{what}, {fast}"]
        print(f"{what}: {fast} is {ratio:.1f} times as fast as {slow}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rig", default="simulated_bimanual", help="name in config/rigs or a path")
    parser.add_argument("--candidates", type=int, default=8, help="K (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=12, help="H (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=5, help="default: %(default)s")
    main(parser.parse_args())
