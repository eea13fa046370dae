"""The demo as a user runs it: its exit code, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from painted_mujoco_rig import environment_with_painted_rig
from painted_rig import write_config
from rosbags.rosbag2 import Reader

from wm_planner.messages.bag_types import bag_types

pytestmark = pytest.mark.slow


def demo(folder: Path, instruction: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with tiny models on painted pictures."""
    environment = environment_with_painted_rig(folder / "site")
    environment["ROS_DOMAIN_ID"] = str(1 + (os.getpid() * 13 + len(instruction)) % 100)
    command = [
        *(sys.executable, "-m", "wm_planner.cli", "demo"),
        *("--config", str(write_config(folder))),
        *("--simulator", "painted", "--task", "reach", "--instruction", instruction),
        *("--out", str(folder / "run"), *more),
    ]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_that_a_task_done_leaves_a_whole_folder_and_exit_code_0(tmp_path):
    done = demo(tmp_path, "lift both hands", "--timeout", "40")
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "run"
    assert not (tmp_path / "run.partial").exists()

    facts = json.loads((run / "metadata.json").read_text())
    assert facts["success"] is True
    assert facts["seed"] == 1_000_000
    assert set(facts["bundles"]) == {"world_model", "inverse_dynamics"}

    counts, plans = {}, []
    types = bag_types()
    with Reader(run / "bag") as bag:
        for connection, _, data in bag.messages():
            counts[connection.topic] = counts.get(connection.topic, 0) + 1
            if connection.topic == "/planner/plan":
                plans.append(types.deserialize_cdr(data, connection.msgtype))
    for topic in (
        *("/head_camera/image_raw", "/joint_states", "/executor/command", "/planner/plan"),
        *("/planner/report", "/executor/state", "/left_arm_controller/joint_trajectory"),
    ):
        assert counts.get(topic, 0) > 0, f"nothing on {topic}: {counts}"
    made = [plan for plan in plans if plan.horizon]
    assert made[0].joint_names[0] == "left_joint_1"
    assert len(made[0].dream) == 2 * np.prod(made[0].dream_shape)

    with av.open(str(run / "demo.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) >= 10
    height, width, _ = frames[0].shape
    last = frames[-1].astype(int)
    for side in (last[60 : height - 60, 20 : width // 2], last[60 : height - 60, width // 2 :]):
        assert side.max() > 100, "a picture is missing"

    page = (run / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "data:video/mp4;base64," in page
    assert not re.findall(r'(?:src|href)="https?:', page), "the page needs a network"


def test_that_a_task_not_done_is_told_by_the_exit_code(tmp_path):
    done = demo(tmp_path, "go home", "--timeout", "4")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "did not succeed" in done.stdout
    facts = json.loads((tmp_path / "run" / "metadata.json").read_text())
    assert facts["success"] is False
    assert facts["outcome"] == "TIMEOUT"


def test_that_mistakes_are_told_in_one_line_before_anything_starts(tmp_path):
    (tmp_path / "run").mkdir()
    done = demo(tmp_path, "lift both hands")
    assert done.returncode == 2
    assert "exists: choose another --out" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
