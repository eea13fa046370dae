"""The whole graph over DDS, in processes: it works, it obeys, and it stops when it must."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from painted_mujoco_rig import home_picture, lifted_picture
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from wm_planner.msg import PlanReport
from wm_planner.nodes import topics
from wm_planner.nodes.task_client import TaskClient
from wm_planner.types import Goal

sys.path.insert(0, str(Path(__file__).parent))
from graph_fixture import ESTOPPED, EXECUTING, HOLDING, STOPPED, Graph, graph_of, wait_for

pytestmark = pytest.mark.slow

STOP_S = 0.5
STILL = 0.01  # rad; a servo with friction creeps the last bit to where it was told to hold
#: The tiny models never call an instruction done, so this task goes on until it is ended.
ENDLESS = Goal("lift both hands")


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    with graph_of(tmp_path_factory.mktemp("composed")) as running:
        yield running


def begin_endless_task(graph: Graph, timeout_s: float = 60.0):
    """Send a goal and wait until the arms follow a plan; returns when, and the pending result."""
    states = graph.ears.states
    # What is said while the task before ends would be taken for this one's.
    wait_for(lambda: states and states[-1][1].state != EXECUTING, 10, "the task before to be over")
    moment = time.time()
    pending = graph.in_background(lambda: graph.client.run([ENDLESS], timeout_s))
    began = wait_for(lambda: graph.ears.state_after(moment, EXECUTING), 30, "EXECUTING")
    return began, pending


def go_home(graph: Graph) -> None:
    """Reset the scene, arms included."""
    client = graph.node.create_client(Trigger, topics.RIG_RESET_SERVICE)
    assert client.wait_for_service(10.0)
    answer = client.call_async(Trigger.Request())
    wait_for(answer.done, 20, "reset of the rig")
    assert answer.result().success, answer.result().message
    graph.node.destroy_client(client)


def stamp_s(message) -> float:
    """A message's own stamp, s of ROS time."""
    return message.stamp.sec + message.stamp.nanosec * 1e-9


def test_that_a_goal_is_reached_and_said_to_be(graph):
    outcome = graph.client.run([Goal(image=lifted_picture())], 40.0)
    assert outcome.outcome == "SUCCEEDED", outcome
    assert outcome.plans >= 1
    newest = graph.ears.plans[-1][1]
    assert newest.horizon == 0  # the plan was taken back: the arms come to a stop


def test_that_goals_are_reached_one_after_the_other_and_the_one_that_fails_is_named(graph):
    go_home(graph)
    pursued: list[tuple[int, int, int]] = []

    def note(feedback) -> None:
        pursued.append((feedback.goal, feedback.goals, feedback.retries))

    up, down = Goal(image=lifted_picture()), Goal(image=home_picture())
    outcome = graph.client.run([up, down, up], 90.0, on_feedback=note)
    assert outcome.outcome == "SUCCEEDED", outcome
    assert outcome.reached == 3
    assert outcome.message.startswith("sub-goal 3 of 3, a goal image: the last ")
    assert [goal for goal, _, _ in pursued] == sorted(goal for goal, _, _ in pursued)
    assert {goals for _, goals, _ in pursued} == {3}

    impossible = graph.client.run([up, ENDLESS, down], 90.0, goal_timeouts_s=[0.0, 2.0, 0.0])
    assert impossible.outcome == "TIMEOUT", impossible
    assert impossible.reached == 1
    assert impossible.message.startswith(
        f"sub-goal 2 of 3, '{ENDLESS.instruction}': not reached within 2.0 s"
    )
    refused = graph.client.run([up, Goal()], 20.0)
    assert refused.outcome == "REFUSED", refused
    assert "goals[1] has neither an instruction nor an image" in refused.message


