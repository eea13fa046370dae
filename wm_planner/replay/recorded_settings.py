"""Settings as they were and were set while a bag was recorded, followed by what replays it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.errors import WmPlannerError
from wm_planner.settings import changed_settings, describe
from wm_planner.task.task_runner import TaskSettings

PARAMETER_EVENT = "rcl_interfaces/msg/ParameterEvent"
#: Field of a ParameterValue by its type, as in ParameterType.msg; 0 is not set.
FIELDS = (
    *(None, "bool_value", "integer_value", "double_value", "string_value", "byte_array_value"),
    *("bool_array_value", "integer_array_value", "double_array_value", "string_array_value"),
)
#: Where a parameter of the planner's node belongs that stands under nothing.
PLANNER, TASKS, TIME, FIXED, UNKNOWN = "planner", "tasks", "time", "fixed", "unknown"
#: Of these, those that nothing is done about, and why.
OTHERS = {
    TIME: "nothing that is replayed runs out of time",
    FIXED: "it is read only once, so the configuration has to say it",
    UNKNOWN: "the replay's configuration has nothing of that name",
}
TIMES = frozenset({"task_timeout", "no_plan_timeout", "regeneration_time"})


@dataclass(frozen=True)
class Change:
    """One parameter of one of the nodes that a replay stands for.

    Attributes:
        stamp_ns: when that was recorded, clock of the recording; 0 for before everything else.
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
        changes: all that differed from what was set before, in order.
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

    def begin(self, messages: Iterable[Any]) -> None:
        """Set what nodes had when they were first heard of, before anything is planned.

        Args:
            messages: all ParameterEvents of the bag, in order.
        """
        first: dict[str, dict[str, Any]] = defaultdict(dict)
        for message in messages:
            for one in message.new_parameters:
                first[_node(message)].setdefault(one.name, parameter_value(one.value))
        for node, values in first.items():
            self._take(node, self._ours(node, values), 0)

    def hear(self, message: Any, stamp_ns: int) -> None:
        """Set what a ParameterEvent says.

        Args:
            message: as unpacked.
            stamp_ns: when it was recorded.
        """
        node = _node(message)
        new = {one.name: parameter_value(one.value) for one in message.new_parameters}
        changed = {one.name: parameter_value(one.value) for one in message.changed_parameters}
        self._take(node, {**self._ours(node, new), **changed}, stamp_ns)

    def _ours(self, node: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those that are settings of ours: every node has others, such as use_sim_time."""
        known = node in self._parts
        return {n: v for n, v in values.items() if known and self._place(node, n) not in OTHERS}

    def _take(self, node: str, values: Mapping[str, Any], stamp_ns: int) -> None:
        if node not in self._parts:
            return
        # What was set together may be valid only together.
        together: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, value in values.items():
            place = self._place(node, name)
            if place in OTHERS or self._now(node, place, name) != value:
                together[FIXED if self._is_fixed(node, place, name) else place][name] = value
        for place, changed in together.items():
            try:
                why = self._set(node, place, changed)
            except WmPlannerError as error:
                why = str(error)
            self.changes += [Change(stamp_ns, node, *one, why) for one in changed.items()]

    def _place(self, node: str, name: str) -> str:
        """Return where a parameter belongs: what its settings stand under, or one of four."""
        before, _, own = name.rpartition(".")
        part = self._parts[node].get(before)
        if part is not None and hasattr(part.settings, own):
            return before
        if node != "planner" or own != name:
            return UNKNOWN
        if name in TIMES:
            return TIME
        known = {PLANNER: self.planner, TASKS: self.tasks}
        return next((place for place, s in known.items() if hasattr(s, name)), UNKNOWN)

    def _settings(self, node: str, place: str) -> Any:
        """Return what stands at a place now."""
        own = {PLANNER: self.planner, TASKS: self.tasks}
        return own[place] if place in own else self._parts[node][place].settings

    def _now(self, node: str, place: str, name: str) -> Any:
        """Return a parameter's value now, as parameters hold it."""
        value = getattr(self._settings(node, place), name.rpartition(".")[2], None)
        return list(value) if isinstance(value, tuple) else value

    def _is_fixed(self, node: str, place: str, name: str) -> bool:
        if place in OTHERS:
            return False
        infos = describe(type(self._settings(node, place)))
        return any(info.fixed and info.name == name.rpartition(".")[2] for info in infos)

    def _set(self, node: str, place: str, values: Mapping[str, Any]) -> str:
        """Set some; returns why that is not possible, else ""."""
        if place in OTHERS:
            return OTHERS[place]
        before = self._settings(node, place)
        own = {name.rpartition(".")[2]: value for name, value in values.items()}
        settings = changed_settings(before, own)
        if place == PLANNER:
            self.planner = settings
        elif place == TASKS:
            self.tasks = settings
        else:
            part = self._parts[node][place]
            if part is self._inverse_dynamics:
                self._inverse_dynamics.check(settings)
            part.settings = settings
        return ""


def _node(message: Any) -> str:
    """Return whose event it is, without namespaces."""
    return str(message.node).rsplit("/", 1)[-1]


def parameter_value(message: Any) -> Any:
    """Return what a ParameterValue holds, as settings hold it."""
    field = FIELDS[message.type] if message.type < len(FIELDS) else None
    value: Any = None if field is None else getattr(message, field)
    return value.tolist() if isinstance(value, np.ndarray) else value
