"""What nodes' parameters are at a moment, told as they tell it themselves when they start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient

from wm_planner.messages.bag_types import bag_types

PERIOD_S = 0.2
BAG_TYPES = bag_types()
VALUE, EVENT = "rcl_interfaces/msg/ParameterValue", "rcl_interfaces/msg/ParameterEvent"


class ParameterSnapshot:
    """Asks each node once, as soon as it answers; whoever is not there is waited for.

    Args:
        node: asks.
        names: of the nodes, in its own namespace.
        take: called with a ParameterEvent for each, as it lies in a bag.
    """

    def __init__(self, node: Node, names: Sequence[str], take: Callable[[bytes], None]) -> None:
        self._node, self._take = node, take
        group = MutuallyExclusiveCallbackGroup()
        self._clients = {name: AsyncParameterClient(node, name, callback_group=group)
                         for name in names}  # fmt: skip
        # By the machine's clock: the graph's may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._ask, group, steady)

    def _ask(self) -> None:
        for name, client in tuple(self._clients.items()):
            if client.services_are_ready():
                del self._clients[name]
                client.list_parameters([], 0, partial(self._listed, name, client))
        if not self._clients:
            self._timer.cancel()

    def _listed(self, name: str, client: AsyncParameterClient, answer: Any) -> None:
        names = list(answer.result().result.names)
        client.get_parameters(names, partial(self._got, name, names))

    def _got(self, name: str, names: Sequence[str], answer: Any) -> None:
        node = f"{self._node.get_namespace().rstrip('/')}/{name}"
        stamp_ns = self._node.get_clock().now().nanoseconds
        values = dict(zip(names, answer.result().values, strict=True))
        self._take(parameter_event(node, stamp_ns, values))


def parameter_event(node: str, stamp_ns: int, values: Mapping[str, ParameterValue]) -> bytes:
    """Return a ParameterEvent as it lies in a bag, with all values among the new ones.

    rclpy's own serialization pads messages, which readers of bags refuse.
    """
    types, store = BAG_TYPES.types, BAG_TYPES
    new = [
        types["rcl_interfaces/msg/Parameter"](name, types[VALUE](**_plain(value)))
        for name, value in values.items()
    ]
    stamp = types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 1_000_000_000))
    event = types[EVENT](stamp, node, new, [], [])
    return bytes(store.serialize_cdr(event, EVENT))


def _plain(value: ParameterValue) -> dict[str, Any]:
    """Return the fields of a value, its numbers in arrays."""
    plain = {name: getattr(value, name) for name in value.get_fields_and_field_types()}
    plain["byte_array_value"] = np.frombuffer(b"".join(value.byte_array_value), np.uint8)
    for name, kind in (("bool", bool), ("integer", np.int64), ("double", np.float64)):
        plain[f"{name}_array_value"] = np.array(plain[f"{name}_array_value"], kind)
    return plain
