"""Parameters, lifecycle and heartbeats of nodes in this very process."""

from __future__ import annotations

import os
import time

import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_planner.errors import BundleError, ConfigurationError
from wm_planner.nodes.heartbeat import HeartbeatWatch
from wm_planner.nodes.parameters import Parameters
from wm_planner.nodes.stage_node import StageNode
from wm_planner.observing.known_view import ViewSettings
from wm_planner.planner import PlannerSettings
from wm_planner.task.task_runner import TaskSettings


def changes(**values: object) -> list[Parameter]:
    return [Parameter(name, value=value) for name, value in values.items()]


def test_that_settings_become_parameters_with_type_range_and_help(node):
    Parameters(node, TaskSettings)
    described = node.describe_parameter("task_timeout")
    assert described.type == ParameterType.PARAMETER_DOUBLE
    limits = described.floating_point_range[0]
    assert (limits.from_value, limits.to_value) == (0.1, 86400.0)
    assert described.description.endswith("[s]")
    frames = node.describe_parameter("success_frames").integer_range[0]
    assert (frames.from_value, frames.to_value) == (1, 1000)


def test_that_a_batch_is_taken_or_refused_as_a_whole(node):
    settings = Parameters(node, PlannerSettings)
    refused = node.set_parameters_atomically(changes(execute_steps=2, candidates=1000))
    assert not refused.successful
    assert refused.reason
    assert settings.current == PlannerSettings()
    assert node.get_parameter("execute_steps").value == PlannerSettings().execute_steps
    assert node.set_parameters_atomically(changes(execute_steps=2, candidates=10)).successful
    assert settings.current == PlannerSettings(candidates=10, execute_steps=2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_that_numbers_that_are_none_are_refused(node, value):
    settings = Parameters(node, TaskSettings)
    before = settings.current
    refused = node.set_parameters_atomically(changes(no_plan_timeout=value))
    assert not refused.successful
    assert settings.current is before


def test_that_a_value_taken_before_a_change_stays_whole(node):
    settings = Parameters(node, PlannerSettings)
    taken = settings.current
    node.set_parameters_atomically(changes(candidates=3))
    assert taken.candidates == PlannerSettings().candidates
    assert settings.current.candidates == 3


def test_that_names_of_a_group_begin_with_it_and_change_with_the_others(node):
    planning = Parameters(node, PlannerSettings)
    looking = Parameters(node, ViewSettings, {"least_turn": 0.01}, prefix="view")
    both = [*changes(candidates=3), Parameter("view.correct", value=False)]
    assert node.set_parameters_atomically(both).successful
    assert planning.current == PlannerSettings(candidates=3)
    assert looking.current == ViewSettings(correct=False, least_turn=0.01)


def test_that_fixed_parameters_cannot_be_changed(node):
    Parameters(node, PlannerSettings, {"candidates": 5}, read_only=("candidates",))
    assert node.get_parameter("candidates").value == 5
    assert not node.set_parameters_atomically(changes(candidates=6)).successful


def test_that_defaults_from_a_file_are_checked_too(node):
    with pytest.raises(ConfigurationError, match="candidates"):
        Parameters(node, PlannerSettings, {"candidates": 0})


class Picky(StageNode):
    """Refuses to be configured until it is told not to."""

    def __init__(self, context) -> None:
        super().__init__("picky", context=context)
        self.error: Exception | None = BundleError("encoder.onnx: sha256 is 1, expected 2")
        self.calls: list[str] = []

    def build(self) -> None:
        self.calls.append("build")
        if self.error:
            raise self.error

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def release(self) -> None:
        self.calls.append("release")


@pytest.fixture
def picky(context):
    made = Picky(context)
    yield made
    made.destroy_node()


@pytest.mark.parametrize(
    "error", [BundleError("encoder.onnx: sha256 is 1"), RuntimeError("sha256: bug")]
)
def test_that_a_refused_configure_says_why_and_can_be_tried_again(picky, error):
    picky.error = error
    assert picky.trigger_configure() is TransitionCallbackReturn.FAILURE
    assert picky.calls == ["build", "release"]
    label, detail = picky._label, picky._detail
    assert label == "unconfigured"
    assert "cannot configure" in detail
    assert "sha256" in detail
    picky.error = None
    assert picky.trigger_configure() is TransitionCallbackReturn.SUCCESS
    assert picky._detail == ""


def test_that_a_node_goes_through_its_life(picky):
    picky.error = None
    picky.trigger_configure()
    assert not picky.is_active
    picky.trigger_activate()
    assert picky.is_active
    picky.trigger_deactivate()
    assert not picky.is_active
    picky.trigger_cleanup()
    assert picky.calls == ["build", "start", "stop", "release"]


def test_that_heartbeats_tell_state_and_reason_and_end_with_the_node(context):
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    listener = Node("listener", context=context)
    watch, picky = HeartbeatWatch(listener), Picky(context)
    executor = SingleThreadedExecutor(context=context)
    for one in (listener, picky):
        executor.add_node(one)

    def spin_until(condition, timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline
            executor.spin_once(timeout_sec=0.05)

    spin_until(lambda: "/picky" in watch.beats)
    assert watch.beats["/picky"].state == "unconfigured"
    picky.trigger_configure()
    spin_until(lambda: "sha256" in watch.beats["/picky"].detail)
    picky.destroy_node()
    assert watch.age_s("/nobody") == float("inf")
    spin_until(lambda: watch.age_s("/picky") > 1.0)
    executor.shutdown()
    listener.destroy_node()
