"""Records a running graph until it is told to stop, or the disk is full."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_planner.nodes.recorder import Recorder, recorded_topics
from wm_planner.nodes.topic_watch import TopicWatch
from wm_planner.robot.rig_description import RigDescription
from wm_planner.settings import setting

DISCOVERY_S = 2.0  # after the joints' publisher was found, one of /clock is too, if there is one
PATIENCE_S = 8.0  # to find either; nobody needs to publish yet
CLOCK = "/clock"
FIRST_LOOK_S = 2.0
OTHER_CLOCK = (
    "the graph runs on /clock, which was not there when this began: times of recording are this "
    "machine's, and a replay cannot follow them. Record anew"
)


@dataclass(frozen=True)
class RecordSettings:
    """How long, and when to complain."""

    duration: float = setting(0.0, "s", 0.0, 1e6, "of the recording; 0: until it is stopped")
    period: float = setting(5.0, "s", 0.5, 600.0, "between two lines of progress")
    rate: float = setting(5.0, "Hz", 0.1, 1000.0, "of cameras and joints; below it they are slow")
    keep_free: float = setting(500.0, "MB", 0.0, 1e6, "of the disk; with less, recording stops")
    compressed: bool = setting(False, help="record cameras' topic/compressed")


@dataclass(frozen=True)
class Recorded:
    """What came of it.

    Attributes:
        counts: messages by topic.
        elapsed_s: how long it took.
        size: of the bag, bytes.
        problem: why it ended before it was told to; empty where it did not.
        never_heard: topics without which nothing can be replayed.
    """

    counts: Mapping[str, int]
    elapsed_s: float
    size: int
    problem: str
    never_heard: list[str]


def record(
    context: Context,
    rig: RigDescription,
    folder: Path,
    settings: RecordSettings,
    stop: threading.Event,
    say: Callable[[str], None],
) -> Recorded:
    """Record, and finish the bag however the recording ends.

    Args:
        context: of the caller.
        rig: whose topics are recorded.
        folder: of the bag; must not exist yet.
        settings: how.
        stop: ends it.
        say: told, a line each, what is missing and how it goes on.

    Raises:
        DataError: the bag could not be begun or finished.
    """
    simulated = _has_clock(context, rig.topics.joint_states, stop)
    clock = [Parameter("use_sim_time", value=simulated)]
    recorder = Recorder(
        folder, rig, settings.compressed, context=context, parameter_overrides=clock
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(recorder)
    spinning = threading.Event()
    spinning.set()

    def spin() -> None:
        while spinning.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin, name="record-ros", daemon=True)
    watch = TopicWatch(*_wanted(rig, settings.compressed), settings.rate)
    thread.start()
    begun, begun_ns = time.monotonic(), 0
    problem, next_s = "", FIRST_LOOK_S
    try:
        while not stop.wait(0.2):
            elapsed_s = time.monotonic() - begun
            # Rates are those of the graph's own time, which may be simulated and slow.
            now_ns = recorder.get_clock().now().nanoseconds
            begun_ns = begun_ns or now_ns
            problem = recorder.problem or _nearly_full(folder, settings.keep_free)
            if problem or 0.0 < settings.duration <= elapsed_s:
                break
            if elapsed_s >= next_s:
                next_s = elapsed_s + settings.period
                published = {t: kinds[0] for t, kinds in recorder.get_topic_names_and_types()}
                here = {t: kind for t, kind in published.items() if recorder.count_publishers(t)}
                if recorder.counts.get(CLOCK) and not simulated:
                    say(OTHER_CLOCK)
                for line in watch.look(recorder.counts, here, (now_ns - begun_ns) * 1e-9):
                    say(line)
                say(_progress(recorder, folder, elapsed_s))
        problem = problem or recorder.problem
    finally:
        try:
            recorder.close()
        finally:
            spinning.clear()
            thread.join(2.0)
            executor.shutdown(1.0)
            recorder.destroy_node()
    counts = dict(recorder.counts)
    elapsed_s = time.monotonic() - begun
    return Recorded(counts, elapsed_s, recorder.size, problem, watch.never_heard(counts))


def _wanted(rig: RigDescription, compressed: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Topics that a replay needs, and those that it is glad of, with what they are."""
    ending = "/compressed" if compressed else ""
    needed = {rig.topics.joint_states: "joint states"}
    needed |= {c.topic + ending: f"camera {n}" for n, c in rig.cameras.items() if c.required}
    welcome = {
        topic: kind.__name__ for topic, (kind, _) in recorded_topics(rig, compressed).items()
    }
    return needed, {topic: what for topic, what in welcome.items() if topic not in needed}


def _has_clock(context: Context, joint_states: str, stop: threading.Event) -> bool:
    """Whether the graph runs on /clock. Where processors are busy it takes long to find out."""
    node = Node("recorder_probe", context=context)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not stop.is_set():
            if node.count_publishers(CLOCK):
                return True
            if node.count_publishers(joint_states):
                deadline = min(deadline, time.monotonic() + DISCOVERY_S)
                joint_states = CLOCK  # looked for no more
            time.sleep(0.05)
        return False
    finally:
        node.destroy_node()


def _nearly_full(folder: Path, keep_free_mb: float) -> str:
    free = shutil.disk_usage(folder).free
    if free >= keep_free_mb * 1e6:
        return ""
    return f"{free / 1e6:.0f} MB are free on its disk, expected at least {keep_free_mb:g}"


def _progress(recorder: Recorder, folder: Path, elapsed_s: float) -> str:
    count, free = sum(recorder.counts.values()), shutil.disk_usage(folder).free
    size = f"{recorder.size / 1e6:.1f} MB"
    return f"{elapsed_s:.0f} s: {count} messages, {size}, {free / 1e9:.1f} GB free"
