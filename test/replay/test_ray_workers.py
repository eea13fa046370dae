"""Work on Ray: a process that dies takes no other work with it, and none is left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time

import pytest
from killed_parent import check_that_a_worker_ends_with_its_parent

from wm_planner.errors import ConfigurationError, WorkerError
from wm_planner.replay.ray_workers import on_ray

# Looked for and not imported: Ray reads its settings when it first is.
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)

PARENT = """
import os, sys, time
from wm_planner.replay.ray_workers import on_ray

def work(seconds):
    time.sleep(seconds)
    return os.getpid()

if __name__ == "__main__":
    for _, process in on_ray(work, [0, 600], workers=1):
        print(process, flush=True)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a cluster with two processors that somebody else has started."""
    port = 26379
    words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    words += [f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    words += ["--object-store-memory=100000000", "--disable-usage-stats"]
    log = tmp_path_factory.mktemp("ray") / "log"
    with log.open("w") as file, subprocess.Popen(words, stdout=file, stderr=file) as head:
        while head.poll() is None and "Ray runtime started" not in log.read_text():
            time.sleep(0.1)
        assert head.poll() is None, log.read_text()
        yield f"127.0.0.1:{port}"
        head.terminate()


def test_without_ray_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'wm_planner\[ray\]'"):
        list(on_ray(abs, [1, 2], workers=2))


@needs_ray
@pytest.mark.slow
def test_a_process_that_dies_costs_its_own_work_alone_and_that_is_tried_again(tmp_path, cluster):
    def work(item):
        tried = tmp_path / f"{item}"
        with tried.open("a") as file:
            file.write("x")
        if item == 1 or (item == 2 and tried.read_text() == "x"):
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item

    found = dict(on_ray(work, range(5), address=cluster))
    died = found.pop(1)
    assert found == {0: 0, 2: 4, 3: 9, 4: 16}
    assert isinstance(died, WorkerError) and "died" in str(died) and "\n" not in str(died)
    tries = [len((tmp_path / str(item)).read_text()) for item in range(5)]
    assert tries == [1, 2, 2, 1, 1]


@needs_ray
@pytest.mark.slow
def test_no_more_processes_are_at_work_than_were_asked_for(tmp_path, cluster):
    def work(item):
        mine = tmp_path / f"{item}"
        mine.touch()
        time.sleep(0.2)
        count = len(list(tmp_path.iterdir()))
        mine.unlink()
        return count

    assert {count for _, count in on_ray(work, range(4), 1, cluster)} == {1}


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://[::1]:1", "here:there"])
def test_an_address_without_a_cluster_is_told(address):
    with pytest.raises(ConfigurationError, match="no Ray cluster at") as caught:
        list(on_ray(abs, [1, 2], address=address))
    assert address in str(caught.value)


@needs_ray
@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path):
    check_that_a_worker_ends_with_its_parent(PARENT, tmp_path, within_s=60)
