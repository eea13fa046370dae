"""The simulated bimanual rig: MuJoCo physics and cameras behind the `Rig` interface."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

if sys.platform.startswith("linux"):
    # Without a screen MuJoCo's default GL backend fails; EGL renders on and off screen.
    os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco
import numpy as np

from wm_planner.errors import UnknownNameError
from wm_planner.rigs import simulated_scene as scene
from wm_planner.rigs.appearance import Appearance
from wm_planner.rigs.disturbance import KINDS, Disturbance, Disturbed
from wm_planner.rigs.disturber import Disturber
from wm_planner.rigs.fisheye import Lens, LensSettings
from wm_planner.rigs.goal_pictures import goal_pictures
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.rigs.servo_reference import Reference, cubic
from wm_planner.rigs.simulated_cameras import SimulatedCameras
from wm_planner.rigs.snapshot import Snapshot, put_back, take
from wm_planner.rigs.tasks import LONG_TASKS, TASKS, Scene, Task
from wm_planner.rigs.tasks.long_task import HELD_S
from wm_planner.robot.rig_description import RigDescription, find_rig
from wm_planner.settings import setting
from wm_planner.types import Command, Observation

#: Servo targets are refreshed this often between two commands, as a 50 Hz controller would.
CONTROL_PERIOD_S = 0.02
ALL_TASKS: dict[str, Task] = {**TASKS, **LONG_TASKS}


@dataclass(frozen=True)
class MujocoRigSettings:
    """How the simulated rig looks and what it shows."""

    image_height: int = setting(
        192, unit="px", minimum=32, maximum=480, help="rendered image height"
    )
    image_width: int = setting(256, unit="px", minimum=32, maximum=640, help="rendered image width")
    cameras: tuple[str, ...] = setting(
        ("head",), help="cameras in each observation: head, front, left_wrist, right_wrist"
    )


class MujocoRig(SimulatedRig):
    """Two simulated arms at a table. Time stands still between calls of `step`.

    The renderer's GL context belongs to the thread that first renders: call `observe` and `render`
    from one thread only, and `close` from that thread too.
    """

    tasks = tuple(ALL_TASKS)
    disturbances = tuple(KINDS)

    def __init__(
        self,
        settings: MujocoRigSettings | None = None,
        description: RigDescription | None = None,
        head_lens: LensSettings | None = None,
    ) -> None:
        self.settings = settings or MujocoRigSettings()
        self.description = description or find_rig("simulated_bimanual")
        self._reference: Reference
        self._reference_end: float
        self._scenes: dict[str, tuple[mujoco.MjModel, Appearance]] = {}
        self._cameras = SimulatedCameras(head_lens or LensSettings())
        self._scene_name = ""
        self.disturber: Disturber | None = None
        self.task: Task = TASKS["reach"]
        self.parts_done, self.held_s = 0, 0.0  # of the task; for how long the next one's has held
        self._load(self.task.scene)
        self.reset("reach", seed=0)

    # -- the world ------------------------------------------------------------------------------
    def reset(self, task: str, seed: int) -> None:
        """Start a new episode.

        Args:
            task: one of `tasks`.
            seed: fixes the scene completely.
        """
        if task not in ALL_TASKS:
            raise UnknownNameError("task", task, ALL_TASKS)
        self.task, self.disturber = ALL_TASKS[task], None
        self.parts_done, self.held_s = 0, 0.0
        self._load(self.task.scene)
        mujoco.mj_resetData(self.model, self.data)
        self.appearance.restore()
        for name in self.movable:
            self.place(name, scene.PARKED, 0.0)
        self.generator = np.random.default_rng([seed, 7])
        self.set_posture(np.tile(scene.HOME, 2), np.full(2, 0.08))
        self.task.place(self, self.generator)
        mujoco.mj_forward(self.model, self.data)
        # Objects settle before the episode's clock starts.
        mujoco.mj_step(self.model, self.data, int(round(0.2 / self._step_s)))
        self.data.time = 0.0
        self.task.begin(self)
        mujoco.mj_forward(self.model, self.data)

    def set_posture(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        """Put the arms somewhere at once (no physics) and hold there."""
        self.data.qpos[self._arm_qpos] = joint_position
        self.data.qpos[self._finger_qpos] = np.repeat(gripper_width / 2, 2)
        self.data.qvel[:] = 0.0
        self._hold(np.asarray(joint_position, float), np.asarray(gripper_width, float))

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

    def disturb(self, disturbance: Disturbance, seed: int) -> None:
        self.disturber = Disturber(self, disturbance, seed)

    @property
    def disturbed(self) -> Disturbed | None:
        return self.disturber.outcome if self.disturber else None

    def snapshot(self) -> Snapshot:
        return take(self, self._reference, self._reference_end)

    def restore(self, snapshot: Snapshot) -> None:
        self.task, self.disturber = snapshot.task, snapshot.disturber
        self.parts_done, self.held_s = snapshot.progress
        self._load(self.task.scene)
        put_back(self, snapshot)
        self._reference, self._reference_end = snapshot.reference, snapshot.reference_end

    def suspend_disturbance(self) -> None:
        if self.disturber:
            self.disturber.suspended = True

    def succeeded(self) -> bool:
        """Whether the current task's physical success test holds now."""
        return bool(self.task.succeeded(self))

    @property
    def goals_done(self) -> int:
        return self.parts_done + self.succeeded()

    def way_left(self) -> float:
        return float(self.task.way_left(self))

    # -- the rig --------------------------------------------------------------------------------
    @property
    def time_ns(self) -> int:
        """Simulated time since reset, ns."""
        return int(round(self.data.time * 1e9))

    def instructions(self, task: str) -> tuple[str, ...]:
        """The usual instructions for a task, one for each of its goals."""
        return tuple(part.instructions[0] for part in ALL_TASKS[task].parts)

    def goal_pictures(self, task: str, seed: int, camera: str) -> tuple[np.ndarray, ...]:
        """What the camera sees when the scripted expert has done each goal of the scene's task."""
        return goal_pictures(self, task, seed, camera)

    def time_limits_s(self, task: str) -> tuple[float, ...]:
        """After which time a goal that was not reached has failed, s, for each of its goals."""
        return tuple(part.time_limit_s for part in ALL_TASKS[task].parts)

    def joint_state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Encoders: arm positions (D,) rad, velocities (D,) rad/s, gripper widths (2,) m."""
        width = self.data.qpos[self._finger_qpos].reshape(2, 2).sum(1)
        position, velocity = self.data.qpos[self._arm_qpos], self.data.qvel[self._arm_qvel]
        return position.copy(), velocity.copy(), np.clip(width, 0.0, scene.MAX_WIDTH)

    def observe(self) -> Observation:
        position, velocity, width = self.joint_state()
        images = {name: self.render(name) for name in self.settings.cameras}
        return Observation(self.time_ns, images, position, velocity, width)

    def render(
        self, camera: str, height: int | None = None, width: int | None = None
    ) -> np.ndarray:
        """One camera image, shape (height, width, 3), uint8 RGB."""
        return self._cameras.render(self.model, self.data, self.lens(camera, height, width), camera)

    def lens(self, camera: str, height: int | None = None, width: int | None = None) -> Lens:
        """How a camera of that image size maps directions to pixels."""
        size = (height or self.settings.image_height, width or self.settings.image_width)
        return self._cameras.lens(self.model, camera, *size)

    def apply(self, command: Command) -> Command:
        """Move to the command so as to be there at its stamp, then hold.

        The servo reference is a cubic from the present reference, with the command's velocity at
        its end, as a joint trajectory controller interpolates.
        """
        position = np.clip(command.joint_position, self._lower, self._upper)
        width = np.clip(command.gripper_width, 0.0, scene.MAX_WIDTH)
        start, end = (
            float(self.data.time),
            max(command.stamp_ns * 1e-9, float(self.data.time) + 1e-3),
        )
        here = self._reference(start)
        before, _ = self._reference(start - 1e-3)
        moving = start < self._reference_end + 1e-6
        velocity = (here[0] - before) / 1e-3 if moving else np.zeros_like(before)
        there = (position, width)
        self._reference = cubic(start, end, here, velocity, there, command.joint_velocity)
        self._reference_end = end
        return replace(command, joint_position=position, gripper_width=width)

    def follow(self, reference: Reference) -> None:
        """Let a controller supply the servo reference: time s -> ((D,) rad, widths (2,) m)."""
        self._reference, self._reference_end = reference, np.inf

    def step(self, seconds: float) -> None:
        """Advance physics by ``seconds``."""
        end = self.data.time + seconds
        while self.data.time < end - self._step_s / 2:
            pause = min(CONTROL_PERIOD_S, end - self.data.time)
            count = max(1, int(round(pause / self._step_s)))
            q, width = self._reference(float(self.data.time) + count * self._step_s)
            self._servo(q, width)
            self.task.before_step(self)
            if self.disturber:
                self.disturber.before_step()
            mujoco.mj_step(self.model, self.data, count)
            self._note_parts(count * self._step_s)
        # mj_step leaves positions of bodies one step behind the joint state.
        mujoco.mj_forward(self.model, self.data)

    def stop(self) -> None:
        """Hold where the arms are now."""
        position, _, width = self.joint_state()
        self._hold(position, width)

    def close(self) -> None:
        self._cameras.close()

    # -- private --------------------------------------------------------------------------------
    def _note_parts(self, passed_s: float) -> None:
        """Remember a part of a long task that is done; the last one's state is success."""
        parts = self.task.parts
        if self.parts_done == len(parts) - 1:
            return
        holds = parts[self.parts_done].succeeded(self)
        self.held_s = self.held_s + passed_s if holds else 0.0
        if self.held_s > HELD_S - 1e-6:
            self.parts_done, self.held_s = self.parts_done + 1, 0.0

    def _load(self, name: str) -> None:
        if name == self._scene_name:
            return
        self.close()
        if name not in self._scenes:
            model = mujoco.MjModel.from_xml_string(Scene.named(name).build())
            self._scenes[name] = model, Appearance(model)
        self._scene_name = name
        self.model, self.appearance = self._scenes[name]
        self.data = mujoco.MjData(self.model)
        self._step_s = float(self.model.opt.timestep)
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
        self._lower, self._upper = np.tile(np.array(scene.JOINT_LIMITS).T, 2)

    def _hold(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        self._reference = lambda time_s: (joint_position, gripper_width)
        self._reference_end = -np.inf
        self._servo(joint_position, gripper_width)

    def _servo(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        self.data.ctrl[self._arm_servo] = joint_position
        # A nearly closed command squeezes: the servo aims 4 mm past contact.
        finger = np.where(gripper_width < 0.005, gripper_width / 2 - 0.004, gripper_width / 2)
        self.data.ctrl[self._finger_servo] = np.repeat(finger, 2)
