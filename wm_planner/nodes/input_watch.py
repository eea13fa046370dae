"""When each input was last heard, and which has been silent for too long."""

from __future__ import annotations

from collections.abc import Sequence


class InputWatch:
    """Watches inputs that must not fall silent while something moves.

    Args:
        names: of the inputs, all unheard.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._heard_ns = dict.fromkeys(names, -1)

    def heard(self, name: str, now_ns: int) -> None:
        """Note that an input spoke."""
        self._heard_ns[name] = now_ns

    def complaint(self, now_ns: int, timeout_s: float) -> str:
        """Return which input is silent for how long, "" where none is."""
        for name, heard_ns in self._heard_ns.items():
            if heard_ns < 0:
                return f"{name} was never heard"
            silent_s = (now_ns - heard_ns) * 1e-9
            if silent_s > timeout_s:
                return f"{name} silent for {silent_s:.2f} s"
        return ""
