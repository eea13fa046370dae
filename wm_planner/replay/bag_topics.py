"""Which topics of a bag hold what the planner's cores take."""

from __future__ import annotations

from dataclasses import dataclass

from wm_planner.assembly import Stack
from wm_planner.errors import DataError
from wm_planner.messages.topic_names import (
    COMMAND_TOPIC,
    EXECUTOR_STATE_TOPIC,
    PARAMETER_EVENTS_TOPIC,
)
from wm_planner.replay.bag import JOINT_STATE, Bag
from wm_planner.replay.inspection import camera_topic
from wm_planner.replay.recorded_run import find_topic
from wm_planner.replay.recorded_settings import PARAMETER_EVENT


@dataclass(frozen=True)
class BagTopics:
    """Where a bag has what the cores need; None for what it lacks and they can do without."""

    pictures: str
    joint_states: str
    commands: str | None
    executor_states: str | None
    parameter_events: str | None

    @property
    def all(self) -> list[str]:
        """Those that there are."""
        topics = (self.pictures, self.joint_states, self.commands, self.executor_states)
        return [topic for topic in (*topics, self.parameter_events) if topic is not None]


def find_topics(bag: Bag, stack: Stack) -> BagTopics:
    """Return where the bag has what the stack's rig and world model want.

    Raises:
        DataError: pictures or joint states are missing.
    """
    rig, name = stack.rig_description, stack.world_model.spec.camera
    pictures = camera_topic(bag.topics, rig.cameras[name])
    states = rig.topics.joint_states
    if pictures is None or bag.topics.get(states) != JOINT_STATE:
        looked_for = f"pictures on {rig.cameras[name].topic}", f"joint states on {states}"
        lacking = looked_for[pictures is not None]
        held = ", ".join(f"{t} ({kind})" for t, kind in sorted(bag.topics.items())) or "nothing"
        raise DataError(
            f"bag {bag.path} has no {lacking}, which the rig {rig.name} names; it has {held}. "
            "`wm-planner inspect` proposes a mapping"
        )
    commands = find_topic(bag.topics, COMMAND_TOPIC, "wm_planner/msg/Command")
    executor_states = find_topic(bag.topics, EXECUTOR_STATE_TOPIC, "wm_planner/msg/ExecutorState")
    told = bag.topics.get(PARAMETER_EVENTS_TOPIC) == PARAMETER_EVENT
    events = PARAMETER_EVENTS_TOPIC if told else None
    return BagTopics(pictures, states, commands, executor_states, events)
