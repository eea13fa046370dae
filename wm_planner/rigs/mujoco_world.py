"""What is in the simulated scene, and where: MuJoCo's model and state behind full names."""

from __future__ import annotations

import mujoco
import numpy as np

from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs.appearance import Appearance
from wm_planner.rigs.tasks import Scene


class MujocoWorld:
    """One scene at a time, which can be asked and edited. Nothing here lets time pass.

    Attributes:
        model, data: MuJoCo's, of the scene that is loaded.
        appearance: how that scene looks.
        scene_name: of that scene; "" before the first.
        movable, tracked: names of its objects, see `Scene`.
        step_s: of the physics, s.
        lower, upper: limits of the arms' joints, (D,), rad.
    """

    def __init__(self) -> None:
        """Begin with no scene."""
        self._scenes: dict[str, tuple[mujoco.MjModel, Appearance]] = {}
        self.scene_name = ""

    def load(self, name: str) -> None:
        """Show another scene, as it was left; its data start afresh."""
        if name not in self._scenes:
            model = mujoco.MjModel.from_xml_string(Scene.named(name).build())
            self._scenes[name] = model, Appearance(model)
        self.scene_name = name
        self.model, self.appearance = self._scenes[name]
        self.data = mujoco.MjData(self.model)
        self.step_s = float(self.model.opt.timestep)
        self.movable = Scene.named(name).movable
        self.tracked = Scene.named(name).tracked
        joints = [f"{side}_joint_{i}" for side in scene.SIDES for i in range(1, 7)]
        fingers = [f"{side}_finger_{k}" for side in scene.SIDES for k in (1, 2)]
        self._arm_qpos = np.array([self.model.joint(j).qposadr[0] for j in joints])
        self._arm_qvel = np.array([self.model.joint(j).dofadr[0] for j in joints])
        self._finger_qpos = np.array([self.model.joint(j).qposadr[0] for j in fingers])
        servo = self.model.actuator
        self._arm_servo = np.array([servo(j.replace("joint", "servo")).id for j in joints])
        finger_servos = [name.replace("finger", "finger_servo") for name in fingers]
        self._finger_servo = np.array([servo(name).id for name in finger_servos])
        self.lower, self.upper = np.tile(np.array(scene.JOINT_LIMITS).T, 2)

    # -- joints ---------------------------------------------------------------------------------
    def put_joints(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        """Put arms (D,) rad and grippers (2,) m somewhere at once, everything at rest."""
        self.data.qpos[self._arm_qpos] = joint_position
        self.data.qpos[self._finger_qpos] = np.repeat(gripper_width / 2, 2)
        self.data.qvel[:] = 0.0

    def joint_state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Encoders: arm positions (D,) rad, velocities (D,) rad/s, gripper widths (2,) m."""
        width = self.data.qpos[self._finger_qpos].reshape(2, 2).sum(1)
        position, velocity = self.data.qpos[self._arm_qpos], self.data.qvel[self._arm_qvel]
        return position.copy(), velocity.copy(), np.clip(width, 0.0, scene.MAX_WIDTH)

    def servo(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        """Tell the servos where to hold arms (D,) rad and grippers (2,) m."""
        self.data.ctrl[self._arm_servo] = joint_position
        # A nearly closed command squeezes: the servo aims 4 mm past contact.
        finger = np.where(gripper_width < 0.005, gripper_width / 2 - 0.004, gripper_width / 2)
        self.data.ctrl[self._finger_servo] = np.repeat(finger, 2)

    # -- objects --------------------------------------------------------------------------------
    def place(self, name: str, position: tuple[float, ...] | np.ndarray, yaw: float) -> None:
        """Put a movable object somewhere at rest: position (3,) m, yaw rad about z."""
        address = self.model.joint(name).qposadr[0]
        self.data.qpos[address : address + 3] = position
        self.data.qpos[address + 3 : address + 7] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        velocity = self.model.joint(name).dofadr[0]
        self.data.qvel[velocity : velocity + 6] = 0.0

    def place_marker(self, side: str, position: np.ndarray) -> None:
        """Show a reach target: the sphere at ``position`` (3,) m on a post with a foot.

        The foot stands on the table: from it, one camera can tell how far the sphere is.
        """
        body = self.model.body(f"{side}_marker")
        self.data.mocap_pos[body.mocapid[0]] = position
        post = self.model.geom(f"{side}_marker_post").id
        self.model.geom_size[post, 2] = max(position[2] / 2, 1e-3)
        self.model.geom_pos[post, 2] = -position[2] / 2
        self.model.geom_pos[self.model.geom(f"{side}_marker_foot").id, 2] = -position[2]

    def object_position(self, name: str) -> np.ndarray:
        """Centre of an object, shape (3,), m, base frame."""
        return self.data.body(name).xpos.copy()

    def body_position(self, name: str) -> np.ndarray:
        """Where `place` last put a movable object, shape (3,), m; needs no `forward`."""
        address = self.model.joint(name).qposadr[0]
        return self.data.qpos[address : address + 3].copy()

    def object_rotation(self, name: str) -> np.ndarray:
        """Shape (3, 3), object to base frame."""
        return self.data.body(name).xmat.reshape(3, 3).copy()

    def object_yaw(self, name: str) -> float:
        """Heading of an object's x axis about z, rad."""
        rotation = self.object_rotation(name)
        return float(np.arctan2(rotation[1, 0], rotation[0, 0]))

    def tool_position(self) -> np.ndarray:
        """Tool positions, shape (2, 3), m, base frame."""
        return np.stack([self.data.site(f"{side}_tool").xpos for side in scene.SIDES])

    def forward(self) -> None:
        """Recompute derived quantities after the state was edited: renders would be stale."""
        mujoco.mj_forward(self.model, self.data)
