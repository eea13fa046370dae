"""The rejections that a report tells in sentences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from wm_planner.commands.demo_report.page import write_page
from wm_planner.commands.demo_report.recording import Recording
from wm_planner.commands.demo_report.rejections import rejections_by_limit


def verdict(reason: str, *measured: float, unit: str = "m") -> SimpleNamespace:
    """What a bag has of a verdict with the limit 1."""
    count = len(measured)
    return SimpleNamespace(
        filter="test", reason=reason, measured=list(measured), limit=1.0, unit=unit,
        where=["left"] * count, first_bad_step=[2] * count, slowdown=[1.0] * count,
        accepted=[value <= 1.0 for value in measured],
    )  # fmt: skip


def run_of(*cycles: list[SimpleNamespace]) -> Recording:
    reports = [
        (
            number,
            SimpleNamespace(
                verdicts=verdicts, total_score=[np.nan] * 2, chosen=-1, stage=[], latency_s=[]
            ),
        )
        for number, verdicts in enumerate(cycles)
    ]
    return Recording([], [], reports, [], [], [])


def test_that_each_limit_tells_of_its_narrowest_and_its_worst():
    (row,) = rejections_by_limit(
        run_of(
            [verdict("WORKSPACE", 3.0, 0.5)],
            [verdict("WORKSPACE", 1.5, 0.1)],
            [verdict("WORKSPACE", np.nan, 0.1)],
        )
    )
    assert (row.reason, row.count) == ("WORKSPACE", 3)
    assert row.nearest.startswith("cycle 1, candidate 0: workspace 1.5 m at left is over 1 m")
    assert row.furthest.startswith("cycle 2, candidate 0: workspace nan m")


def test_that_the_commonest_comes_first_and_two_units_are_two_rows():
    rows = rejections_by_limit(
        run_of(
            [
                verdict("IK_RESIDUAL", 2.0, 0.0),
                verdict("IK_RESIDUAL", 2.0, 3.0, unit="rad"),
                verdict("SEAM", 0.0, 1.0),
            ]
        )
    )
    assert [(row.reason, row.count) for row in rows] == [("IK_RESIDUAL", 2), ("IK_RESIDUAL", 1)]
    assert "rad" in rows[0].nearest and "rad" not in rows[1].nearest


def test_that_the_page_of_a_demo_has_the_sentences(tmp_path):
    video, page = tmp_path / "demo.mp4", tmp_path / "report.html"
    video.write_bytes(b"")
    facts = {"task": "reach", "instruction": "", "success": False, "outcome": "", "message": ""}
    run = run_of([verdict("WORKSPACE", 3.0, 0.5)])
    write_page(page, run, facts, video)
    assert "candidate 0: workspace 3 m at left is over 1 m, first at step 2 (test)" in (
        page.read_text()
    )
