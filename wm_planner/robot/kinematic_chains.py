"""Both arms as arrays: forward kinematics and Jacobians of many configurations at once.

Each arm is a serial chain of N joints from the base frame to its tool. Joint i sits at a fixed
origin in the frame of joint i-1 and turns about, or slides along, a fixed axis. Padding the shorter
chain with joints that do neither lets both hands share every array operation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Joint:
    """One joint of a chain.

    Attributes:
        rotation: shape (3, 3), joint frame at position 0 to the frame of the joint before.
        translation: shape (3,), its origin in the frame of the joint before, m.
        turn: shape (3,), unit axis in the joint frame it turns about; zeros if it does not.
        slide: shape (3,), unit axis in the joint frame it slides along; zeros if it does not.
        column: which of the D arm joints it is.
    """

    rotation: np.ndarray
    translation: np.ndarray
    turn: np.ndarray
    slide: np.ndarray
    column: int


@dataclass(frozen=True, eq=False)
class Chain:
    """Joints from the base frame outwards, then the tool in the frame of the last one."""

    joints: tuple[Joint, ...]
    tool_rotation: np.ndarray  # (3, 3)
    tool_translation: np.ndarray  # (3,) m


class KinematicChains:
    """Kinematics of the left and the right chain. N is the length of the longer one.

    Inside, coordinates are the first axes and configurations (B) the last, so that numpy's inner
    loops run over configurations and not over three coordinates.
    """

    def __init__(self, left: Chain, right: Chain) -> None:
        chains = (left, right)
        self.length = max(len(chain.joints) for chain in chains)
        rows = [[*c.joints, *[_IMMOBILE] * (self.length - len(c.joints))] for c in chains]
        self.columns = np.array([[joint.column for joint in row] for row in rows])  # (2, N)
        self.movable: np.ndarray = np.array(
            [[joint is not _IMMOBILE for joint in row] for row in rows]
        )
        translation = np.array([[joint.translation for joint in row] for row in rows])
        turn = np.array([[joint.turn for joint in row] for row in rows])  # (2, N, 3)
        slide = np.array([[joint.slide for joint in row] for row in rows])
        self._any_slide = [bool(slide[:, i].any()) for i in range(self.length)]
        # Rodrigues: origin @ (I + sin K + (1 - cos) K^2), with the origin multiplied in beforehand.
        origin = np.array([[joint.rotation for joint in row] for row in rows])  # (2, N, 3, 3)
        cross = _cross_matrix(turn)
        terms = (origin, origin @ cross, origin @ cross @ cross)
        self._constant, self._sine, self._cosine = (_first(term, 2) for term in terms)
        self._translation, self._turn, self._slide = (
            _first(vector, 1) for vector in (translation, turn, slide)
        )  # (3, N, 2, 1)
        self._tool_rotation = np.array([chain.tool_rotation for chain in chains])
        self._tool_translation = np.array([chain.tool_translation for chain in chains]).T[..., None]

    def gather(self, joint_position: np.ndarray) -> np.ndarray:
        """Return the positions along each chain, shape (..., 2, N), for arm joints (..., D)."""
        return joint_position[..., self.columns]

    def scatter(self, along_chains: np.ndarray, joint_count: int) -> np.ndarray:
        """Return arm joints (..., D) from positions along each chain (..., 2, N)."""
        joint_position = np.empty((*along_chains.shape[:-2], joint_count))
        columns: np.ndarray = self.columns[self.movable]
        joint_position[..., columns] = along_chains[..., self.movable]
        return joint_position

    def forward(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return tool positions (B, 2, 3) in m and rotations (B, 2, 3, 3) in the base frame.

        Args:
            q: positions along each chain, shape (B, 2, N), rad or m.
        """
        position, rotation, _, _ = self._walk(q)
        return np.transpose(position, (2, 1, 0)), self._tool(rotation)

    def jacobian(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return tool positions, rotations and Jacobians (B, 2, 6, N), all in the base frame.

        Rows 0..2 of a Jacobian are the linear velocity of the tool's origin, m/s for a unit joint
        velocity, rows 3..5 its angular velocity, rad/s.
        """
        position, rotation, frames, origins = self._walk(q)
        turn, slide = _turned(frames, self._turn), _turned(frames, self._slide)
        x, y, z = turn
        to_tool = position[:, None] - origins  # (3, N, 2, B)
        dx, dy, dz = to_tool
        jacobian = np.empty((len(q), 2, 6, self.length))
        columns = np.transpose(jacobian, (2, 3, 1, 0))  # (6, N, 2, B), the same memory
        columns[0], columns[1], columns[2] = y * dz - z * dy, z * dx - x * dz, x * dy - y * dx
        columns[:3] += slide
        columns[3:] = turn
        return np.transpose(position, (2, 1, 0)), self._tool(rotation), jacobian

    def _walk(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return tool position (3, 2, B), rotation of the last joint (3, 3, 2, B), and of every
        joint rotation (3, 3, N, 2, B) and origin (3, N, 2, B), in the base frame.
        """
        q = np.ascontiguousarray(np.transpose(q, (2, 1, 0)))  # (N, 2, B)
        frames = self._constant + np.sin(q) * self._sine
        frames += (1.0 - np.cos(q)) * self._cosine  # so far each in the frame of the joint before
        origins = np.empty((3, *q.shape))
        rotation, position = frames[:, :, 0], self._translation[:, 0]
        for i in range(self.length):
            if i > 0:
                position = position + _turned(rotation, self._translation[:, i])
                rotation = np.einsum("ij...,jk...->ik...", rotation, frames[:, :, i])
                frames[:, :, i] = rotation
            if self._any_slide[i]:
                position = position + _turned(rotation, self._slide[:, i] * q[i])
            origins[:, i] = position
        return position + _turned(rotation, self._tool_translation), rotation, frames, origins

    def _tool(self, rotation: np.ndarray) -> np.ndarray:
        """Return tool rotations (B, 2, 3, 3) from those of the last joints (3, 3, 2, B)."""
        return np.transpose(rotation, (3, 2, 0, 1)) @ self._tool_rotation


def _turned(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return rotation[:, 0] * vector[0] + rotation[:, 1] * vector[1] + rotation[:, 2] * vector[2]


def _first(array: np.ndarray, count: int) -> np.ndarray:
    """Bring the last `count` axes of (2, N, ...) to the front: (..., N, 2, 1)."""
    front = np.moveaxis(array, range(2, 2 + count), range(count))
    return np.swapaxes(front, count, count + 1)[..., None].copy()


def _cross_matrix(axis: np.ndarray) -> np.ndarray:
    """Return K with K v = axis x v, shape (..., 3, 3); zero for a zero axis."""
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


_IMMOBILE = Joint(np.eye(3), np.zeros(3), np.zeros(3), np.zeros(3), 0)
