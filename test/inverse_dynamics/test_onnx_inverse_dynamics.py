"""The ONNX inverse dynamics: chains start at the measured pose and lead through the targets."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_models import DT, build_graph, write_tiny_bundles

from wm_planner import actions
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle, write_bundle
from wm_planner.errors import BundleError, DataError, ShapeError
from wm_planner.inverse_dynamics.onnx_inverse_dynamics import (
    OnnxInverseDynamics,
    OnnxInverseDynamicsSettings,
)
from wm_planner.onnx_session import describe_graph
from wm_planner.types import ActionChunks


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_tiny_bundles(tmp_path_factory.mktemp("tiny"), np.zeros((2, 20)))


def make_model(folders, **settings) -> OnnxInverseDynamics:
    bundle = load_bundle(folders[1], INVERSE_DYNAMICS)
    return OnnxInverseDynamics(bundle, OnnxInverseDynamicsSettings(**settings))


def invert(model, latents, measured, generator=None) -> ActionChunks:
    return model.invert(latents, measured, DT, 7, "dreams", generator)


def random_packed(generator, *lead) -> np.ndarray:
    packed = actions.pack(actions.unpack(generator.uniform(-1, 1, (*lead, 20))))
    packed[..., 9::10] = np.abs(packed[..., 9::10])
    return packed


def test_that_the_chain_leads_through_the_targets(folders, generator):
    packed = random_packed(generator, 3, 6)
    measured = actions.unpack(random_packed(generator))
    chunks = invert(make_model(folders), packed.reshape(3, 6, 2, 10), measured)
    assert chunks.actions.shape == (3, 5, 20)
    assert (chunks.start_ns, chunks.bundle_hash) == (7, "dreams")
    reached = actions.pack(actions.integrate(measured, chunks.actions))
    np.testing.assert_allclose(reached, packed[:, 1:], atol=1e-5)


def test_that_the_observed_frames_own_pose_does_not_matter(folders, generator):
    """Only the measured pose anchors the chain: the model's idea of it is an error source."""
    packed = random_packed(generator, 1, 4)
    measured = actions.unpack(random_packed(generator))
    other = packed.copy()
    other[:, 0] = random_packed(generator)
    model = make_model(folders)
    one, two = (invert(model, p.reshape(1, 4, 2, 10), measured) for p in (packed, other))
    np.testing.assert_array_equal(one.actions, two.actions)


def test_that_widths_are_never_negative(folders, generator):
    packed = random_packed(generator, 1, 4)
    packed[..., 9::10] = -0.01
    chunks = invert(make_model(folders), packed.reshape(1, 4, 2, 10), actions.unpack(packed[0, 0]))
    assert (chunks.actions[..., 9::10] == 0).all()


def test_that_variances_match_a_monte_carlo_estimate(folders, generator):
    packed = random_packed(generator, 1, 3)
    measured = actions.unpack(packed[0, 0])
    chunks = invert(make_model(folders), packed.reshape(1, 3, 2, 10), measured)
    noisy = packed[0, 1:] + np.exp(-5.0) * generator.normal(size=(4000, 2, 20))
    sampled = actions.difference(measured, actions.unpack(noisy)).var(axis=0)
    position_and_width = np.r_[0:3, 9, 10:13, 19]
    ours = chunks.variance[0]
    np.testing.assert_allclose(
        ours[:, position_and_width], sampled[:, position_and_width], rtol=0.15
    )
    # Gram-Schmidt removes the part of the error that is no rotation, so ours is a bound in sum.
    rotation = np.r_[3:9, 13:19]
    ratio = ours[:, rotation].sum(axis=1) / sampled[:, rotation].sum(axis=1)
    assert ((ratio > 0.9) & (ratio < 2.5)).all()


