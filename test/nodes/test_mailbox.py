"""The worker takes the newest job, tells the others, and outlives what they raise."""

from __future__ import annotations

import threading

import pytest

from wm_planner.nodes.mailbox import Mailbox, SupersededError


@pytest.fixture
def mailbox():
    made = Mailbox("test")
    yield made
    made.close()


def test_results_and_errors_come_back(mailbox):
    assert mailbox.put(lambda: 42).result(5.0) == 42
    with pytest.raises(ZeroDivisionError):
        mailbox.put(lambda: 1 / 0).result(5.0)
    assert mailbox.put(lambda: "alive").result(5.0) == "alive"


def test_only_the_newest_waiting_job_is_done(mailbox):
    busy, go_on = threading.Event(), threading.Event()

    def block() -> str:
        busy.set()
        go_on.wait(5.0)
        return "first"

    first = mailbox.put(block)
    assert busy.wait(5.0)
    second, third = mailbox.put(lambda: "second"), mailbox.put(lambda: "third")
    go_on.set()
    assert first.result(5.0) == "first"
    assert third.result(5.0) == "third"
    with pytest.raises(SupersededError):
        second.result(5.0)
    assert mailbox.dropped == 1


def test_what_takes_too_long_can_be_waited_for_in_vain(mailbox):
    go_on = threading.Event()
    job = mailbox.put(lambda: go_on.wait(5.0))
    with pytest.raises(TimeoutError, match=r"no result within 0.01 s"):
        job.result(0.01)
    go_on.set()
    assert job.result(5.0)


def test_after_closing_nothing_is_begun(mailbox):
    mailbox.close()
    with pytest.raises(SupersededError):
        mailbox.put(lambda: 1).result(5.0)
