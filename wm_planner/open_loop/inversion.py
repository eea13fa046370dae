"""Commands read off real and dreamed frames, as the planner would read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.open_loop.windows import Windows
from wm_planner.types import HandPoses


@dataclass(frozen=True, eq=False)
class Inverted:
    """What inverse dynamics answered for B windows.

    Attributes:
        targets: where the chain of actions leads, leading axes (B, H).
        actions: that chain, shape (B, H, 20).
        variance: stated of the chain, shape (B, H, 20).
    """

    targets: HandPoses
    actions: np.ndarray
    variance: np.ndarray


def invert(
    model: InverseDynamics,
    frames: np.ndarray,
    windows: Windows,
    bundle_hash: str,
    seed: int,
    dreamed: bool = True,
) -> Inverted:
    """Read the commands off the frames of each window.

    Args:
        model: inverse dynamics.
        frames: as the model reads them, (B, H + 1, *frame_shape): the newest observed ones, and
            those after them, real or dreamed.
        windows: B windows; the chains start at their measured hands.
        bundle_hash: of the world model that the latents come from.
        seed: of the noise of models that average over draws.
        dreamed: whether the frames after the first were.
    """
    chunks = [
        model.invert(
            frames[b : b + 1], actions.unpack(windows.hand_pose[b]), seen.dt,
            seen.newest_stamp_ns, bundle_hash, np.random.default_rng([seed, 3, b]), dreamed,
        )
        for b, seen in enumerate(windows.seen)
    ]  # fmt: skip
    chain = np.concatenate([chunk.actions for chunk in chunks])
    return Inverted(
        targets=actions.integrate(actions.unpack(windows.hand_pose), chain),
        actions=chain,
        variance=np.concatenate([chunk.variance for chunk in chunks]),
    )


def commanded(windows: Windows) -> np.ndarray:
    """Return the chain of actions that was really commanded, shape (B, H, 20)."""
    return actions.difference(actions.unpack(windows.hand_pose), actions.unpack(windows.targets))


def standing_still(windows: Windows) -> HandPoses:
    """Return the measured hands of each window as its targets, leading axes (B, H)."""
    pose = np.repeat(windows.hand_pose[:, None], windows.horizon, axis=1)
    return actions.unpack(pose)
