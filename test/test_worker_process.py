"""Workers do not outlive a parent that was killed."""

from __future__ import annotations

from killed_parent import check_that_a_worker_ends_with_its_parent

SCRIPT = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import getpid
from wm_planner.worker_process import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as pool:
        print(pool.submit(getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    check_that_a_worker_ends_with_its_parent(SCRIPT, tmp_path, within_s=30)
