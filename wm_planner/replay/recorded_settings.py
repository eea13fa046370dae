"""What was set at run time while a bag was recorded, followed by the stack that replays it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.errors import WmPlannerError
from wm_planner.settings import changed_settings
from wm_planner.task.task_runner import TaskSettings

PARAMETER_EVENT = "rcl_interfaces/msg/ParameterEvent"
#: Field of a ParameterValue by its type, as in ParameterType.msg; 0 is not set.
FIELDS = (
    *(None, "bool_value", "integer_value", "double_value", "string_value", "byte_array_value"),
    *("bool_array_value", "integer_array_value", "double_array_value", "string_array_value"),
)
#: Where a parameter of the planner's node belongs that stands under nothing.
PLANNER, TASKS, TIME, UNKNOWN = "planner", "tasks", "time", "unknown"
TIMES = frozenset({"task_timeout", "no_plan_timeout", "regeneration_time"})


@dataclass(frozen=True)
class Change:
    """One parameter of one of the nodes that a replay stands for.

    Attributes:
        stamp_ns: when that was recorded, clock of the recording.
        node: without its namespace.
        name: of the parameter.
        value: it was set to.
        unused: why the replay does not follow it, "" where it does.
    """

    stamp_ns: int
    node: str
    name: str
    value: Any
    unused: str = ""


class RecordedSettings:
    """Applies changes of parameters to a stack, and to what the planner's node sets beside it.

    Args:
        stack: whose models, filters, scorers and view are set.
        tasks: of its tasks.

    Attributes:
        planner: as they are now.
        tasks: as they are now.
        changes: all that was heard of nodes that a replay stands for, in order.
    """

    def __init__(self, stack: Stack, tasks: TaskSettings) -> None:
        self.planner, self.tasks = stack.config.planner, tasks
        self.changes: list[Change] = []
        planner, config = stack.planner, stack.config
        scorers = zip(config.scorers, planner.scorers, strict=True)
        filters = zip(config.filters, planner.filters, strict=True)
        view = {} if stack.view is None else {"view": stack.view}
        self._inverse_dynamics = stack.inverse_dynamics
        # By node, then by what comes before the parameter's dot.
        self._parts: dict[str, dict[str, Any]] = {
            "planner": {**{f"scorers.{name}": one for name, one in scorers}, **view},
            "world_model": {"": stack.world_model},
            "idm": {"": stack.inverse_dynamics},
            "filter": dict(filters),
        }

    def hear(self, message: Any, stamp_ns: int) -> None:
        """Take a ParameterEvent; what a node began with is the configuration's affair.

        Args:
            message: as unpacked.
            stamp_ns: when it was recorded.
        """
        node = message.node.rsplit("/", 1)[-1]
        changed = {one.name: _value(one.value) for one in message.changed_parameters}
        if node not in self._parts or not changed:
            return
        # What was set together may be valid only together.
        together: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, value in changed.items():
            together[self._place(node, name)][name] = value
        for place, values in together.items():
            try:
                why = self._set(node, place, values)
            except WmPlannerError as error:
                why = str(error)
            self.changes += [Change(stamp_ns, node, *one, why) for one in values.items()]

    def _place(self, node: str, name: str) -> str:
        """Return where a parameter belongs: what its settings stand under, or one of three."""
        before, _, own = name.rpartition(".")
        if before in self._parts[node]:
            return before
        if node != "planner" or own != name:
            return UNKNOWN
        if name in TIMES:
            return TIME
        known = {PLANNER: self.planner, TASKS: self.tasks}
        return next((place for place, s in known.items() if hasattr(s, name)), UNKNOWN)

    def _set(self, node: str, place: str, values: Mapping[str, Any]) -> str:
        """Set some; returns why that is not possible, else ""."""
        if place == TIME:
            return "nothing that is replayed runs out of time"
        if place == UNKNOWN:
            return "the replay's configuration has nothing of that name"
        own = {name.rpartition(".")[2]: value for name, value in values.items()}
        if place == PLANNER:
            self.planner = changed_settings(self.planner, own)
        elif place == TASKS:
            self.tasks = changed_settings(self.tasks, own)
        else:
            part = self._parts[node][place]
            settings = changed_settings(part.settings, own)
            if part is self._inverse_dynamics:
                self._inverse_dynamics.check(settings)
            part.settings = settings
        return ""


def _value(message: Any) -> Any:
    """Return what a ParameterValue holds, as settings hold it."""
    field = FIELDS[message.type] if message.type < len(FIELDS) else None
    value: Any = None if field is None else getattr(message, field)
    return value.tolist() if isinstance(value, np.ndarray) else value
