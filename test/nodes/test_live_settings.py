"""Settings of parts as parameters: set live, fixed where that would do half of what was meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_planner.errors import BundleError
from wm_planner.filters.dtw_filter import DtwFilterSettings
from wm_planner.nodes.live_settings import LiveSettings
from wm_planner.nodes.stages import LocalStages
from wm_planner.scorers.value_scorer import ValueScorer, ValueScorerSettings
from wm_planner.world_models.onnx_world_model import OnnxWorldModelSettings


@dataclass
class Part:
    """Something that goes by settings."""

    settings: Any


def put(node: Node, name: str, value: object):
    return node.set_parameters_atomically([Parameter(name, value=value)])


def test_that_a_part_takes_what_was_set_when_it_is_told_to_and_not_before(node):
    model, scorer = Part(OnnxWorldModelSettings()), ValueScorer()
    live = LiveSettings(node, {"": model.settings, "scorers.value": scorer.settings})
    assert put(node, "guidance_outcome", 3.0).successful
    assert put(node, "scorers.value.weight", 0.25).successful
    assert model.settings.guidance_outcome == 1.0
    live.apply({"": model, "scorers.value": scorer, "scorers.other": Part(None)})
    assert model.settings.guidance_outcome == 3.0
    assert scorer.settings == ValueScorerSettings(weight=0.25)


def test_that_a_service_works_beside_the_part_that_is_in_use(node):
    model = Part(OnnxWorldModelSettings())
    live = LiveSettings(node, {"": model.settings})
    assert put(node, "noise_scale", 0.5).successful
    assert live.applied("", model).settings.noise_scale == 0.5
    assert model.settings.noise_scale == 0.0


def test_that_what_is_read_only_once_can_be_looked_at_and_not_set(node):
    LiveSettings(node, {"dtw": DtwFilterSettings(band=3)})
    assert node.get_parameter("dtw.band").value == 3
    assert node.describe_parameter("dtw.band").read_only
    assert not put(node, "dtw.band", 4).successful
    assert put(node, "dtw.consensus_limit", 0.02).successful


def test_that_a_part_may_refuse_what_is_valid_for_others(node):
    def check(place: str, settings: OnnxWorldModelSettings) -> None:
        if place == "" and settings.frame_by_frame:
            raise BundleError("this model cannot")

    live = LiveSettings(node, {"": OnnxWorldModelSettings()}, check)
    refused = put(node, "frame_by_frame", True)
    assert not refused.successful
    assert refused.reason == "this model cannot"
    model = Part(None)
    live.apply({"": model})
    assert model.settings == OnnxWorldModelSettings()


def test_that_all_stages_settle_at_once():
    stages, told = LocalStages(), []
    stages.settled["world_model"] = lambda: told.append("world_model")
    stages.settled["filter"] = lambda: told.append("filter")
    stages.settle()
    assert told == ["world_model", "filter"]
