"""A made-up data set that is quick to train on."""

from __future__ import annotations

import numpy as np
import pytest

from wm_planner.training.source import EpisodeSource

KINDS = ("expert", "play", "failure", "stills")


def make_source(episodes: int = 8, length: int = 12) -> EpisodeSource:
    """Noise with the right shapes; the hands' x follows the frame's brightness."""
    generator = np.random.default_rng(0)
    count = episodes * length
    frames = generator.integers(0, 255, (count, 96, 128, 3), dtype=np.uint8)
    identity = np.tile([1.0, 0, 0, 0, 1, 0], 2)
    pose = np.zeros((count, 20))
    pose[:, [*range(3, 9), *range(13, 19)]] = identity
    pose[:, [0, 10]] = frames.mean((1, 2, 3))[:, None] / 255
    kinds = [KINDS[i % 4] for i in range(episodes)]
    return EpisodeSource(
        frames=frames,
        hand_pose=pose,
        hand_target=pose + 0.01 * np.arange(count)[:, None] / count,
        step_good=np.repeat([k == "expert" for k in kinds], length),
        object_position=generator.normal(0, 0.1, (count, 2, 3)),
        object_visible=np.ones((count, 2), bool),
        offsets=np.arange(episodes + 1) * length,
        instruction=["lift the cube" if k in ("expert", "failure") else "" for k in kinds],
        task=["pick_lift" if k in ("expert", "failure") else k for k in kinds],
        kind=kinds,
        success=np.array([k == "expert" for k in kinds]),
        recording=np.arange(episodes),
    )


@pytest.fixture(scope="session")
def source():
    return make_source()
