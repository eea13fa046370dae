"""Node `rig`: the simulated robot behind the topics that a real one would have.

Cameras, joint states and trajectory controllers look like hardware. What hardware could not tell,
whether the task is done, goes out on a topic of its own for judges; no planner listens to it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_planner.nodes.configured import declare_config, read_config
from wm_planner.nodes.conversions.joints import joint_trajectory_from_message
from wm_planner.nodes.heartbeat import HeartbeatPublisher
from wm_planner.nodes.parameters import Parameters
from wm_planner.nodes.rig_publishers import RigPublishers
from wm_planner.nodes.simulation_thread import SimulationThread
from wm_planner.nodes.topics import EMERGENCY_STOP_QOS, RELIABLE_QOS, RIG_RESET_SERVICE
from wm_planner.registry import resolve
from wm_planner.rigs.fisheye import LensSettings
from wm_planner.rigs.joint_trajectory_controller import TrajectoryRejectedError
from wm_planner.rigs.rig_controllers import RigControllers
from wm_planner.robot.rig_description import find_rig
from wm_planner.settings import describe, setting

if TYPE_CHECKING:
    from wm_planner.rigs.mujoco_rig import MujocoRig


@dataclass(frozen=True)
class RigNodeSettings:
    """What is simulated and how it is shown."""

    simulator: str = setting("mujoco", help="registered rig class that simulates it")
    task: str = setting("pick_lift", help="scene to set up at the next reset")
    seed: int = setting(1_000_000, minimum=0, help="fixes the scene at the next reset")
    real_time_factor: float = setting(
        1.0,
        minimum=0.0,
        maximum=100.0,
        help="simulated over wall seconds; anything but 1 publishes /clock, 0: as fast as it can",
    )
    camera_rate: float = setting(10.0, "Hz", 1.0, 50.0, "images a second of each camera")


class RigNode(Node):
    """Hardware in software."""

    def __init__(self, **options: Any) -> None:
        super().__init__("rig", **options)
        declare_config(self)
        fixed = ("simulator", "real_time_factor", "camera_rate")
        self._settings = Parameters(self, RigNodeSettings, read_only=fixed)
        settings = self._settings.current
        lens = [info.name for info in describe(LensSettings)]
        self._lens = Parameters(self, LensSettings, prefix="head_lens", read_only=lens).current
        self._rig = find_rig(read_config(self).rig)
        self._simulator: Any = resolve("rigs", settings.simulator)
        # Stamps count on from the wall clock whatever the factor, so that bags have real dates.
        self._epoch_ns, self._now_ns = time.time_ns(), 0
        self._episode_ns = 0
        self._controllers: RigControllers | None = None
        self._sensors = RigPublishers(
            self, self._rig, settings.camera_rate, settings.real_time_factor != 1.0
        )
        for topic in (t for hand in self._rig.hands for t in (hand.arm_topic, hand.gripper_topic)):
            self.create_subscription(
                JointTrajectory, topic, partial(self._follow, topic), RELIABLE_QOS
            )
        stop_topic = self._rig.topics.emergency_stop
        for quality in EMERGENCY_STOP_QOS:
            self.create_subscription(Bool, stop_topic, self._emergency_stop, quality)
        self.create_service(Trigger, RIG_RESET_SERVICE, self._reset_requested)
        self._simulation = SimulationThread(
            self._build, self._reset, self._stepped, settings.real_time_factor
        )
        self._heart = HeartbeatPublisher(self, self._describe)
        self._simulation.start()

    def destroy_node(self) -> None:
        """End the simulation before the publishers go."""
        self._heart.close()
        self._simulation.close()
        super().destroy_node()

    # -- in the simulation's thread ---------------------------------------------------------------
    def _build(self) -> MujocoRig:
        # Other simulators need not know about lenses.
        lens = {} if self._lens == LensSettings() else {"head_lens": self._lens}
        return self._simulator(description=self._rig, **lens)

    def _reset(self, rig: MujocoRig, elapsed_ns: int) -> None:
        settings = self._settings.current
        rig.reset(settings.task, settings.seed)
        self._episode_ns = self._epoch_ns + elapsed_ns
        position, _, width = rig.joint_state()
        self._controllers = RigControllers(self._rig, position, width)
        rig.follow(self._reference)
        self.get_logger().info(f"task {settings.task}, seed {settings.seed}")

    def _reference(self, episode_s: float) -> tuple[np.ndarray, np.ndarray]:
        assert self._controllers is not None  # set before the rig follows
        return self._controllers.reference(self._episode_ns + round(episode_s * 1e9))

    def _stepped(self, rig: MujocoRig, elapsed_ns: int) -> None:
        self._now_ns = self._epoch_ns + elapsed_ns
        self._sensors.publish(rig, self._now_ns)

    # -- in the node's thread ---------------------------------------------------------------------
    def _follow(self, topic: str, message: JointTrajectory) -> None:
        if self._controllers is None:
            return
        try:
            trajectory = joint_trajectory_from_message(message)
            self._controllers.update(topic, trajectory, self._now_ns)
        except TrajectoryRejectedError as error:
            self.get_logger().warning(f"{topic}: {error}", throttle_duration_sec=1.0)

    def _emergency_stop(self, message: Bool) -> None:
        if self._controllers is not None:
            self._controllers.set_emergency_stop(message.data, self._now_ns)

    def _reset_requested(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success = self._simulation.request_reset()
        settings = self._settings.current
        failed = f"the simulation did not answer: {self._simulation.failure}"
        done = f"task {settings.task}, seed {settings.seed}"
        response.message = done if response.success else failed
        return response

    def _describe(self) -> tuple[str, str]:
        if self._simulation.failure is not None:
            return "failed", str(self._simulation.failure)
        lost_s = self._simulation.lost_s
        detail = f"{lost_s:.1f} s behind the wall clock" if lost_s else ""
        return ("active" if self._now_ns else "starting"), detail
