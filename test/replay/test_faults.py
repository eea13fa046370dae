"""Bags with every fault: `inspect` and `replay` say what is wrong and leave nothing half done."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from painted_rig import RIG, write_config
from rosbags.rosbag2 import StoragePlugin
from simple_bags import CAMERA, START, image_message, joint_message, run, write_bag

from wm_planner.cli import main

SQLITE, MCAP = StoragePlugin.SQLITE3, StoragePlugin.MCAP
PICTURES, STATES = CAMERA.topic, RIG.topics.joint_states
GOOD, PROBLEM, UNREADABLE = 0, 1, 2  # exit codes of `inspect`
UNFIT, NOT_READ = "does not serve", "cannot be opened"


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_config(folder, text="planner: {candidates: 3, execute_steps: 2}\n")


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in (".mcap", ".db3"))


def cut(storage: StoragePlugin, share: float):
    def make(folder: Path) -> Path:
        file = storage_file(write_bag(folder, storage=storage))
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
        return folder

    return make


def overwritten(folder: Path) -> Path:
    """Return a database with a page in its middle that holds something else."""
    file = storage_file(write_bag(folder, storage=SQLITE))
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xff" * 4096
    file.write_bytes(data)
    return folder


def changed(topic: str, change):
    """Return what makes a bag in which `change` was done to each message of one topic."""

    def make(folder: Path) -> Path:
        def one(message):
            log_ns, name, content = message
            return (log_ns, name, change(log_ns, content)) if name == topic else message

        return write_bag(folder, change=one)

    return make


def with_fields(**values):
    def change(log_ns, content):
        for name, value in values.items():
            setattr(content, name, value)
        return content

    return change


def without(topic: str):
    return lambda folder: write_bag(folder, change=lambda m: None if m[1] == topic else m)


def set_back(folder: Path) -> Path:
    def one(message):
        log_ns, name, content = message
        if log_ns >= START + 1_000_000_000:
            stamp = content.header.stamp
            content.header.stamp = type(stamp)(stamp.sec - 100, stamp.nanosec)
        return log_ns, name, content

    return write_bag(folder, change=one)


def shuffled(folder: Path) -> Path:
    messages = list(run())
    random.Random(0).shuffle(messages)
    return write_bag(folder, messages)


def file_of(name: str, content: bytes):
    def make(folder: Path) -> Path:
        folder.mkdir()
        (folder / name).write_bytes(content)
        return folder / name

    return make


def metadata(content: bytes):
    def make(folder: Path) -> Path:
        (write_bag(folder) / "metadata.yaml").write_bytes(content)
        return folder

    return make


SMALL = np.zeros((6, 8, 3), np.uint8)
FAULTS = {  # what makes the bag, inspect's exit code and words, replay's words; "" where it plans
    "mcap, first half": (cut(MCAP, 0.5), UNREADABLE, "cut off", "cut off"),
    "db3, first half": (cut(SQLITE, 0.5), UNREADABLE, "malformed", "malformed"),
    "db3, most": (cut(SQLITE, 0.9), UNREADABLE, "malformed", "malformed"),
    "db3, nothing": (cut(SQLITE, 0.0), UNREADABLE, NOT_READ, NOT_READ),
    "db3, a page": (overwritten, PROBLEM, "damaged after", "damaged after"),
    "pictures are joints": (
        changed(PICTURES, lambda log_ns, _: joint_message(log_ns, 0.0)),
        *(PROBLEM, f"no pictures on {PICTURES}", f"no pictures on {PICTURES}"),
    ),
    "joints are pictures": (
        changed(STATES, lambda log_ns, _: image_message(log_ns, SMALL)),
        *(PROBLEM, f"no joint states on {STATES}", f"no joint states on {STATES}"),
    ),
    "no pictures": (without(PICTURES), PROBLEM, UNFIT, f"no pictures on {PICTURES}"),
    "no joints": (without(STATES), PROBLEM, UNFIT, f"no joint states on {STATES}"),
    "joints not finite": (
        changed(STATES, with_fields(position=np.full(16, np.nan))),
        *(PROBLEM, "100 of 100 messages are damaged", "no frame could be planned on"),
    ),
    "fewer positions than names": (
        changed(STATES, with_fields(position=np.zeros(5))),
        *(PROBLEM, "100 of 100 messages are damaged", "no frame could be planned on"),
    ),
    "joints without names": (
        changed(STATES, with_fields(name=[], position=np.zeros(0), velocity=np.zeros(0))),
        *(PROBLEM, "lacks the joints", "no frame could be planned on"),
    ),
    "unknown encoding": (
        changed(PICTURES, with_fields(encoding="nonsense")),
        *(PROBLEM, f"all pictures on {PICTURES} are damaged", "encoding is 'nonsense'"),
    ),
    "no pixels": (
        changed(PICTURES, with_fields(height=0, width=0, data=np.zeros(0, np.uint8))),
        *(PROBLEM, "are damaged", "it has no pixels"),
    ),
    "more pixels than data": (
        changed(PICTURES, with_fields(height=2**31, width=2**31)),
        *(PROBLEM, "are damaged", "image step"),
    ),
    "clock set back": (set_back, GOOD, "the clock was set back", ""),
    "shuffled": (shuffled, GOOD, "serves the rig", ""),
    "empty": (
        lambda folder: write_bag(folder, change=lambda message: None),
        *(UNREADABLE, "holds no messages", "it has nothing"),
    ),
    "0 bytes, mcap": (file_of("a.mcap", b""), UNREADABLE, "is empty", "is empty"),
    "0 bytes, db3": (file_of("a.db3", b""), UNREADABLE, "is empty", "is empty"),
    "0 bytes, ROS 1": (file_of("a.bag", b""), UNREADABLE, "is empty", "is empty"),
    "no ROS 1 bag": (file_of("a.bag", b"#ROSBAG V2.0\nxxx"), UNREADABLE, NOT_READ, NOT_READ),
    "no database": (file_of("a.db3", b"hello" * 999), UNREADABLE, NOT_READ, NOT_READ),
    "no bag": (file_of("a.txt", b"hello"), UNREADABLE, "expected a folder", "expected a folder"),
    "metadata empty": (metadata(b""), UNREADABLE, NOT_READ, NOT_READ),
    "metadata not text": (metadata(b"\xff\xfe\x00"), UNREADABLE, NOT_READ, NOT_READ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_in_a_line_and_leaves_nothing_half_done(
    tmp_path, capsys, config, fault
):
    make, code, inspected, replayed = FAULTS[fault]
    bag, out = make(tmp_path / "bag"), tmp_path / "out"
    assert main(["inspect", str(bag)]) == code
    said = capsys.readouterr()
    assert inspected in (said.err if code == UNREADABLE else said.out)
    assert len(said.err.splitlines()) == (code == UNREADABLE)

    words = ["replay", str(bag), "--out", str(out), "--config", str(config)]
    assert main([*words, "--instruction", "lift both hands"]) == bool(replayed)
    said = capsys.readouterr()
    (result,) = json.loads((out / "report.json").read_text())["bags"]
    assert not list(out.rglob("*partial*"))
    if not replayed:
        assert result["plans"] >= 2
        return
    assert replayed in result["error"] and "Error at" not in result["error"]
    assert f"failed: {bag.name}: {result['error']}" in said.out.splitlines()
    assert not list(out.glob("bags/*")), "something was left that looks like a result"


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_disk_that_is_full_at_any_moment_is_told_and_leaves_earlier_files(
    tmp_path, capsys, config, share
):
    """No file may grow past a share of what the longest one needs: the same error at the write."""
    bag, out = write_bag(tmp_path / "bag"), tmp_path / "out"
    words = ["replay", str(bag), "--config", str(config), "--instruction", "lift both hands"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    longest = max(file.stat().st_size for file in tmp_path.glob("whole/bags/*/bag/*"))
    assert main([*words, "--out", str(out), "--seed", "1"]) == 0
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}

    limit = int(longest * share)
    full = subprocess.run(
        [sys.executable, "-m", "wm_planner.cli", *words, "--out", str(out), "--seed", "2"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True, text=True,
    )  # fmt: skip
    assert full.returncode in (1, 2)
    assert "Traceback" not in full.stderr
    assert "could not be written: File too large" in full.stdout + full.stderr
    assert not list(out.rglob("*partial*"))
    for file, content in before.items():
        if file.parent != out:  # the reports may be new ones that tell of the failure
            assert file.read_bytes() == content
    for file in out.glob("report.*"):
        content = file.read_text()
        whole = (
            content.rstrip().endswith("</html>") if file.suffix == ".html" else json.loads(content)
        )
        assert whole
