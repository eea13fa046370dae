"""How far commanded hands are from where they should be: in mm and degrees, hand by hand."""

from __future__ import annotations

import numpy as np

from wm_planner.types import HandPoses


def position_mm(got: HandPoses, wanted: HandPoses) -> np.ndarray:
    """Return distances of the positions, shape (..., 2), mm."""
    return 1e3 * np.linalg.norm(got.position - wanted.position, axis=-1)


def rotation_deg(got: HandPoses, wanted: HandPoses) -> np.ndarray:
    """Return the angles between the rotations, shape (..., 2), degrees."""
    # trace(A^T B) = 1 + 2 cos(angle), equal to the sum of products of all nine entries.
    cosine = (np.einsum("...ij,...ij->...", got.rotation, wanted.rotation) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def width_mm(got: HandPoses, wanted: HandPoses) -> np.ndarray:
    """Return differences of the gripper widths, shape (..., 2), mm."""
    return 1e3 * np.abs(got.width - wanted.width)


ERRORS = {"mm": position_mm, "deg": rotation_deg, "width_mm": width_mm}


def path_distance_mm(got: np.ndarray, wanted: np.ndarray) -> float:
    """Return how far two paths are apart when they need not keep the same time, mm.

    Dynamic time warping (Sakoe and Chiba 1978, "Dynamic programming algorithm optimization for
    spoken word recognition"): root mean square distance along the best alignment.

    Args:
        got: positions shape (N, 3), m.
        wanted: positions shape (M, 3), m.
    """
    from tslearn.metrics import dtw_path

    path, distance = dtw_path(got, wanted)  # root of the sum of squares along the path
    return float(1e3 * distance / np.sqrt(len(path)))
