"""The errors this package raises on purpose: one root, few children, each named for its cause.

A message says what was wrong, where, what was got, what was expected and which choices exist. It
is written for someone standing at a robot at night. "No good candidate" is not an error but a
result (`NoPlan`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WmPlannerError(Exception):
    """Root of everything raised on purpose; the command line prints it as one line."""


class ConfigurationError(WmPlannerError):
    """A setting, parameter, rig file or command line argument cannot be used."""


class ShapeError(WmPlannerError):
    """An array has the wrong shape or type."""


class DataError(WmPlannerError):
    """Recorded or received data is damaged, incomplete or not finite."""


class BundleError(WmPlannerError):
    """A model bundle is damaged, or does not fit the rig or the other model."""


class RigError(WmPlannerError):
    """The robot, real or simulated, cannot do what was asked."""


class WorkerError(WmPlannerError):
    """A process that was given work died, or could not be given it."""


class UnknownNameError(ConfigurationError):
    """A name is not among the known ones; the message lists them and the closest."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Describe the miss.

        Args:
            kind: what was looked up, in the singular: "filter", "task", "setting".
            name: what was asked for.
            known: every name that would have been accepted.
        """
        self.kind, self.name, self.known = kind, name, tuple(known)
        close = difflib.get_close_matches(str(name), self.known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        names = ", ".join(sorted(self.known)) or "none"
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {names}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, tuple[str, ...]]]:
        """Survive the way from one process to another, which calls the class with these."""
        return type(self), (self.kind, self.name, self.known)
