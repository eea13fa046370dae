"""A run as its bag tells it: everything that the video and the page show."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import Reader

from wm_planner.errors import DataError
from wm_planner.messages.bag_types import bag_types

CAMERA_TYPE = "sensor_msgs/msg/Image"


@dataclass(frozen=True, eq=False)
class RecordedPlan:
    """One plan that was sent to the executor.

    Attributes:
        plan_id: of the planner.
        start_ns: when its first row counts from, ROS clock.
        sent_ns: when it was recorded.
        dt: spacing of its rows, s.
        candidate: which dream it was.
        dream: latents, shape (H, ...), float16.
        bundle_hash: of the world model that dreamed it.
    """

    plan_id: int
    start_ns: int
    sent_ns: int
    dt: float
    candidate: int
    dream: np.ndarray
    bundle_hash: str

    def dream_step(self, time_ns: int) -> int:
        """Which frame of the dream shows a time; may lie outside 0..H-1."""
        return round((time_ns - self.start_ns) * 1e-9 / self.dt) - 1


@dataclass(frozen=True, eq=False)
class Recording:
    """Everything of one run, in the order of recording; times are ROS clock, ns.

    Attributes:
        frames: stamp and picture (h, w, 3) uint8 RGB of the camera.
        plans: what was sent to the executor.
        reports: stamp and wm_planner/msg/PlanReport of every planning cycle.
        progress: stamp and wm_planner/msg/TaskProgress.
        states: stamp and wm_planner/msg/ExecutorState.
        success: stamp and whether physics said that the task was done.
    """

    frames: list[tuple[int, np.ndarray]]
    plans: list[RecordedPlan]
    reports: list[tuple[int, Any]]
    progress: list[tuple[int, Any]]
    states: list[tuple[int, Any]]
    success: list[tuple[int, bool]]

    @property
    def start_ns(self) -> int:
        """The first thing that was recorded."""
        first = [series[0][0] for series in (self.frames, self.progress, self.states) if series]
        return min(first, default=0)

    def scene_of(self, plan: RecordedPlan) -> np.ndarray | None:
        """Return the newest picture that a plan was made on; None where it is not in the bag."""
        row = bisect_right(self.frames, plan.start_ns, key=lambda frame: frame[0]) - 1
        return self.frames[row][1] if row >= 0 else None


def read_recording(bag: Path, camera_topic: str, plans: str = "/planner/plan") -> Recording:
    """Read a demo's bag, or a replay's.

    Args:
        bag: folder of the bag.
        camera_topic: the camera that the planner looked through.
        plans: topic of the plans.

    Raises:
        DataError: the bag cannot be read or lacks the camera.
    """
    types = bag_types()
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    wanted = {
        camera_topic: "frames",
        plans: "plans",
        "/planner/report": "reports",
        "/planner/task": "progress",
        "/executor/state": "states",
        "/rig/success": "success",
    }
    try:
        with Reader(bag) as reader:
            chosen = [c for c in reader.connections if c.topic in wanted]
            for connection, stamp_ns, data in reader.messages(chosen):
                message = types.deserialize_cdr(data, connection.msgtype)
                found[wanted[connection.topic]].append((stamp_ns, message))
    except Exception as error:  # rosbags raises many kinds for many kinds of damage
        raise DataError(f"bag {bag}: {type(error).__name__}: {error}") from error
    if not found["frames"]:
        raise DataError(f"bag {bag}: no pictures on {camera_topic}")
    return Recording(
        frames=[(_ns(m.header.stamp), _picture(m)) for _, m in found["frames"]],
        plans=[_plan(stamp, m) for stamp, m in found["plans"] if m.horizon],
        reports=found["reports"],
        progress=found["progress"],
        states=found["states"],
        success=[(stamp, bool(m.data)) for stamp, m in found["success"]],
    )


def read_reports(bag: Path, topic: str) -> Recording:
    """Return only the planning cycles (wm_planner/msg/PlanReport) of a topic of a bag."""
    types = bag_types()
    with Reader(bag) as reader:
        chosen = [c for c in reader.connections if c.topic == topic]
        reports = [
            (stamp_ns, types.deserialize_cdr(data, connection.msgtype))
            for connection, stamp_ns, data in (reader.messages(chosen) if chosen else ())
        ]
    return Recording([], [], reports, [], [], [])


def _plan(sent_ns: int, message: Any) -> RecordedPlan:
    shape = tuple(int(size) for size in message.dream_shape)
    dream = np.frombuffer(message.dream.tobytes(), "<f2").reshape(shape)
    start_ns, candidate = _ns(message.start), int(message.candidate)
    return RecordedPlan(
        message.plan_id, start_ns, sent_ns, message.dt, candidate, dream, message.bundle_hash
    )


def _picture(message: Any) -> np.ndarray:
    return np.asarray(message.data, np.uint8).reshape(message.height, message.width, 3)


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
