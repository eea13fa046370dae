"""ROS parameters from Settings dataclasses: one declaration gives default, range, unit and help.

A batch of changes is taken or refused as a whole: ours and every other node's rule is that a
robot never runs with half of what somebody meant.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_planner.errors import ConfigurationError, WmPlannerError
from wm_planner.settings import SettingInfo, changed_settings, describe, from_mapping

SettingsType = TypeVar("SettingsType")
_INT64 = 2**63 - 1


class Parameters(Generic[SettingsType]):
    """One settings dataclass as parameters of a node.

    `current` is always a complete, valid set. Whoever needs it takes it once at the start of a
    cycle, so a change never lands in the middle of one.

    Args:
        node: declares the parameters.
        cls: frozen dataclass made of `setting(...)` fields.
        defaults: instead of the class's own, such as a section of the configuration file.
        prefix: put before each name with a dot; empty for none.
        read_only: these names are fixed after the start, as are settings declared so.
        check: raises ConfigurationError for settings that do not fit what uses them.
    """

    def __init__(
        self,
        node: Node,
        cls: type[SettingsType],
        defaults: Mapping[str, Any] | None = None,
        prefix: str = "",
        read_only: Sequence[str] = (),
        check: Callable[[SettingsType], None] = lambda settings: None,
    ) -> None:
        self._cls, self._prefix = cls, f"{prefix}." if prefix else ""
        self._check = check
        start = from_mapping(cls, defaults)
        values = {}
        for info in describe(cls):
            descriptor = _descriptor(info, info.fixed or info.name in read_only)
            default = _to_ros(getattr(start, info.name))
            parameter = node.declare_parameter(self._prefix + info.name, default, descriptor)
            values[info.name] = parameter.value
        try:
            self.current: SettingsType = from_mapping(cls, values)
        except ConfigurationError as error:
            raise ConfigurationError(f"{node.get_name()}: {error}") from error
        node.add_on_set_parameters_callback(self._judge)
        node.add_post_set_parameters_callback(self._take)

    def _ours(self, changes: Sequence[Parameter]) -> dict[str, Any]:
        known = {self._prefix + info.name: info.name for info in describe(self._cls)}
        return {known[change.name]: change.value for change in changes if change.name in known}

    def _merged(self, changes: Sequence[Parameter]) -> SettingsType:
        return changed_settings(self.current, self._ours(changes))

    def _judge(self, changes: Sequence[Parameter]) -> SetParametersResult:
        try:
            if self._ours(changes):
                self._check(self._merged(changes))
        except WmPlannerError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take(self, changes: Sequence[Parameter]) -> None:
        if self._ours(changes):
            self.current = self._merged(changes)


def _to_ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _descriptor(info: SettingInfo, read_only: bool) -> ParameterDescriptor:
    """Describe one setting; bounds of lists go into words, ROS has ranges for scalars only."""
    unit = f" [{info.unit}]" if info.unit else ""
    descriptor = ParameterDescriptor(
        name=info.name, description=f"{info.help}{unit}", read_only=read_only
    )
    low, high = info.minimum, info.maximum
    bounded = low is not None or high is not None
    if bounded and info.type is float:
        least = -sys.float_info.max if low is None else float(low)
        most = sys.float_info.max if high is None else float(high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=least, to_value=most)]
    elif bounded and info.type is int:
        first = -_INT64 if low is None else int(low)
        last = _INT64 if high is None else int(high)
        descriptor.integer_range = [IntegerRange(from_value=first, to_value=last, step=1)]
    elif bounded:
        descriptor.additional_constraints = f"each from {low} to {high}"
    if info.choices:
        descriptor.additional_constraints = "one of " + ", ".join(map(str, info.choices))
    if typing.get_origin(info.type) is tuple:
        # An empty list has no type of its own that a later value could be checked against.
        descriptor.dynamic_typing = True
    return descriptor
