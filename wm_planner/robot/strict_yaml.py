"""YAML read strictly: what is unknown, missing, doubled or of the wrong type is an error.

PyYAML keeps the last of two equal keys and reads `1e-3` as text; a joint listed twice would go
unnoticed until an arm moves. Every error names file, field, what was got and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from wm_planner.errors import ConfigurationError, UnknownNameError

REQUIRED: Any = object()  # default of a field that has none


class Section:
    """One mapping of a YAML file, read field by field."""

    def __init__(
        self, data: Any, file: str, field: str = "", keys: Iterable[str] | None = None
    ) -> None:
        """Check that it is a mapping with known keys only.

        Args:
            data: what was parsed.
            file: for error messages.
            field: path of this section within the file, "" for the whole of it.
            keys: the allowed keys; None when any text is one, as for names of cameras.
        """
        self.file, self.field = file, field
        if not isinstance(data, Mapping):
            raise self.error("", data, "a mapping")
        self.data = data
        for key in data:
            if not isinstance(key, str):
                raise self.error("", key, "text as key")
            if keys is not None and key not in keys:
                raise UnknownNameError(f"key in {self._place('')}", key, keys)

    def error(self, key: str, got: Any, expected: str) -> ConfigurationError:
        """Return the error for a field that is not what it should be."""
        return ConfigurationError(f"{self._place(key)}: got {got!r}, expected {expected}")

    def section(self, key: str, keys: Iterable[str] | None = None) -> Section:
        """Return a mapping within this one."""
        path = f"{self.field}.{key}" if self.field else key
        return Section(self._get(key, REQUIRED, "a mapping"), self.file, path, keys)

    def text(self, key: str, default: Any = REQUIRED) -> str:
        """Return a text that is not empty; the default stands for an absent key."""
        value = self._get(key, default, "text")
        if value is default:
            return value
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, value, "text")
        return value

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        """Return true or false."""
        value = self._get(key, default, "true or false")
        if value is not default and not isinstance(value, bool):
            raise self.error(key, value, "true or false")
        return value

    def number(
        self, key: str, minimum: float = -math.inf, unit: str = "", default: Any = REQUIRED
    ) -> float:
        """Return a finite number that is at least `minimum`."""
        expected = "a number" if unit == "" else f"a number in {unit}"
        if minimum > -math.inf:
            expected += f", at least {minimum:g}"
        value = self._get(key, default, expected)
        if value is default:
            return value
        if not _is_number(value) or value < minimum:
            raise self.error(key, value, expected)
        return float(value)

    def count(self, key: str) -> int:
        """Return a whole number above zero."""
        value = self._get(key, REQUIRED, "a whole number above 0")
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise self.error(key, value, "a whole number above 0")
        return value

    def numbers(self, key: str, size: int, unit: str = "") -> tuple[float, ...]:
        """Return a list of exactly `size` finite numbers."""
        expected = f"a list of {size} numbers" + (f" in {unit}" if unit else "")
        value = self._get(key, REQUIRED, expected)
        if not isinstance(value, list) or len(value) != size or not all(map(_is_number, value)):
            raise self.error(key, value, expected)
        return tuple(float(item) for item in value)

    def names(self, key: str, default: Any = REQUIRED) -> tuple[str, ...]:
        """Return a list of different texts."""
        value = self._get(key, default, "a list of names")
        if value is default:
            return value
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self.error(key, value, "a list of names")
        doubled = {name for name in value if value.count(name) > 1}
        if doubled:
            raise self.error(key, value, f"every name once, but {sorted(doubled)} came twice")
        return tuple(value)

    def _get(self, key: str, default: Any, expected: str) -> Any:
        if key in self.data:
            return self.data[key]
        if default is REQUIRED:
            raise ConfigurationError(f"{self._place(key)}: missing, expected {expected}")
        return default

    def _place(self, key: str) -> str:
        path = ".".join(part for part in (self.field, key) if part)
        return f"{self.file}: {path}" if path else self.file


def read(path: Path, keys: Iterable[str]) -> Section:
    """Read a YAML file whose top level is a mapping with these keys."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_NoDoubleKeys)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    # RecursionError: thousands of nested brackets; ValueError: text that is no UTF-8, or no date.
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: is not YAML: {reason}") from error
    return Section(data, str(path), "", keys)


def _is_number(value: Any) -> bool:
    """Whether it is a finite number; compared, since `math.isfinite` overflows on long integers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


class _NoDoubleKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    message = f"key {key.value!r} stands twice"
                    raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
