"""What passes between the stages when each runs in its own process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wm_planner import msg
from wm_planner.errors import DataError
from wm_planner.messages.arrays import latents_from_bytes, to_ns, unflat
from wm_planner.messages.images import image_from_message
from wm_planner.nodes.conversions.arrays import flat, latents_to_bytes, to_stamp
from wm_planner.nodes.conversions.images import image_to_message
from wm_planner.types import ActionChunks, Goal, JointTrajectories, ObservationWindow, Rollouts


def window_to_message(
    window: ObservationWindow, joint_names: Sequence[str]
) -> msg.ObservationWindow:
    """Describe the last T observations; joint_names are the D columns."""
    stamps = [int(stamp) for stamp in window.stamps_ns]
    return msg.ObservationWindow(
        dt=window.dt,
        stamps=[to_stamp(stamp) for stamp in stamps],
        cameras=list(window.images),
        images=[
            image_to_message(image, stamp, camera)
            for camera, images in window.images.items()
            for image, stamp in zip(images, stamps, strict=True)
        ],
        joint_names=list(joint_names),
        joint_position=flat(window.joint_position),
        joint_velocity=flat(window.joint_velocity),
        gripper_width=flat(window.gripper_width),
        actions=flat(window.actions),
    )


def window_from_message(message: msg.ObservationWindow) -> ObservationWindow:
    """Rebuild the window; its own checks look at shapes and spacing."""
    frames, joints = len(message.stamps), len(message.joint_names)
    if len(message.images) != frames * len(message.cameras):
        raise DataError(
            f"window has {len(message.images)} images, expected {frames} for each of "
            f"{len(message.cameras)} cameras"
        )
    images = [image_from_message(image) for image in message.images]
    return ObservationWindow(
        stamps_ns=np.array([to_ns(stamp) for stamp in message.stamps], np.int64),
        images={
            camera: np.stack(images[index * frames : (index + 1) * frames])
            for index, camera in enumerate(message.cameras)
        },
        joint_position=unflat("joint_position", message.joint_position, (frames, joints)),
        joint_velocity=unflat("joint_velocity", message.joint_velocity, (frames, joints)),
        gripper_width=unflat("gripper_width", message.gripper_width, (frames, 2)),
        actions=unflat("actions", message.actions, (frames - 1, 20)),
        dt=message.dt,
    )


def goal_to_message(goal: Goal) -> msg.Goal:
    """An absent instruction is an empty string, an absent image one without pixels."""
    message = msg.Goal(instruction=goal.instruction or "")
    if goal.image is not None:
        message.image = image_to_message(goal.image)
    return message


def goal_from_message(message: msg.Goal) -> Goal:
    """The reverse of `goal_to_message`."""
    image = image_from_message(message.image) if len(message.image.data) else None
    return Goal(instruction=message.instruction or None, image=image)


def rollouts_to_message(rollouts: Rollouts) -> msg.Rollouts:
    """Latents go as float16 bytes: hundreds of kB, never pixels."""
    return msg.Rollouts(
        start=to_stamp(rollouts.start_ns),
        dt=rollouts.dt,
        seed=rollouts.seed,
        bundle_hash=rollouts.bundle_hash,
        shape=flat(rollouts.latents.shape, "I"),
        latents=latents_to_bytes(rollouts.latents),
    )


def rollouts_from_message(message: msg.Rollouts) -> Rollouts:
    """The reverse of `rollouts_to_message`, bit for bit."""
    return Rollouts(
        latents=latents_from_bytes("rollouts.latents", message.latents, message.shape),
        dt=message.dt,
        start_ns=to_ns(message.start),
        seed=message.seed,
        bundle_hash=message.bundle_hash,
    )


def chunks_to_message(chunks: ActionChunks) -> msg.ActionChunks:
    """K sequences of H relative 20-D actions."""
    candidates, horizon, _ = chunks.actions.shape
    return msg.ActionChunks(
        start=to_stamp(chunks.start_ns),
        dt=chunks.dt,
        bundle_hash=chunks.bundle_hash,
        candidates=candidates,
        horizon=horizon,
        actions=flat(chunks.actions),
        variance=flat(chunks.variance),
    )


def chunks_from_message(message: msg.ActionChunks) -> ActionChunks:
    """The reverse of `chunks_to_message`."""
    shape = (message.candidates, message.horizon, 20)
    return ActionChunks(
        actions=unflat("actions", message.actions, shape),
        variance=unflat("variance", message.variance, shape),
        dt=message.dt,
        start_ns=to_ns(message.start),
        bundle_hash=message.bundle_hash,
    )


def trajectories_to_message(
    trajectories: JointTrajectories, joint_names: Sequence[str]
) -> msg.JointTrajectories:
    """The candidates in joint space; joint_names are the D columns."""
    candidates, horizon, _ = trajectories.joint_position.shape
    return msg.JointTrajectories(
        candidates=candidates,
        horizon=horizon,
        joint_names=list(joint_names),
        joint_position=flat(trajectories.joint_position),
        joint_velocity=flat(trajectories.joint_velocity),
        gripper_width=flat(trajectories.gripper_width),
        ik_position_error=flat(trajectories.ik_position_error),
        ik_rotation_error=flat(trajectories.ik_rotation_error),
    )


def trajectories_from_message(message: msg.JointTrajectories) -> JointTrajectories:
    """The reverse of `trajectories_to_message`."""
    lead = (message.candidates, message.horizon)
    joints = len(message.joint_names)
    return JointTrajectories(
        joint_position=unflat("joint_position", message.joint_position, (*lead, joints)),
        joint_velocity=unflat("joint_velocity", message.joint_velocity, (*lead, joints)),
        gripper_width=unflat("gripper_width", message.gripper_width, (*lead, 2)),
        ik_position_error=unflat("ik_position_error", message.ik_position_error, (*lead, 2)),
        ik_rotation_error=unflat("ik_rotation_error", message.ik_rotation_error, (*lead, 2)),
    )
