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
from wm_planner.rigs.disturbance import KINDS, Disturbance, Disturbed
from wm_planner.rigs.disturber import Disturber
from wm_planner.rigs.fisheye import Lens, LensSettings
from wm_planner.rigs.goal_pictures import goal_pictures
from wm_planner.rigs.mujoco_world import MujocoWorld
from wm_planner.rigs.rig import SimulatedRig
from wm_planner.rigs.servo_reference import Reference, cubic
from wm_planner.rigs.simulated_cameras import SimulatedCameras
from wm_planner.rigs.snapshot import Snapshot, put_back, take
from wm_planner.rigs.tasks import LONG_TASKS, TASKS, Task
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


class MujocoRig(MujocoWorld, SimulatedRig):
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
        super().__init__()
        self.settings = settings or MujocoRigSettings()
        self.description = description or find_rig("simulated_bimanual")
        self._reference: Reference
        self._reference_end: float
        self._cameras = SimulatedCameras(head_lens or LensSettings())
        self.disturber: Disturber | None = None
        self.task: Task = TASKS["reach"]
        self.parts_done, self.held_s = 0, 0.0  # of the task; for how long the next one's has held
        self._show(self.task.scene)
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
        self._show(self.task.scene)
        mujoco.mj_resetData(self.model, self.data)
        self.appearance.restore()
        for name in self.movable:
            self.place(name, scene.PARKED, 0.0)
        self.generator = np.random.default_rng([seed, 7])
        self.set_posture(np.tile(scene.HOME, 2), np.full(2, 0.08))
        self.task.place(self, self.generator)
        mujoco.mj_forward(self.model, self.data)
        # Objects settle before the episode's clock starts.
        mujoco.mj_step(self.model, self.data, int(round(0.2 / self.step_s)))
        self.data.time = 0.0
        self.task.begin(self)
        mujoco.mj_forward(self.model, self.data)

    def set_posture(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        """Put the arms somewhere at once (no physics) and hold there."""
        self.put_joints(joint_position, gripper_width)
        self._hold(np.asarray(joint_position, float), np.asarray(gripper_width, float))

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
        self._show(self.task.scene)
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
        position = np.clip(command.joint_position, self.lower, self.upper)
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
        while self.data.time < end - self.step_s / 2:
            pause = min(CONTROL_PERIOD_S, end - self.data.time)
            count = max(1, int(round(pause / self.step_s)))
            q, width = self._reference(float(self.data.time) + count * self.step_s)
            self.servo(q, width)
            self.task.before_step(self)
            if self.disturber:
                self.disturber.before_step()
            mujoco.mj_step(self.model, self.data, count)
            self._note_parts(count * self.step_s)
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

    def _show(self, scene_name: str) -> None:
        if scene_name != self.scene_name:
            self.close()
            self.load(scene_name)

    def _hold(self, joint_position: np.ndarray, gripper_width: np.ndarray) -> None:
        self._reference = lambda time_s: (joint_position, gripper_width)
        self._reference_end = -np.inf
        self.servo(joint_position, gripper_width)
