"""The whole state of a simulated rig, to try something out and go back to the bit.

It is all of MuJoCo's data, derived quantities and the solver's warm start included, the arrays of
the model, which tasks and disturbances edit (ties of the towel, posts of the markers, light,
cameras), what the servos and a disturbance are about to do, and how far a long task has come.
Tasks keep no state of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from wm_planner.errors import RigError

if TYPE_CHECKING:
    from wm_planner.rigs.disturber import Disturber
    from wm_planner.rigs.mujoco_rig import MujocoRig
    from wm_planner.rigs.servo_reference import Reference
    from wm_planner.rigs.tasks import Task


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment of an episode; what it holds is never changed."""

    task: Task
    progress: tuple[int, float]
    data: mujoco.MjData
    model: dict[str, np.ndarray]
    look: dict[str, np.ndarray]
    reference: Reference
    reference_end: float
    generator: Mapping[str, Any]
    disturber: Disturber | None
    disturbing: tuple[Any, ...]


def take(rig: MujocoRig, reference: Reference, reference_end: float) -> Snapshot:
    """Return the present state.

    Args:
        rig: between two steps.
        reference: what its servos are told.
        reference_end: when that is over, simulated time, s.
    """
    if reference_end == np.inf:
        raise RigError("snapshot: a controller outside of the rig moves the arms")
    data = mujoco.MjData(rig.model)
    mujoco.mj_copyData(data, rig.model, rig.data)
    disturber = rig.disturber
    return Snapshot(
        task=rig.task,
        progress=(rig.parts_done, rig.held_s),
        data=data,
        model={name: array.copy() for name, array in _arrays(rig.model)},
        look=rig.appearance.look(),
        reference=reference,
        reference_end=reference_end,
        generator=rig.generator.bit_generator.state,
        disturber=disturber,
        disturbing=disturber.state() if disturber else (),
    )


def put_back(rig: MujocoRig, snapshot: Snapshot) -> None:
    """Restore simulator, looks and disturbance of a rig that has the snapshot's scene loaded."""
    for name, array in _arrays(rig.model):
        array[:] = snapshot.model[name]
    rig.appearance.restore(snapshot.look)
    mujoco.mj_copyData(rig.data, rig.model, snapshot.data)
    rig.generator.bit_generator.state = snapshot.generator
    if snapshot.disturber:
        snapshot.disturber.restore(snapshot.disturbing)


def _arrays(model: mujoco.MjModel) -> list[tuple[str, np.ndarray]]:
    """All arrays of a model that can be written, views of its memory."""
    named = ((name, getattr(model, name)) for name in dir(model) if not name.startswith("_"))
    return [(n, a) for n, a in named if isinstance(a, np.ndarray) and a.flags.writeable]
