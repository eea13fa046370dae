"""World model, inverse dynamics and rig belong together, or every misfit is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_models import RIG, write_tiny_bundles

from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle, mismatches, pair
from wm_planner.errors import BundleError

CAMERAS = {"head": (192, 256), "left_wrist": (192, 256)}


@pytest.fixture
def manifests(tmp_path):
    world_model, inverse_dynamics = write_tiny_bundles(tmp_path, np.zeros((2, 20)))
    return (
        load_bundle(world_model, WORLD_MODEL).manifest,
        load_bundle(inverse_dynamics, INVERSE_DYNAMICS).manifest,
    )


def test_that_what_belongs_together_fits(manifests):
    assert mismatches(*manifests, RIG, CAMERAS) == []
    pair(*manifests, RIG, CAMERAS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rig": "other"}, "inverse dynamics is for 'other', the rig is 'simulated_bimanual'"),
        ({"dt_s": 0.1}, "dt_s: world model has 0.2, inverse dynamics has 0.1"),
        ({"latent_shape": (2, 11)}, r"latent_shape: world model has \[2, 10\].* has \[2, 11\]"),
        ({"encoder_hash": "f" * 64}, "encoder_hash: world model has .*, inverse dynamics has ffff"),
    ],
)
def test_that_both_values_of_a_misfit_are_named(manifests, changes, message):
    world_model, inverse_dynamics = manifests
    with pytest.raises(BundleError, match=message):
        pair(world_model, dataclasses.replace(inverse_dynamics, **changes), RIG, CAMERAS)


def test_that_cameras_are_compared(manifests):
    with pytest.raises(BundleError, match="needs 'head', the rig has left_wrist"):
        pair(*manifests, RIG, {"left_wrist": (192, 256)})
    with pytest.raises(BundleError, match="wants 6x8, the rig has 100x100, another aspect"):
        pair(*manifests, RIG, {"head": (100, 100)})


def test_that_all_misfits_are_told_at_once(manifests):
    world_model, inverse_dynamics = manifests
    other = dataclasses.replace(inverse_dynamics, dt_s=0.1, latent_shape=(3, 3))
    found = mismatches(world_model, other, "other", {})
    assert [sentence.split(":")[0] for sentence in found] == [
        "rig",
        "rig",
        "dt_s",
        "latent_shape",
        "cameras",
    ]
