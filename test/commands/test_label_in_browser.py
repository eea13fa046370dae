"""The page of `wm-planner label` in a real browser: keys lead to the right lines in the file.

Needs `pip install playwright` and a Chromium of this machine, as `apt-get install chromium` has.
"""

from __future__ import annotations

import errno
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from wm_planner.commands.labelling.futures import RECORDED, Future
from wm_planner.commands.labelling.label_file import LabelFile
from wm_planner.commands.labelling.server import open_server
from wm_planner.commands.labelling.session import Session

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
COLOURS = dict(zip("abcdefgh", range(20, 260, 30), strict=True))


def future(tmp_path: Path, name: str) -> Future:
    return Future(tmp_path / "run", RECORDED, name, (0, 3), "lift", "lift it", "lift", 1.0, None)


@pytest.fixture
def session(tmp_path) -> Session:
    pairs = [(future(tmp_path, x), future(tmp_path, y)) for x, y in ("ab", "cd", "ef", "gh")]
    return Session(pairs, LabelFile(tmp_path / "labels.jsonl"))


@pytest.fixture
def address(session):
    def pictures(one: Future) -> np.ndarray:
        return np.full((4, 48, 64, 3), COLOURS[one.episode], np.uint8)

    server = open_server(session, pictures, port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def page(address):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        yield page
        browser.close()


def answered(page, count: int) -> None:
    page.wait_for_function(f"document.body.innerText.includes('{count} of 4 answered')")


def shown(page, side: str) -> int:
    """Return the brightness of what is played on one side."""
    drawn = f"document.querySelector('#{side} canvas').getContext('2d').getImageData(9, 9, 1, 1)"
    page.wait_for_function(f"films.length == 2 && {drawn}.data[3] == 255")
    page.wait_for_timeout(300)  # longer than a frame lasts
    return page.evaluate(f"{drawn}.data[0]")


def test_keys_write_what_was_seen_and_take_it_back(page, tmp_path):
    answered(page, 0)
    for count, (key, seen) in enumerate([("ArrowLeft", "ab"), ("ArrowRight", "cd"), (" ", "ef")]):
        assert [shown(page, "left"), shown(page, "right")] == [COLOURS[name] for name in seen]
        page.keyboard.press(key)
        answered(page, count + 1)
    page.keyboard.press("u")
    answered(page, 2)
    page.click("kbd[data-choice=skip]")  # as on a phone, which has no keys
    answered(page, 3)
    page.click("kbd[data-choice=undo]")
    answered(page, 2)
    page.keyboard.press("ArrowLeft")
    answered(page, 3)
    page.click("#right")
    page.wait_for_function("document.body.innerText.includes('All answered')")
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    chosen = [(line["better"]["episode"], line["worse"]["episode"]) for line in lines]
    assert chosen == [("a", "b"), ("d", "c"), ("e", "f"), ("h", "g")]


def test_an_answer_that_cannot_be_written_is_told_and_can_be_given_again(
    page, session, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    answered(page, 0)
    with monkeypatch.context() as patched:
        patched.setattr(LabelFile, "add", full)
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("document.body.innerText.includes('No space left on device')")
    page.keyboard.press("ArrowRight")
    answered(page, 1)
    (line,) = (tmp_path / "labels.jsonl").read_text().splitlines()
    assert json.loads(line)["better"]["episode"] == "b"


def test_nothing_hangs_over_the_edge_of_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    shown(page, "left")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
