"""A rig that publishes over DDS, recorded as a user does: whole bags, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from painted_mujoco_rig import environment_with_painted_rig
from painted_rig import RIG

from wm_planner.replay.bag import Bag
from wm_planner.replay.inspection import inspect, mismatches, problems_of

pytestmark = pytest.mark.slow
CLI = (sys.executable, "-m", "wm_planner.cli")


def environment(folder: Path) -> dict[str, str]:
    made = environment_with_painted_rig(folder / "site")
    made["ROS_DOMAIN_ID"] = str(1 + (os.getpid() * 11 + hash(folder.name)) % 100)
    made["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return made


@contextmanager
def rig(folder: Path) -> Iterator[dict[str, str]]:
    """A simulated rig, in a process of its own."""
    made = environment(folder)
    words = ["node", "rig", "--ros-args", "-p", "simulator:=painted", "-p", "task:=reach"]
    with (folder / "rig.log").open("wb") as log:
        process = subprocess.Popen([*CLI, *words], env=made, stdout=log, stderr=log)
        try:
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def record(made: dict[str, str], out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CLI, "record", "--out", str(out), *more],
        env=made, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_ctrl_c_leaves_a_bag_that_serves_the_rig(tmp_path) -> None:
    with rig(tmp_path) as made:
        process = record(made, tmp_path / "bag")
        assert process.stdout is not None
        said = []
        for line in process.stdout:  # until both are heard: processes may take long to start
            said.append(line)
            if " messages, " in line and int(line.split()[2]) > 100:
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # someone who is impatient
        said += process.communicate(timeout=60)[0].splitlines(True)
    assert process.returncode == 0, "".join(said)
    assert any("not heard yet: /planner/plan (Plan)" in line for line in said)
    assert any(" GB free" in line for line in said)
    found = inspect(tmp_path / "bag")
    assert mismatches(found, RIG) == []
    assert not [problem for problem in problems_of(found) if "damaged" in problem]
    with Bag(tmp_path / "bag") as bag:
        count = bag.message_count
        assert count == sum(1 for _ in bag.records()) > 100
    assert f"{count} messages in" in said[-1]


def test_a_duration_ends_a_recording_and_what_was_not_heard_is_told(tmp_path) -> None:
    process = record(environment(tmp_path), tmp_path / "bag", "--duration", "3")
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 1, said
    assert "missing: /joint_states (joint states): nobody publishes it" in said
    assert "nothing was heard on /head_camera/image_raw: this bag cannot be replayed" in said
    assert (tmp_path / "bag" / "metadata.yaml").exists()


def test_a_disk_that_is_nearly_full_ends_a_recording_whole(tmp_path) -> None:
    with rig(tmp_path) as made:
        process = record(made, tmp_path / "bag", "--keep-free", "1000000")
        said = process.communicate(timeout=120)[0]
    assert process.returncode == 2, said
    assert said.count("\n") == 1 or said.splitlines()[-1].startswith("wm-planner: ")
    assert "MB are free on its disk, expected at least" in said
    assert (tmp_path / "bag" / "metadata.yaml").exists()
    assert sorted(p.name for p in (tmp_path / "bag").iterdir()) == ["bag.mcap", "metadata.yaml"]


def test_a_disk_that_is_full_ends_a_recording_whole(tmp_path) -> None:
    """A real file system of 38 MB, of which 32 are kept for the end, under a live recording."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(small)]
    if shutil.which("unshare") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    words = " ".join([*CLI, "record", "--out", f"{small}/bag", "--keep-free", "0"])
    script = (
        f"mount -t tmpfs -o size=38m none {small}; echo earlier > {small}/earlier.txt; {words}; "
        f"echo exit code $?; cp -r {small}/bag {small}/earlier.txt {tmp_path}"
    )
    with rig(tmp_path) as made:
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script],
            env=made, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    said = done.stdout + done.stderr
    assert "exit code 2\n" in said, said
    assert "recording stopped: No space left on device. What was recorded is whole: " in said
    assert (tmp_path / "earlier.txt").read_text() == "earlier\n"
    with Bag(tmp_path / "bag") as bag:
        assert bag.message_count == sum(1 for _ in bag.records()) > 30
    assert mismatches(inspect(tmp_path / "bag"), RIG) == []


def test_a_bag_that_is_there_is_never_touched(tmp_path) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "bag.mcap").write_text("precious")
    process = record(environment(tmp_path), tmp_path / "bag")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 2 and "exists: choose another --out" in said
    assert (tmp_path / "bag" / "bag.mcap").read_text() == "precious"
