"""Joint states from messages: always by name, never by position in the message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wm_planner.errors import DataError


def joint_state_from_message(message: Any, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return position and velocity, each (N,), of the named joints of a sensor_msgs/JointState.

    Raises:
        DataError: a joint is missing, named twice, or not finite; naming it.
    """
    index = {name: i for i, name in enumerate(message.name)}
    if len(index) != len(message.name):
        twice = next(name for name in message.name if list(message.name).count(name) > 1)
        raise DataError(f"joint state names {twice} twice")
    if len(message.position) != len(message.name):
        raise DataError(
            f"joint state has {len(message.position)} positions for {len(message.name)} names"
        )
    missing = [name for name in names if name not in index]
    if missing:
        raise DataError(f"joint state lacks {', '.join(missing)}; it has {', '.join(index)}")
    order = [index[name] for name in names]
    position = np.array(message.position)[order]
    # Drivers that do not measure velocity leave the field empty.
    known = len(message.velocity) == len(message.name)
    velocity = np.array(message.velocity)[order] if known else np.zeros(len(order))
    for name, values in zip(names, np.stack([position, velocity], axis=1), strict=True):
        if not np.isfinite(values).all():
            raise DataError(f"joint state of {name} is {values.tolist()}, expected finite numbers")
    return position, velocity
