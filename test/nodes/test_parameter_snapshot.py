"""What nodes' parameters are when a recording begins, as a bag holds it."""

from __future__ import annotations

import threading

from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node

from wm_planner.messages.bag_types import bag_types
from wm_planner.nodes.graph_session import ros_context
from wm_planner.nodes.parameter_snapshot import EVENT, ParameterSnapshot
from wm_planner.replay.recorded_settings import parameter_value

VALUES = {
    "count": 3, "share": 0.25, "word": "vier", "on": True,
    "numbers": [1.0, 2.5, 4.0], "counts": [5, 6], "words": ["a", "bc"], "switches": [True, False],
}  # fmt: skip


def test_every_node_is_asked_once_and_every_kind_of_value_survives():
    heard = []
    with ros_context() as context:
        asked = Node("asked", context=context, namespace="arm")
        asking = Node("asking", context=context, namespace="arm")
        for name, value in VALUES.items():
            asked.declare_parameter(name, value)
        came = threading.Event()

        def take(data: bytes) -> None:
            heard.append(bag_types().deserialize_cdr(data, EVENT))
            came.set()

        ParameterSnapshot(asking, ("asked", "not_there"), take)
        executor = MultiThreadedExecutor(2, context=context)
        for node in (asked, asking):
            executor.add_node(node)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        assert came.wait(20.0)
        executor.shutdown()
        thread.join(5.0)
        for node in (asked, asking):
            node.destroy_node()
    (event,) = heard
    assert event.node == "/arm/asked"
    told = {one.name: parameter_value(one.value) for one in event.new_parameters}
    assert VALUES.items() <= told.items()
    assert list(event.changed_parameters) == []
