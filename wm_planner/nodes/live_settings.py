"""Settings of models, filters and scorers as parameters that count from the next plan."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from rclpy.node import Node

from wm_planner.nodes.parameters import Parameters

Part = TypeVar("Part")


class LiveSettings:
    """Parameters of some parts of the stack; a part takes them when its user is between two plans.

    Every part has an attribute `settings`, a frozen dataclass that it reads anew for every plan,
    but for what is declared `fixed`: those are parameters that can be looked at and not set.

    Args:
        node: declares the parameters.
        configured: the parts' settings as `planner.yaml` has them, by their place among the
            parameters: "" for a node's own, else what comes before the dot.
        check: raises a WmPlannerError for settings that do not fit the part at a place.
    """

    def __init__(
        self,
        node: Node,
        configured: Mapping[str, Any],
        check: Callable[[str, Any], None] = lambda place, settings: None,
    ) -> None:
        def checked(place: str) -> Callable[[Any], None]:
            return lambda settings: check(place, settings)

        self._parameters = {
            place: Parameters(node, type(one), asdict(one), place, check=checked(place))
            for place, one in configured.items()
        }

    def apply(self, parts: Mapping[str, Any]) -> None:
        """Have parts, by place, go by what was set last; one that has no parameters is left."""
        for place, part in parts.items():
            if place in self._parameters:
                part.settings = self._parameters[place].current

    def applied(self, place: str, part: Part) -> Part:
        """Return the part as it is with what was set last, beside the one that is in use."""
        other = copy.copy(part)  # shares graphs and whatever else was loaded
        self.apply({place: other})
        return other
