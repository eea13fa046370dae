"""Bags on disks that fill up, and what is said about topics that do not come."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wm_planner.errors import DataError
from wm_planner.messages.bag_types import bag_types
from wm_planner.nodes.bag_file import RESERVE_NAME, BagFile, ReservedFile
from wm_planner.nodes.topic_watch import TopicWatch
from wm_planner.replay.bag import Bag

KIND = "std_msgs/msg/String"


def message(number: int, size: int = 50_000) -> bytes:
    store = bag_types()
    text = f"{number:06d}" + "x" * size
    return bytes(store.serialize_cdr(store.types[KIND](text), KIND))


def numbers_in(folder: Path) -> list[int]:
    with Bag(folder) as bag:
        return [int(bag.unpack(record).data[:6]) for record in bag.records()]


class SmallDisk(io.BytesIO):
    """Stands for `write(2)` on a disk with room for some bytes, and more once a file is gone."""

    def __init__(self, room: int, reserve: Path, size: int) -> None:
        super().__init__()
        self._room, self._reserve, self._size = room, reserve, size

    def write(self, data: bytes) -> int:
        room = self._room + (0 if self._reserve.exists() else self._size)
        free = room - self.tell()
        if free <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[: min(free, 700)])  # writes may be short, too


def test_a_stream_that_finds_the_disk_full_loses_nothing_and_says_so(tmp_path) -> None:
    disk = SmallDisk(1000, tmp_path / "reserve", 4096)
    file = ReservedFile(disk, tmp_path / "reserve", 4096)
    for number in range(4):
        assert file.write(bytes([number]) * 300) == 300
        assert bool(file.problem) == (number == 3)
    assert disk.getvalue() == b"".join(bytes([number]) * 300 for number in range(4))
    assert file.tell() == 1200 and "space" in file.problem
    with pytest.raises(OSError, match="space"):
        file.write(bytes(5000))


def test_a_bag_without_trouble_leaves_no_reserve(tmp_path) -> None:
    bag = BagFile(tmp_path / "bag")
    assert (tmp_path / "bag" / RESERVE_NAME).exists()
    topic = bag.add_topic("/words", KIND)
    for number in range(50):
        bag.write(topic, 1_000 + number, message(number))
    bag.close()
    assert not bag.problem and bag.size == (tmp_path / "bag" / "bag.mcap").stat().st_size
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == [
        "bag.mcap",
        "metadata.yaml",
    ]
    assert numbers_in(tmp_path / "bag") == list(range(50))
    with pytest.raises(DataError, match="exists already"):
        BagFile(tmp_path / "bag")


FILL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_bag_file import KIND, message
from wm_planner.nodes.bag_file import BagFile
bag = BagFile(Path(sys.argv[1]) / "bag", reserve_bytes=3 * 2**20)
topic = bag.add_topic("/words", KIND)
number = 0
while not bag.problem:
    bag.write(topic, number, message(number))
    number += 1
bag.close()
print(number, bag.problem)
"""


def test_a_full_disk_leaves_a_whole_bag_and_the_files_that_were_there(tmp_path) -> None:
    """On a real file system of 12 MB, mounted in a name space of the test's own."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    script = (
        f"mount -t tmpfs -o size=12m none {mounted} && echo earlier > {mounted}/earlier.txt && "
        f"{sys.executable} -c '{FILL}' {mounted} {Path(__file__).parent} && "
        f"cp -r {mounted}/bag {mounted}/earlier.txt {tmp_path}"
    )
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", mounted]).returncode:
        pytest.skip("file systems cannot be mounted here")
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, _, problem = done.stdout.strip().partition(" ")
    assert problem == "No space left on device"
    assert int(count) > 100
    assert numbers_in(tmp_path / "bag") == list(range(int(count)))
    assert (tmp_path / "earlier.txt").read_text() == "earlier\n"
    assert not (tmp_path / "bag" / RESERVE_NAME).exists()


def test_a_disk_without_room_for_the_reserve_is_told_at_the_begin(tmp_path) -> None:
    with pytest.raises(DataError, match="bag could not be begun: "):
        BagFile(tmp_path / "bag", reserve_bytes=2**60)
    assert not (tmp_path / "bag").exists()


def test_missing_and_slow_topics_are_told_and_welcome_ones_once() -> None:
    watch = TopicWatch({"/joints": "joint states", "/eye": "camera head"}, {"/plan": "Plan"}, 5.0)
    published = {"/joints": "", "/eye/compressed": ""}
    assert watch.look({}, published, 2.0) == [
        "missing: /joints (joint states): somebody publishes it, but nothing comes "
        "(another quality of service?)",
        "missing: /eye (camera head): nobody publishes it, but /eye/compressed: --compressed",
        "not heard yet: /plan (Plan)",
    ]
    assert watch.never_heard({"/plan": 1}) == ["/joints", "/eye"]
    assert watch.look({"/joints": 500, "/eye": 6}, published, 7.0) == [
        "slow: /eye (camera head): 1.2 Hz, wanted 5"
    ]
    assert watch.look({"/joints": 525, "/eye": 31}, published, 12.0) == []
    assert watch.look({"/joints": 525, "/eye": 56}, {}, 17.0) == [
        "missing: /joints (joint states): nobody publishes it"
    ]
    assert watch.never_heard({"/joints": 525, "/eye": 56}) == []
