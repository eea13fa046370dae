"""Which frames the autoencoder learns from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from wm_planner.training.autoencoder_training import frame_drawer  # noqa: E402


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_at_least_the_share_asked_for_shows_hands_anywhere(share, source):
    kinds = ["play", "stills", *["expert"] * (len(source.kind) - 2)]
    mixed = dataclasses.replace(source, kind=np.array(kinds))
    rows = frame_drawer(mixed, 40, share)(np.random.default_rng(0))
    anywhere = np.mean(rows < mixed.offsets[2])
    assert anywhere >= share
    assert (anywhere < 1) == (share < 1)
    assert (np.diff(rows) >= 0).all() and rows[-1] < len(mixed.frames)


def test_data_without_play_is_drawn_evenly(source):
    plain = dataclasses.replace(source, kind=np.array(["expert"] * len(source.kind)))
    rows = frame_drawer(plain, 40, 0.5)(np.random.default_rng(0))
    assert len(rows) == 40
    assert rows[-1] > len(plain.frames) / 2
