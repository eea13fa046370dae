"""Settings declared once: default, unit, bounds and help in one place.

A frozen dataclass whose fields come from `setting(...)` becomes YAML (`from_mapping`), ROS
parameters and help texts (`describe`). A batch of values is accepted or refused as a whole.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from wm_planner.errors import ConfigurationError, UnknownNameError

SettingsType = TypeVar("SettingsType")
Number = int | float


@dataclass(frozen=True)
class SettingInfo:
    """What is known about one setting; `type` is bool, int, float, str or a tuple of one."""

    name: str
    type: Any
    default: Any
    unit: str
    minimum: Number | None
    maximum: Number | None
    help: str
    choices: tuple[Any, ...] | None
    fixed: bool = False


def setting(
    default: Any,
    unit: str = "",
    minimum: Number | None = None,
    maximum: Number | None = None,
    help: str = "",
    choices: Sequence[Any] | None = None,
    fixed: bool = False,
) -> Any:
    """Declare a field of a settings dataclass.

    Args:
        default: value when nothing is configured.
        unit: "s", "m", "rad/s"..., empty for counts and names.
        minimum: smallest allowed value, None for no bound.
        maximum: largest allowed value, None for no bound.
        help: one sentence for parameter descriptions and --help.
        choices: the only allowed values, None for any.
        fixed: whether it is read only when what it belongs to is made, so that changing it
            afterwards would do nothing, or half of what was meant.
    """
    info: dict[str, Any] = {"unit": unit, "minimum": minimum, "maximum": maximum, "help": help}
    info["fixed"] = fixed
    info["choices"] = None if choices is None else tuple(choices)
    return dataclasses.field(default=default, metadata=info)


def describe(cls: type) -> list[SettingInfo]:
    """Return one entry per field of a settings dataclass, in order."""
    hints = typing.get_type_hints(cls)
    bare: dict[str, Any] = {"unit": "", "minimum": None, "maximum": None, "help": ""}
    bare |= {"choices": None, "fixed": False}
    return [
        SettingInfo(
            name=field.name,
            type=hints[field.name],
            default=field.default,
            **{key: field.metadata.get(key, value) for key, value in bare.items()},
        )
        for field in dataclasses.fields(cls)
    ]


def validate(settings: Any) -> None:
    """Raise ConfigurationError naming every value that is of the wrong type or out of bounds.

    A settings class may define `problems(self) -> list[str]` for values that are inconsistent
    with each other.
    """
    name = type(settings).__name__
    problems = []
    for info in describe(type(settings)):
        problem = _problem(info, getattr(settings, info.name))
        if problem:
            problems.append(f"{name}.{info.name} {problem}")
    if not problems and hasattr(settings, "problems"):
        problems = [f"{name}: {problem}" for problem in settings.problems()]
    if problems:
        raise ConfigurationError("; ".join(problems))


def from_mapping(cls: type[SettingsType], mapping: Mapping[str, Any] | None) -> SettingsType:
    """Build settings from names and values, such as a section of a YAML file.

    Missing names keep their default, None as a whole means all defaults. Unknown names, wrong
    types, NaN and values out of bounds are refused, all at once.
    """
    infos = {info.name: info for info in describe(cls)}
    values = {}
    for name, value in (mapping or {}).items():
        if name not in infos:
            raise UnknownNameError(f"setting of {cls.__name__}", str(name), infos)
        values[name] = _coerce(infos[name].type, value)
    settings = cls(**values)
    validate(settings)
    return settings


def changed_settings(settings: SettingsType, changes: Mapping[str, Any]) -> SettingsType:
    """Return settings with some of them changed, refused as `from_mapping` does."""
    fields = {info.name: getattr(settings, info.name) for info in describe(type(settings))}
    return from_mapping(type(settings), {**fields, **changes})


def _coerce(wanted: Any, value: Any) -> Any:
    """Accept what YAML and ROS write differently: 1 for 1.0, a list for a tuple."""
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    if listed and typing.get_origin(wanted) is tuple:
        return tuple(_coerce(typing.get_args(wanted)[0], item) for item in value)
    return value


def _problem(info: SettingInfo, value: Any) -> str:
    """Return what is wrong with a value, "" when nothing is."""
    if typing.get_origin(info.type) is tuple:
        if not isinstance(value, tuple):
            return f"is {value!r}, expected a list"
        item = dataclasses.replace(info, type=typing.get_args(info.type)[0])
        return next((problem for problem in (_problem(item, v) for v in value) if problem), "")
    unit = f" {info.unit}" if info.unit else ""
    if type(value) is not info.type:
        return f"is {value!r}, expected {info.type.__name__}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, expected a finite number"
    if info.minimum is not None and value < info.minimum:
        return f"is {value}{unit}, expected at least {info.minimum}{unit}"
    if info.maximum is not None and value > info.maximum:
        return f"is {value}{unit}, expected at most {info.maximum}{unit}"
    if info.choices is not None and value not in info.choices:
        return f"is {value!r}, expected one of {', '.join(map(repr, info.choices))}"
    return ""
