"""One table for everybody; processes that die come back, and all end when told to."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest
from rclpy.clock import Clock

from wm_planner.errors import UnknownNameError
from wm_planner.nodes.process_keeper import ProcessKeeper
from wm_planner.nodes.process_table import LIFECYCLE_NODES, GraphOptions, ProcessSpec, process_table
from wm_planner.nodes.run_node import PROCESSES, run_process
from wm_planner.nodes.ticker import Ticker


class Script(ProcessSpec):
    """A process that runs a line of Python."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-S", "-c", self.name]


def wait_until(condition, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_that_one_process_holds_the_stages_or_each_has_its_own():
    composed = process_table(GraphOptions())
    assert [spec.name for spec in composed] == ["rig", "executor", "planner_process"]
    assert composed[-1].nodes == LIFECYCLE_NODES
    separate = process_table(GraphOptions(composed=False, simulate=False))
    assert [spec.name for spec in separate] == ["executor", *LIFECYCLE_NODES]


def test_that_every_process_of_the_table_can_be_run():
    for options in (GraphOptions(), GraphOptions(composed=False)):
        assert {spec.name for spec in process_table(options)} <= set(PROCESSES)


def test_that_only_the_simulator_keeps_its_own_time_off_real_time():
    table = {spec.name: spec for spec in process_table(GraphOptions(real_time_factor=0.5))}
    assert table["executor"].parameters["use_sim_time"] is True
    assert table["rig"].parameters["use_sim_time"] is False
    table = {spec.name: spec for spec in process_table(GraphOptions())}
    assert table["executor"].parameters["use_sim_time"] is False


def test_that_parameters_are_written_as_ros_reads_them():
    spec = ProcessSpec("rig", ("rig",), {"a": True, "b": "it's", "c": 1.5, "d": (1, 2)})
    words = spec.command
    assert words[-8:] == ["-p", "a:=true", "-p", "b:='it''s'", "-p", "c:=1.5", "-p", "d:=[1, 2]"]


def test_that_an_unknown_process_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="executor"):
        run_process("executer", [])


def test_that_a_dead_process_comes_back_later_each_time():
    keeper = ProcessKeeper([Script("raise SystemExit(3)", (), {})])
    keeper.start()
    kept = keeper.kept["raise SystemExit(3)"]
    starts = []

    def revive() -> bool:
        before = kept.restarts
        keeper.revive()
        if kept.restarts > before:
            starts.append(time.monotonic())
        return len(starts) == 3

    wait_until(revive)
    keeper.stop()
    first, second = np.diff(starts)
    assert second > first > 0.2


def test_that_stop_is_polite_first_and_firm_in_the_end(monkeypatch):
    polite = "import time; time.sleep(60)"
    stubborn = "import signal, time; signal.signal(2, lambda *_: 0); time.sleep(61)"
    deaf = (
        "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; time.sleep(62)"
    )
    grace = {signal.SIGINT: 0.5, signal.SIGTERM: 0.5, signal.SIGKILL: 3.0}
    monkeypatch.setattr("wm_planner.nodes.process_keeper.GRACE_S", grace)
    keeper = ProcessKeeper([Script(line, (), {}) for line in (polite, stubborn, deaf)])
    keeper.start()
    time.sleep(1.0)  # for the handlers to be in place
    keeper.stop()
    codes = [kept.process.returncode for kept in keeper.kept.values()]
    assert codes[0] != 0
    assert codes[2] == -signal.SIGKILL
    assert not any(kept.running for kept in keeper.kept.values())


def test_that_output_goes_to_a_file_and_the_parent_is_known(tmp_path):
    line = "import os; print(os.environ['WM_PLANNER_PARENT'])"
    keeper = ProcessKeeper([Script(line, (), {})], tmp_path / "logs")
    keeper.start()
    wait_until(lambda: not keeper.kept[line].running)
    written = next((tmp_path / "logs").iterdir()).read_text()
    assert written.strip() == str(os.getpid())


def test_that_ticks_do_not_drift_and_missed_ones_are_counted():
    ticks = []

    def tick(now_ns: int) -> None:
        ticks.append(now_ns)
        if len(ticks) == 5:
            time.sleep(0.1)  # longer than a few periods

    ticker = Ticker(Clock(), 0.02, tick)
    ticker.start()
    wait_until(lambda: len(ticks) >= 15)
    ticker.close()
    assert ticker.misses >= 3
    assert ticker.take_worst_lateness_s() > 0.05
    assert ticker.take_worst_lateness_s() == 0.0
    after = len(ticks)
    time.sleep(0.06)
    assert len(ticks) == after, "a closed ticker goes on"
