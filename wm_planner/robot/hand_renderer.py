"""Draws where a camera would see the hands, from their poses alone.

The rendered-hand condition of Dexterous World Models: the world model is shown pixel by pixel where
the hands will be, instead of having to learn the camera from vectors. Only what moves with the tool
is drawn, palm and fingers, so no joint positions are needed: dreams have none.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from wm_planner.errors import ConfigurationError
from wm_planner.robot.rig_description import RigDescription
from wm_planner.robot.urdf_model import load_urdf
from wm_planner.types import HANDS, HandPoses

WIDTHS = 16  # postures of the fingers that are kept, from closed to open
FINER = 4  # drawn pixels a side for each that is returned: edges get shades
SUB_PIXEL_BITS = 4


class HandRenderer:
    """Silhouettes of both hands in one camera."""

    def __init__(self, rig: RigDescription, camera: str, height: int, width: int) -> None:
        """Take the hands' shapes from the URDF.

        Args:
            rig: the robot.
            camera: name of a camera with a calibration.
            height, width: of the silhouettes, px; the aspect of the camera's image.

        Raises:
            ConfigurationError: the rig file says nothing about where the camera is.
        """
        calibration = rig.cameras[camera].calibration
        if calibration is None:
            raise ConfigurationError(
                f"rig {rig.name}: cameras.{camera} has no calibration, which drawing hands needs: "
                "focal, centre, position, orientation (see config/rigs/simulated_bimanual.yaml)"
            )
        self.height, self.width = height, width
        self._camera = calibration.resized(height * FINER, width * FINER)
        self._max_width = rig.max_gripper_width
        self._shapes = _hand_shapes(rig)

    def render(self, poses: HandPoses) -> np.ndarray:
        """Draw silhouettes.

        Args:
            poses: of both hands, positions of shape (..., 2, 3), base frame.

        Returns:
            Shape (..., 2, height, width), uint8: share of each pixel that the left and the right
            hand would cover if nothing was in front of them, 0 to 255.
        """
        lead = poses.position.shape[:-2]
        position, rotation = poses.position.reshape(-1, 2, 3), poses.rotation.reshape(-1, 2, 3, 3)
        share = np.clip(poses.width.reshape(-1, 2) / self._max_width, 0.0, 1.0)
        posture = np.round(share * (WIDTHS - 1)).astype(int)
        drawn = np.zeros((len(position), 2, self.height, self.width), np.uint8)
        for n in range(len(position)):
            for side in range(2):
                corners = self._shapes[side][posture[n, side]]
                points = [c @ rotation[n, side].T + position[n, side] for c in corners]
                drawn[n, side] = self._fill(points)
        return drawn.reshape(*lead, 2, self.height, self.width)

    def _fill(self, shapes: list[np.ndarray]) -> np.ndarray:
        import cv2  # only where hands are drawn: importing the package must stay light

        canvas = np.zeros((self.height * FINER, self.width * FINER), np.uint8)
        pixels, _ = self._camera.project(np.concatenate(shapes))
        for outline in np.split(pixels, np.cumsum([len(shape) for shape in shapes])[:-1]):
            if np.isfinite(outline).all():
                fixed = np.round(np.clip(outline, -1e4, 1e4) * 2**SUB_PIXEL_BITS)
                hull = cv2.convexHull(fixed.astype(np.int32))
                cv2.fillConvexPoly(canvas, hull, 255, shift=SUB_PIXEL_BITS)
        return cv2.resize(canvas, (self.width, self.height), interpolation=cv2.INTER_AREA)


def _hand_shapes(rig: RigDescription) -> list[list[list[np.ndarray]]]:
    """For each hand and posture, the corners (V, 3) of its convex shapes in the tool frame, m."""
    urdf = load_urdf(rig)
    data, shapes = urdf.model.createData(), urdf.geometry
    placed = pin.GeometryData(shapes)
    found = []
    for hand in rig.hands:
        moving = {urdf.model.getJointId(n) for n in hand.gripper.joint_names}
        moving.add(urdf.model.getJointId(hand.joint_names[-1]))
        own = [i for i, g in enumerate(shapes.geometryObjects) if g.parentJoint in moving]
        if not own:
            side = HANDS[rig.hands.index(hand)]
            raise ConfigurationError(
                f"rig {rig.name}: no collision shape of the URDF moves with hands.{side}'s tool"
            )
        postures = []
        for width in np.linspace(0.0, hand.gripper.max_width, WIDTHS):
            joints = hand.gripper.joint_position(np.array(width))
            q = pin.neutral(urdf.model)
            for name, value in zip(hand.gripper.joint_names, joints, strict=True):
                joint = urdf.model.joints[urdf.model.getJointId(name)]
                ends = (np.cos(value), np.sin(value)) if joint.nq == 2 else (value,)
                q[joint.idx_q : joint.idx_q + joint.nq] = ends
            pin.framesForwardKinematics(urdf.model, data, q)
            pin.updateGeometryPlacements(urdf.model, data, shapes, placed)
            tool = data.oMf[urdf.model.getFrameId(hand.tool_frame, pin.FrameType.BODY)]
            corners = []
            for i in own:
                there = tool.actInv(placed.oMg[i])
                local = _corners(shapes.geometryObjects[i].geometry)
                corners.append(local @ there.rotation.T + there.translation)
            postures.append(corners)
        found.append(postures)
    return found


def _corners(shape: object) -> np.ndarray:
    """Points (V, 3) whose convex hull is the shape, m."""
    kind = type(shape).__name__
    if hasattr(shape, "points"):
        return np.array(shape.points())
    if kind == "Box":
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), -1).reshape(-1, 3)
        return signs * np.array(shape.halfSide)  # type: ignore[attr-defined]
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(16)], -1) * shape.radius  # type: ignore[attr-defined]
    if kind == "Cylinder":
        up = np.array([0, 0, shape.halfLength])  # type: ignore[attr-defined]
        return np.concatenate([ring + up, ring - up])
    tilts = np.linspace(-np.pi / 2, np.pi / 2, 7)
    ball = np.concatenate(
        [ring * [np.cos(t), np.cos(t), 0] + [0, 0, shape.radius * np.sin(t)] for t in tilts]  # type: ignore[attr-defined]
    )
    if kind == "Sphere":
        return ball
    if kind == "Capsule":
        up = np.array([0, 0, shape.halfLength])  # type: ignore[attr-defined]
        return np.concatenate([ball + up, ball - up])
    raise ConfigurationError(f"hands cannot be drawn from a collision shape of type {kind}")
