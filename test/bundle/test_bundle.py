"""Bundles on disk: whole or not there, verified, and every damage named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import write_tiny_bundles

from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle, write_bundle
from wm_planner.bundle.manifest_reader import read_manifest
from wm_planner.errors import BundleError


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return write_tiny_bundles(tmp_path, np.zeros((2, 20)))


def edit(folder: Path, **changes) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_that_loading_returns_what_was_written(folders):
    bundle = load_bundle(folders[0], WORLD_MODEL)
    assert bundle.manifest.vocabulary == ("home", "lift")
    assert set(bundle.graphs) == {"encoder", "decoder", "denoiser", "value"}
    assert bundle.graphs["value"] == (folders[0] / "value.onnx").read_bytes()
    again = write_bundle(folders[0], bundle.manifest, bundle.graphs, "# Another card\n")
    assert load_bundle(again, WORLD_MODEL).manifest.graphs == bundle.manifest.graphs
    assert sorted(p.name for p in again.parent.iterdir()) == ["inverse_dynamics", "world_model"]


def test_that_only_behaviour_changes_the_hash(folders):
    bundle = load_bundle(folders[0], WORLD_MODEL)
    edit(folders[0], evaluation={"reach": 0.5}, name="renamed")
    assert load_bundle(folders[0], WORLD_MODEL).bundle_hash == bundle.bundle_hash
    edit(folders[0], sampler={"steps": 2})
    assert load_bundle(folders[0], WORLD_MODEL).bundle_hash != bundle.bundle_hash


def test_that_a_changed_byte_is_found(folders):
    path = folders[0] / "value.onnx"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"value.onnx: sha256 is \w{64}, bundle.json says \w{64}"):
        load_bundle(folders[0], WORLD_MODEL)


def test_that_a_truncated_graph_is_found(folders):
    path = folders[0] / "decoder.onnx"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BundleError, match=r"decoder.onnx: sha256"):
        load_bundle(folders[0], WORLD_MODEL)


def test_that_missing_files_are_named(folders, tmp_path):
    (folders[0] / "encoder.onnx").unlink()
    with pytest.raises(BundleError, match=r"encoder.onnx: cannot be read: No such file"):
        load_bundle(folders[0], WORLD_MODEL)
    with pytest.raises(BundleError, match=r"nowhere/bundle.json: cannot be read"):
        load_bundle(tmp_path / "nowhere", WORLD_MODEL)


def test_that_the_other_kind_is_refused(folders):
    with pytest.raises(BundleError, match="'inverse_dynamics', expected 'world_model'"):
        load_bundle(folders[1], WORLD_MODEL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 1}, "format_version is 1, expected 2"),
        ({"colour": "red"}, "Unknown field 'colour'"),
        ({"horizonn": 3}, "Did you mean 'horizon'"),
        ({"dt_s": "fast"}, "dt_s: is 'fast', expected a number"),
        ({"dt_s": -0.2}, "dt_s is -0.2, expected more than 0"),
        ({"horizon": 1.5}, "horizon: is 1.5, expected a whole number"),
        ({"horizon": True}, "horizon: is True, expected a whole number"),
        ({"latent_shape": []}, "latent_shape is 0"),
        ({"kind": "world_modle"}, "Did you mean 'world_model'"),
        ({"graphs": {}}, "graphs.encoder is None, expected one of encoder, decoder"),
        ({"action": {"size": 21}}, "action.size is 21, expected 20"),
        (
            {"action": {"hands": ["right", "left"]}},
            r"hands is \('right', 'left'\), expected \('left",
        ),
        ({"action": {"convention": "absolute"}}, "action.convention is 'absolute', expected 'per"),
        ({"cameras": {"head": {"height": 6, "width": 8, "encoding": "bgr8"}}}, "expected 'rgb8'"),
        ({"files": {"../outside": "0"}}, "is not in|one of the names|plain names"),
        ({"sampler": {"steps": 2, "signals": [0.5, 0.2]}}, "rising from 0"),
    ],
)
def test_that_every_bad_field_is_named(folders, changes, message):
    edit(folders[0], **changes)
    with pytest.raises(BundleError, match=message):
        load_bundle(folders[0], WORLD_MODEL)


def test_that_files_outside_the_folder_are_never_read(folders):
    manifest = json.loads((folders[0] / "bundle.json").read_text())
    edit(folders[0], files={**manifest["files"], "../secret": "0" * 64})
    with pytest.raises(BundleError, match=r"'\.\./secret', expected plain names within the folder"):
        load_bundle(folders[0], WORLD_MODEL)


def test_that_doubled_keys_are_refused():
    with pytest.raises(BundleError, match="stand twice"):
        read_manifest('{"kind": "world_model", "kind": "inverse_dynamics"}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), value=json_values)
def test_that_fuzzed_manifests_are_read_or_refused(folders, data, value):
    manifest = json.loads((folders[0] / "bundle.json").read_text())
    place = manifest
    for _ in range(data.draw(st.integers(0, 3))):
        inner = place[data.draw(st.sampled_from(sorted(place)))]
        if not isinstance(inner, dict) or not inner:
            break
        place = inner
    place[data.draw(st.sampled_from(sorted(place)))] = value
    try:
        read_manifest(json.dumps(manifest))
    except BundleError as error:
        assert str(error).startswith("bundle.json: ")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_that_garbage_is_refused(text):
    with pytest.raises(BundleError):
        read_manifest(text)


def test_that_writing_with_other_graphs_than_described_is_refused(folders):
    bundle = load_bundle(folders[1], INVERSE_DYNAMICS)
    with pytest.raises(BundleError, match=r"got graphs \[\], manifest has \['inverse_dynamics'\]"):
        write_bundle(folders[1], bundle.manifest, {}, "")
    assert load_bundle(folders[1], INVERSE_DYNAMICS).bundle_hash == bundle.bundle_hash