def test_that_other_processes_see_and_set_parameters(graph):
    script = Path(__file__).with_name("parameter_probe.py")
    command = [sys.executable, str(script)]
    done = subprocess.run(
        command, env=graph.environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["value"] == 8
    assert seen["range"] == [1, 256]
    assert "Dreams per plan" in seen["description"]
    assert not seen["half_valid_accepted"]
    assert "candidates" in seen["reason"]
    assert seen["execute_steps_after_refusal"] == 4
    assert seen["valid_accepted"]
    assert seen["after"] == 6
    assert seen["world_model guidance_outcome"]
    assert seen["idm draws"]
    assert seen["filter kinematic.start_jump"]
    assert seen["planner scorers.image_goal.weight"]
    assert "start_jump" in seen["out_of_range"]


def test_that_no_plan_is_made_by_half_of_a_change_however_often_something_is_changed(graph):
    """Two limits that are set together, to and fro a hundred times a second as the arms move."""
    go_home(graph)
    began, (thread, results) = begin_endless_task(graph)
    reports: list[PlanReport] = []
    args = (PlanReport, topics.REPORT_TOPIC, reports.append, topics.RELIABLE_QOS)
    ear = graph.node.create_subscription(*args)
    setter = graph.node.create_client(SetParametersAtomically, "/filter/set_parameters_atomically")
    assert setter.wait_for_service(10.0)

    def put(start_jump: float, joint_overshoot: float):
        values = {"start_jump": start_jump, "joint_overshoot": joint_overshoot}
        named = [Parameter(f"kinematic.{name}", value=value) for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=[p.to_parameter_msg() for p in named])
        return setter.call_async(request)

    pairs = [(1.1, 0.02), (1.0, 0.0)]
    answers = []

    def limits() -> list[tuple[float, float]]:
        told = [{verdict.reason: verdict.limit for verdict in one.verdicts} for one in reports]
        return [(one["START_STATE"], one["JOINT_POSITION"]) for one in told]

    try:
        wait_for(put(*pairs[0]).done, 20, "an answer")
        wait_for(lambda: pairs[0] in limits(), 20, "a plan under other limits")
        until = time.monotonic() + 5.0
        while time.monotonic() < until:
            # A service keeps ten questions and drops what comes beyond.
            if sum(not answer.done() for answer in answers[-8:]) < 4:
                answers += [put(*pair) for pair in pairs]
            time.sleep(0.02)
        wait_for(lambda: len(reports) > 5, 20, "reports")
    finally:
        graph.client.cancel()
        thread.join(20.0)
    assert results, "the cancelled task did not end"
    wait_for(put(*pairs[-1]).done, 20, "the limits as they were")
    given = [answer.result().result for answer in answers if answer.done()]
    assert len(given) > 20
    assert all(one.successful for one in given)
    assert graph.ears.moved_since(began) > STILL
    assert set(limits()) <= set(pairs)
    graph.node.destroy_client(setter)
    graph.node.destroy_subscription(ear)


def test_that_a_second_client_is_refused_and_a_cancel_ends_the_first(graph):
    go_home(graph)
    _, (thread, results) = begin_endless_task(graph)
    second = TaskClient(graph.node).run([Goal("go home")], 20.0)
    assert second.outcome == "REFUSED", second
    cancelled = time.time()
    graph.client.cancel()
    thread.join(20.0)
    assert results, "the cancelled task did not end"
    assert results[0].outcome == "CANCELED", results
    stopped = wait_for(lambda: graph.ears.state_after(cancelled, STOPPED), 5, "STOPPED")
    time.sleep(1.0)
    late = [t for t, _ in graph.ears.commands if t > stopped + STOP_S]
    assert late == [], "commands went out after the stop"


@pytest.mark.parametrize("qualities", [topics.LATCHED_QOS, 10, topics.SENSOR_QOS])
def test_that_the_emergency_stop_silences_everything_until_a_reset(graph, qualities):
    go_home(graph)
    _, (thread, results) = begin_endless_task(graph)
    button = graph.node.create_publisher(Bool, "/emergency_stop", qualities)
    begun = time.time()

    def press() -> float | None:
        button.publish(Bool(data=True))  # again and again: the first may find no listener yet
        time.sleep(0.05)
        return graph.ears.state_after(begun, ESTOPPED)

    pressed = wait_for(press, 20, "ESTOPPED")
    thread.join(20.0)
    assert results, "the task did not end"
    assert results[0].outcome == "STOPPED", results
    time.sleep(1.0)
    late = [t for t, _ in graph.ears.commands if t > pressed + STOP_S]
    assert late == []
    reset = graph.node.create_client(Trigger, topics.ESTOP_RESET_SERVICE)
    assert reset.wait_for_service(10.0)
    answer = reset.call_async(Trigger.Request())
    wait_for(answer.done, 10, "an answer to the reset")
    assert not answer.result().success, "a reset must not work while the button is pressed"
    for _ in range(5):
        button.publish(Bool(data=False))
        time.sleep(0.1)
    assert [t for t, _ in graph.ears.commands if t > pressed + STOP_S] == []
    answer = reset.call_async(Trigger.Request())
    wait_for(answer.done, 10, "an answer to the reset")
    assert answer.result().success
    assert graph.client.run([Goal(image=lifted_picture())], 40.0).outcome == "SUCCEEDED"
    graph.node.destroy_publisher(button)


def test_that_kill_9_of_the_planner_stops_the_arms_and_the_task_goes_on(graph):
    go_home(graph)
    began, (thread, results) = begin_endless_task(graph, timeout_s=45.0)
    kept = graph.supervisor.keeper.kept["planner_process"]
    wait_for(lambda: graph.ears.moved_since(began) > STILL, 10, "the arms to be in motion")
    killed = time.time()
    kept.process.kill()

    # A plan that happens to end within the heartbeat's timeout leads to HOLDING instead.
    resting = (STOPPED, HOLDING)
    stopped = wait_for(lambda: graph.ears.state_after(killed, *resting), 5, "STOPPED")
    again = wait_for(lambda: graph.ears.state_after(stopped, EXECUTING), 90, "EXECUTING again")
    assert kept.restarts >= 1
    # By the executor's own stamp: this process hears late where the machine is busy, and of the
    # arms' motion perhaps before it hears that it has begun.
    resumed = next(stamp_s(said) for t, said in graph.ears.states if t == again)
    times, path = graph.ears.path_after(killed)
    sent = [stamp_s(command) for _, command in graph.ears.commands]
    early = [stamp for stamp in sent if killed + STOP_S < stamp < resumed - 0.1]
    assert early == [], "commands went out without a plan"
    # From the last command on, which the line before bounds: the servos follow it a little late.
    last = max(stamp for stamp in sent if stamp < resumed - 0.1)
    between = path[(times > last + STOP_S) & (times < resumed - 0.1)]
    assert len(between) > 10
    drift = np.ptp(between, axis=0).max()
    assert drift < STILL, f"the arms moved {drift} rad after the stop"

    graph.client.cancel()
    thread.join(30.0)
    assert results, "the task did not end"
    assert results[0].outcome in ("CANCELED", "TIMEOUT")
    assert results[0].attempts >= 2
