"""The cores of the camera and planner nodes, one thread, one clock: that of the recording.

A message is taken only when everything before it has been dealt with, so nothing depends on how
fast this machine is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.errors import DataError
from wm_planner.messages.arrays import to_ns
from wm_planner.messages.plans import command_from_message
from wm_planner.observing.frame_checks import FrameChecks, FrameSettings
from wm_planner.observing.joint_reader import JointReader
from wm_planner.observing.observation_assembler import ObservationAssembler
from wm_planner.planner import PlanReport
from wm_planner.replay.bag import Bag, Record
from wm_planner.replay.bag_topics import BagTopics
from wm_planner.replay.latency import Latency
from wm_planner.replay.pictures_ahead import Picture
from wm_planner.replay.recorded_goals import RecordedGoals
from wm_planner.replay.recorded_run import Assignment
from wm_planner.replay.recorded_settings import RecordedSettings
from wm_planner.task.task_runner import Outcome, TaskRunner, TaskSettings
from wm_planner.types import ObservationWindow, ReplanReason

ESTOPPED, STOPPED = 4, 3  # as in ExecutorState.msg
TOLD = 3  # reasons for which messages were not used
#: Nothing that is replayed runs out of time: what was recorded had all of it.
PATIENT = TaskSettings(task_timeout=86400.0, no_plan_timeout=600.0)


@dataclass(frozen=True, eq=False)
class Look:
    """One frame that was looked at.

    Attributes:
        stamp_ns: of the frame.
        begun_ns: when the look began, clock of the recording.
        done_ns: when it was over and a plan would have been sent.
        window: what was seen.
        value: the model's belief that the goal is reached, NaN where unknown.
        report: how a plan came about, None where none was due.
        reason: why a plan was due, None where none was.
    """

    stamp_ns: int
    begun_ns: int
    done_ns: int
    window: ObservationWindow
    value: float
    report: PlanReport | None
    reason: ReplanReason | None


class Pipeline:
    """Takes messages in the order of recording and gives looks in the order of their ends.

    Args:
        stack: what plans.
        bag: unpacks messages.
        topics: where they come from.
        assignments: what is to be done, and when.
        latency: how long it takes.
        seed: of the run.
        follow_settings: whether settings are those of the recording, also what was set meanwhile.
        clock_offset_ns: what brings times of recording to the clock of the stamps.
        on_observation: called with the newest window whenever there is a new observation.

    Attributes:
        counts: what was dropped, by reason.
        ends: how tasks ended.
        settings: as they are now, and what differed from the configuration.
    """

    def __init__(
        self,
        stack: Stack,
        bag: Bag,
        topics: BagTopics,
        assignments: tuple[Assignment, ...],
        latency: Latency,
        seed: int,
        follow_settings: bool = True,
        clock_offset_ns: int = 0,
        on_observation: Callable[[ObservationWindow], None] = lambda window: None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.ends: list[str] = []
        self._stack, self._bag, self._topics = stack, bag, topics
        self._assignments, self._latency, self._seed = list(assignments), latency, seed
        self._offset_ns, self._on_observation = clock_offset_ns, on_observation
        config = stack.config
        tasks = replace(PATIENT, **asdict(config.replanning), **asdict(config.goals))
        self.settings, self._follow_settings = RecordedSettings(stack, tasks), follow_settings
        if follow_settings and topics.parameter_events is not None:
            self.settings.begin(self._readable(topics.parameter_events))
        spec = stack.world_model.spec
        camera = stack.rig_description.cameras[spec.camera]
        self._checks = FrameChecks(camera, FrameSettings())
        self._reader = JointReader(stack.rig_description)
        self._assembler = ObservationAssembler(
            stack.robot, spec.camera, spec.dt, spec.context_frames, stack.view
        )
        self._task: TaskRunner | None = None
        self._assignment: Assignment | None = None
        self._busy_until_ns: int | None = None
        self._waiting = False

    def take(self, record: Record, picture: Picture | None) -> Iterator[Look]:
        """Deal with a message; yields the looks that were begun since the one before."""
        now_ns = record.log_ns + self._offset_ns
        yield from self._catch_up(now_ns)
        try:
            if picture is not None:
                yield from self._see(*picture(), now_ns)
                return
            message = self._bag.unpack(record)
            if record.topic == self._topics.joint_states:
                if self._assembler.add_joints(self._reader.read(message)):
                    yield from self._observed(now_ns)
            elif record.topic == self._topics.commands:
                names = self._stack.robot.joint_names
                self._assembler.add_command(command_from_message(message, names))
            elif record.topic == self._topics.executor_states:
                self._heed(message)
            elif record.topic == self._topics.parameter_events and self._follow_settings:
                self.settings.hear(message, record.log_ns)
        except DataError as error:
            self.counts[f"{record.topic}: {error}"[:200]] += 1

    def finish(self) -> Iterator[Look]:
        """End of the bag: what still waits is looked at when there is time."""
        if self._busy_until_ns is not None:
            yield from self._catch_up(self._busy_until_ns)
        if self._task is not None and self._task.status.outcome is None:
            self.ends.append("the recording ended")

    @property
    def dropped(self) -> dict[str, int]:
        """Everything that was not used, by reason."""
        return dict(sorted((self._checks.dropped + self._assembler.dropped + self.counts).items()))

    def most_dropped(self) -> list[tuple[str, int]]:
        """The commonest reasons of `dropped`."""
        return Counter(self.dropped).most_common(TOLD)

    def _readable(self, topic: str) -> Iterator[Any]:
        """All messages of a topic; damaged ones are counted where they come in turn."""
        for record in self._bag.records([topic]):
            with suppress(DataError):
                yield self._bag.unpack(record)

    def _see(self, stamp_ns: int, image: np.ndarray, now_ns: int) -> Iterator[Look]:
        if self._checks.problem(stamp_ns, now_ns, *image.shape[:2]):
            return
        if self._assembler.add_frame(stamp_ns, image):
            yield from self._observed(now_ns)

    def _observed(self, now_ns: int) -> Iterator[Look]:
        """As the planner node's worker is woken by an observation."""
        window = self._assembler.window()
        if window is None:
            self.counts["NO_WINDOW"] += 1
            return
        self._on_observation(window)
        if not self._latency.looks_at(window.newest_stamp_ns):
            return
        self._assign(now_ns)
        if self._task is None:
            return
        self._waiting = True
        if not self._latency.queues:
            self._busy_until_ns = None
        yield from self._catch_up(now_ns)

    def _assign(self, now_ns: int) -> None:
        """Begin the task whose time has come, end the one whose time is over."""
        current = self._assignment
        if current is not None and current.end_ns is not None and now_ns > current.end_ns:
            self._task = self._assignment = None
        while self._assignments and self._assignments[0].begun_ns <= now_ns:
            self._assignment = self._assignments.pop(0)
            self._begin(self._assignment, now_ns)

    def _begin(self, assignment: Assignment, now_ns: int) -> None:
        goals = RecordedGoals(self._stack.world_model, assignment, now_ns)
        look_ahead_s = self._stack.config.executor.look_ahead_s
        self._task = TaskRunner(self._stack.planner, goals, now_ns, 0.0, self._seed, look_ahead_s)

    def _heed(self, message: Any) -> None:
        """As the planner node does with the executor's state."""
        if self._task is None:
            return
        if message.state == ESTOPPED:
            self._task.end(Outcome.STOPPED, message.reason)
        elif message.state == STOPPED and self._busy_until_ns is None:
            stamp_ns = to_ns(message.stamp)
            self._task.replan_after(stamp_ns, ReplanReason.STALE_OBSERVATION)

    def _catch_up(self, now_ns: int) -> Iterator[Look]:
        """End what is over by now, and look at the frame that waits where there is time."""
        while True:
            if self._busy_until_ns is not None and self._busy_until_ns > now_ns:
                return
            begin_ns, self._busy_until_ns = self._busy_until_ns or now_ns, None
            if not self._waiting:
                return
            self._waiting = False
            look = self._look(begin_ns)
            if look is not None:
                self._busy_until_ns = look.done_ns
                yield look

    def _look(self, now_ns: int) -> Look | None:
        window, task = self._assembler.window(), self._task
        if window is None or task is None or task.status.outcome is not None:
            return None
        stamp_ns = window.newest_stamp_ns
        self._limit_rounds(self._latency.rounds(stamp_ns))
        settings = self.settings.tasks
        planned = task.cycle(window, now_ns, settings)
        status = task.status
        if status.outcome is not None:
            self._ended(task, now_ns)
        done_ns = self._latency.done_ns(stamp_ns, now_ns, planned is not None)
        report, reason = planned if planned is not None else (None, None)
        if report is not None:
            report = task.send(report, done_ns, settings)
        value = np.nan if status.reading is None else status.reading.value
        return Look(stamp_ns, now_ns, done_ns, window, float(value), report, reason)

    def _limit_rounds(self, rounds: int | None) -> None:
        """Let rejected dreams be replaced only as often as there is time for."""
        settings = self.settings.planner
        if rounds is not None:
            most = min(settings.regeneration_rounds, rounds - 1)
            settings = replace(settings, regeneration_rounds=most)
        self._stack.planner.settings = settings

    def _ended(self, task: TaskRunner, now_ns: int) -> None:
        """Note an end; nothing acts on it here, so what was asked for is asked for again."""
        assert task.status.outcome is not None
        self.ends.append(f"{task.status.outcome.value}: {task.status.message}")
        if self._assignment is not None and task.status.outcome is not Outcome.FAILED:
            self._begin(self._assignment, now_ns)
