"""The service that decodes: a remote world model shows what the local one does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tiny_models import add_scene_decoder, picture, write_tiny_bundles

from wm_planner import srv
from wm_planner.bundle import WORLD_MODEL, load_bundle
from wm_planner.errors import BundleError
from wm_planner.nodes.remote_stages import RemoteWorldModel
from wm_planner.nodes.world_model_node import WorldModelNode
from wm_planner.world_models.onnx_world_model import OnnxWorldModel


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder, _ = write_tiny_bundles(tmp_path_factory.mktemp("tiny"), np.zeros((2, 20)))
    return OnnxWorldModel(load_bundle(add_scene_decoder(folder), WORLD_MODEL))


@pytest.fixture
def remote(model):
    """The remote stage, whose calls go straight to the node's work."""
    node = SimpleNamespace(_model=lambda: model)

    def call(request):
        response = srv.Decode.Response()
        WorldModelNode._decode(node, request, response)
        return response

    stage = RemoteWorldModel.__new__(RemoteWorldModel)
    stage.spec, stage._decode = model.spec, SimpleNamespace(call=call)
    return stage


@pytest.mark.parametrize("scenes", [None, 1, 2, 4])
def test_that_a_remote_model_decodes_over_the_scene_too(model, remote, scenes):
    images = picture(np.random.default_rng(0).uniform(-1, 1, (4, 20)))
    latents, scene = model.encode(images), None
    if scenes:
        scene = images[:scenes].copy()
        scene.reshape(scenes, -1)[:, 40:] = np.arange(1, scenes + 1)[:, None]
        scene = scene[0] if scenes == 1 else scene
    shown = remote.decode(latents, scene)
    np.testing.assert_array_equal(shown, model.decode(latents, scene))
    assert (shown.reshape(4, -1)[:, 40:] > 0).all() == bool(scenes)


def test_that_latents_of_another_bundle_are_refused(model, remote):
    remote.spec = SimpleNamespace(bundle_hash="other")
    with pytest.raises(BundleError, match="latents come from bundle other"):
        remote.decode(np.zeros((1, 2, 10)))
