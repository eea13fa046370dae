"""Writes the bag of a replay: the recorded topics, and beside them what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from wm_planner.assembly import Stack
from wm_planner.messages.bag_types import bag_types
from wm_planner.planner import PlanReport
from wm_planner.replay.bag import Bag, Record
from wm_planner.types import NoPlan, Plan, ReplanReason

PREFIX = "/replay"
PLAN, REPORT = f"{PREFIX}/planner/plan", f"{PREFIX}/planner/report"
CANDIDATES, TRAJECTORIES = f"{PREFIX}/planner/candidates", f"{PREFIX}/planner/trajectories"
PREVIEW = f"{PREFIX}/planner/preview/compressed"
JPEG_QUALITY = 85


class OutputBag:
    """Open while a `with` lasts.

    Args:
        folder: of the new bag (mcap); must not exist.
        source: the bag that is replayed; its topics are copied where it is a rosbag2.
        stack: decodes previews.
        copy: whether the recorded topics are copied.
    """

    def __init__(self, folder: Path, source: Bag, stack: Stack, copy: bool = True) -> None:
        self._store = bag_types()
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._source, self._stack, self._copy = source, stack, copy and source.is_ros2
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> OutputBag:
        """Begin the file."""
        self._writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the file."""
        self._writer.close()

    def copy(self, record: Record) -> None:
        """Write a recorded message as it is."""
        if not self._copy:
            return
        if record.topic not in self._connections:
            store = self._source.types_for(record.type)
            self._connections[record.topic] = (
                None  # nobody could read it
                if store is None
                else self._writer.add_connection(record.topic, record.type, typestore=store)
            )
        connection = self._connections[record.topic]
        if connection is not None:
            self._writer.write(connection, record.log_ns, record.data)

    def write(
        self, report: PlanReport, reason: ReplanReason, scene: np.ndarray, log_ns: int
    ) -> None:
        """Write everything about one planning cycle, which began from the frame ``scene``."""
        names = self._stack.robot.joint_names
        stamp = self._stamp(report.rollouts.start_ns)
        count, horizon, _ = report.chunks.actions.shape
        sizes = {"candidates": count, "horizon": horizon}
        if isinstance(report.plan, Plan):
            self._send(PLAN, "Plan", log_ns, **self._plan(report.plan, names))
            self._preview(report.plan, scene, log_ns)
        self._send(REPORT, "PlanReport", log_ns, **self._report(report, reason))
        self._send(
            CANDIDATES,
            "ActionChunks",
            log_ns,
            start=stamp,
            dt=report.chunks.dt,
            bundle_hash=report.chunks.bundle_hash,
            actions=_flat(report.chunks.actions),
            variance=_flat(report.chunks.variance),
            **sizes,
        )
        self._send(
            TRAJECTORIES,
            "JointTrajectories",
            log_ns,
            joint_names=list(names),
            **sizes,
            **{name: _flat(value) for name, value in vars(report.trajectories).items()},
        )

    def _plan(self, plan: Plan, names: Sequence[str]) -> dict[str, Any]:
        tables = ("joint_position", "joint_velocity", "gripper_width", "actions")
        return {
            "plan_id": plan.plan_id,
            "start": self._stamp(plan.start_ns),
            "dt": plan.dt,
            "horizon": len(plan.actions),
            "joint_names": list(names),
            **{name: _flat(getattr(plan, name)) for name in tables},
            "bundle_hash": plan.bundle_hash,
            "candidate": plan.candidate,
            "dream_shape": np.array(plan.dream.shape, np.uint32),
            "dream": np.frombuffer(plan.dream.astype("<f2").tobytes(), np.uint8),
        }

    def _report(self, report: PlanReport, reason: ReplanReason) -> dict[str, Any]:
        plan = report.plan
        verdicts = [
            self._message(
                "Verdict",
                filter=one.filter,
                reason=one.reason.value,
                unit=one.unit,
                limit=float(one.limit),
                measured=_flat(one.measured),
                where=list(one.where),
                first_bad_step=np.asarray(one.first_bad_step, np.int32),
                accepted=np.asarray(one.accepted, bool),
                slowdown=_flat(one.slowdown),
            )
            for one in report.verdicts
        ]
        scores = [
            self._message("Scores", scorer=one.scorer, contribution=_flat(one.contribution))
            for one in report.scores
        ]
        return {
            "stamp": self._stamp(plan.start_ns),
            "plan_id": plan.plan_id if isinstance(plan, Plan) else 0,
            "replan_reason": reason.value,
            "candidates": len(report.total_score),
            "rounds": len(report.rounds),
            "chosen": plan.candidate if isinstance(plan, Plan) else -1,
            "no_plan_reason": plan.reason if isinstance(plan, NoPlan) else "",
            "verdicts": verdicts,
            "scores": scores,
            "total_score": _flat(report.total_score),
            "stage": list(report.latency_s),
            "latency_s": _flat(list(report.latency_s.values())),
        }

    def _preview(self, plan: Plan, scene: np.ndarray, log_ns: int) -> None:
        """The chosen dream, its frames side by side."""
        frames = self._stack.world_model.decode(plan.dream.astype(np.float32), scene)
        strip = np.concatenate(list(frames), axis=1)
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        data = cv2.imencode(".jpg", strip[..., ::-1], quality)[1].reshape(-1)
        header = self._store.types["std_msgs/msg/Header"](self._stamp(plan.start_ns), "")
        message = self._store.types["sensor_msgs/msg/CompressedImage"](header, "jpeg", data)
        self._put(PREVIEW, message, log_ns)

    def _send(self, topic: str, kind: str, log_ns: int, **values: Any) -> None:
        self._put(topic, self._message(kind, **values), log_ns)

    def _put(self, topic: str, message: Any, log_ns: int) -> None:
        name = message.__msgtype__
        if topic not in self._connections:
            connection = self._writer.add_connection(topic, name, typestore=self._store)
            self._connections[topic] = connection
        self._writer.write(
            self._connections[topic], log_ns, self._store.serialize_cdr(message, name)
        )

    def _message(self, kind: str, **values: Any) -> Any:
        return self._store.types[f"wm_planner/msg/{kind}"](**values)

    def _stamp(self, stamp_ns: int) -> Any:
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        return self._store.types["builtin_interfaces/msg/Time"](seconds, nanoseconds)


def _flat(values: Any) -> np.ndarray:
    return np.ascontiguousarray(values, np.float64).reshape(-1)