def test_that_averaging_draws_is_seeded_and_tightens(folders, generator):
    packed = random_packed(generator, 2, 4)
    measured = actions.unpack(packed[0, 0])
    latents = packed.reshape(2, 4, 2, 10)
    one = make_model(folders, draws=1)
    many = make_model(folders, draws=16, latent_noise=0.02)
    a, b = (invert(many, latents, measured, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(a.actions, b.actions)
    exact = invert(one, latents, measured, generator)
    assert np.abs(a.actions - exact.actions).max() < 0.1
    assert not np.array_equal(a.actions, exact.actions)
    assert (a.variance[..., :3] > exact.variance[..., :3]).all()  # disagreement is added
    np.testing.assert_array_equal(invert(many, latents, measured).actions, exact.actions)


def test_that_nan_flows_through_to_be_rejected(folders, generator):
    packed = random_packed(generator, 2, 3)
    latents = packed.reshape(2, 3, 2, 10).copy()
    latents[1, 2] = np.nan
    chunks = invert(make_model(folders), latents, actions.unpack(packed[0, 0]))
    assert np.isfinite(chunks.actions[0]).all()
    assert np.isnan(chunks.actions[1, 1]).all()


def test_that_what_does_not_fit_is_refused(folders, generator):
    model = make_model(folders)
    measured = actions.unpack(random_packed(generator))
    with pytest.raises(ShapeError, match=r"\(1, 3, 4, 10\), expected \(K, H \+ 1, \(2, 10\)\)"):
        invert(model, np.zeros((1, 3, 4, 10)), measured)
    with pytest.raises(DataError, match=r"0\.1 s apart, inverse dynamics needs 0\.2 s"):
        model.invert(np.zeros((1, 3, 2, 10)), measured, 0.1, 0, "dreams")
    with pytest.raises(BundleError, match="is a world_model, expected inverse_dynamics"):
        OnnxInverseDynamics(load_bundle(folders[0], WORLD_MODEL))


def test_that_anchored_chains_are_free_of_what_is_misread_everywhere(folders, generator):
    """The tiny model reads what a latent says: latents that are off are hands that are misread."""
    packed = random_packed(generator, 2, 5)
    measured = actions.unpack(packed[0, 0])
    packed[:, 0] = packed[0, 0]
    off = packed.copy()
    off[..., [0, 9, 11, 19]] += [0.03, 0.01, -0.02, 0.02]
    latents = off.reshape(2, 5, 2, 10)
    chunks = invert(make_model(folders, anchor=1.0, anchor_width=1.0), latents, measured)
    reached = actions.pack(actions.integrate(measured, chunks.actions))
    np.testing.assert_allclose(reached, packed[:, 1:], atol=1e-5)
    half = invert(make_model(folders, anchor=0.5), latents, measured)
    reached = actions.pack(actions.integrate(measured, half.actions))
    expected = (packed + off)[:, 1:] / 2
    expected[..., [9, 19]] = off[:, 1:, [9, 19]]  # widths are read as before
    np.testing.assert_allclose(reached, expected, atol=1e-5)


def test_that_an_anchor_of_nothing_changes_no_bit(folders, generator):
    packed = random_packed(generator, 2, 5)
    latents, measured = packed.reshape(2, 5, 2, 10), actions.unpack(random_packed(generator))
    plain, anchored, barely = (
        invert(make_model(folders, **settings), latents, measured)
        for settings in ({}, {"anchor": 0.0, "anchor_width": 0.0}, {"anchor": 0.1})
    )
    np.testing.assert_array_equal(plain.actions, anchored.actions)
    np.testing.assert_array_equal(plain.variance, anchored.variance)
    assert not np.array_equal(plain.actions, barely.actions)


def test_that_noise_on_the_observed_frame_is_averaged_over_the_draws_too(folders, generator):
    """It moves all targets, so what one draw of it does must not be left in the average."""
    packed = random_packed(generator, 1, 4)
    measured, latents = actions.unpack(packed[0, 0]), packed.reshape(1, 4, 2, 10)
    exact = invert(make_model(folders, anchor=1.0), latents, measured)
    off = []
    for draws in (2, 32):
        model = make_model(folders, anchor=1.0, draws=draws, latent_noise=0.02)
        got = [invert(model, latents, measured, np.random.default_rng(i)) for i in range(20)]
        off.append(np.mean([np.square((one.actions - exact.actions)[0, 0, :3]) for one in got]))
    assert off[1] < off[0] / 8  # 16 times as many draws


@pytest.mark.parametrize("share", ["anchor", "anchor_width"])
def test_that_an_anchor_needs_a_graph_that_says_where_hands_are(tmp_path, folders, share):
    windowed_bundle(tmp_path, folders, bias=0.0)
    with pytest.raises(BundleError, match="no output pose, which anchor needs"):
        OnnxInverseDynamics(
            load_bundle(tmp_path, INVERSE_DYNAMICS), OnnxInverseDynamicsSettings(**{share: 0.5})
        )


def windowed_bundle(folder, folders, bias):
    """A bundle of three frames a window that reads poses as they are, off by a bias per pair."""
    graph = build_graph(
        """windowed (float[N,3,2,10] frames, float[N] dreamed)
        => (float[N,2,20] command, float[N,2,20] log_variance, float[N,2,20] correlation)
        {
            later = Slice (frames, one, three, one)
            flat = Reshape (later, wanted)
            command = Add (flat, bias)
            zero = Sub (flat, flat)
            told = Reshape (dreamed, rows)
            surer = Add (zero, certainty)
            log_variance = Add (surer, told)
            correlation = Add (zero, shared)
        }""",
        {
            "one": np.array([1]), "rows": np.array([-1, 1, 1]),
            "three": np.array([3]), "wanted": np.array([0, 2, 20]),
            "bias": np.array([[bias], [0.0]]) * np.eye(1, 20),
            "certainty": np.full(20, -9.0), "shared": np.full(20, 0.75),
        },
    )  # fmt: skip
    manifest = load_bundle(folders[1], INVERSE_DYNAMICS).manifest
    spec = describe_graph("inverse_dynamics.onnx", graph)
    manifest = dataclasses.replace(
        manifest, context_frames=3, graphs={"inverse_dynamics": spec}, files={}
    )
    write_bundle(folder, manifest, {"inverse_dynamics": graph}, "# Windowed\n")
    return OnnxInverseDynamics(load_bundle(folder, INVERSE_DYNAMICS))


@pytest.mark.parametrize("frames", [2, 3, 7])
def test_that_windows_slide_over_sequences_of_any_length(tmp_path, folders, generator, frames):
    packed = random_packed(generator, 2, frames)
    measured = actions.unpack(random_packed(generator))
    model = windowed_bundle(tmp_path, folders, bias=0.0)
    chunks = invert(model, packed.reshape(2, frames, 2, 10), measured)
    reached = actions.pack(actions.integrate(measured, chunks.actions))
    np.testing.assert_allclose(reached, packed[:, 1:], atol=1e-5)


def test_that_overlapping_windows_are_averaged_and_their_disagreement_counts(
    tmp_path, folders, generator
):
    packed = random_packed(generator, 1, 5)
    measured = actions.unpack(packed[0, 0])
    latents = packed.reshape(1, 5, 2, 10)
    exact = invert(windowed_bundle(tmp_path / "exact", folders, 0.0), latents, measured)
    biased = invert(windowed_bundle(tmp_path / "biased", folders, 0.02), latents, measured)
    off = actions.integrate(measured, biased.actions).position[0, :, 0, 0] - packed[0, 1:, 0]
    # The first pair is in one window alone, as its biased pair; the last one as its exact pair.
    np.testing.assert_allclose(off, [0.02, 0.01, 0.01, 0.0], atol=1e-6)
    added = biased.variance[0, :2, 0] - exact.variance[0, :2, 0]
    assert added[0] == pytest.approx(0, abs=1e-12) and added[1] > 2e-5


def test_that_errors_which_neighbours_share_cancel_in_steps(tmp_path, folders, generator):
    """Only the first step, from the measured pose, has all of its target's error."""
    packed = random_packed(generator, 1, 5)
    model = windowed_bundle(tmp_path, folders, bias=0.0)
    variance = invert(model, packed.reshape(1, 5, 2, 10), actions.unpack(packed[0, 0])).variance
    own = np.exp(-8.0)
    np.testing.assert_allclose(variance[0, 0, :3], own, rtol=1e-5)
    np.testing.assert_allclose(variance[0, 1:, :3], 2 * own * (1 - 0.75), rtol=1e-5)
    np.testing.assert_allclose(variance[0, :, 9::10], own, rtol=1e-5)


def test_that_models_are_told_whether_they_look_at_a_dream(tmp_path, folders, generator):
    packed = random_packed(generator, 1, 5)
    model, measured = windowed_bundle(tmp_path, folders, bias=0.0), actions.unpack(packed[0, 0])
    dreamt, seen = (
        model.invert(packed.reshape(1, 5, 2, 10), measured, DT, 7, "dreams", dreamed=dreamed)
        for dreamed in (True, False)
    )
    np.testing.assert_allclose(dreamt.actions, seen.actions, atol=1e-12)
    np.testing.assert_allclose(dreamt.variance, np.e * seen.variance, rtol=1e-5)
