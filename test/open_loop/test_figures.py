"""Figures in a table and in JSON."""

from __future__ import annotations

import json

from wm_planner.open_loop.figures import HIGHER, LOWER, Figure, as_json, as_table

FIGURES = [
    Figure("Pictures", "PSNR", "dB", 26.604, HIGHER, 12, {"copy": 21.0, "none": float("nan")}),
    Figure("Pictures", "LPIPS", "", 0.04567, LOWER, 3),
    Figure("Certainty", "within 90%", "%", 1234.5, 90.0, 1),
]


def test_the_table_shows_every_figure_beside_its_baselines():
    lines = as_table(FIGURES).splitlines()
    assert lines[2:] == [
        "| **Pictures** | | | | |",
        "| PSNR, dB | 26.6 | copy 21.0; none - | higher | 12 |",
        "| LPIPS | 0.046 |  | lower | 3 |",
        "| **Certainty** | | | | |",
        "| within 90%, % | 1234 | | 90 | 1 |".replace("| |", "|  |"),
    ]


def test_json_holds_full_precision_and_no_nan():
    tree = json.loads(json.dumps(as_json(FIGURES), allow_nan=False))
    assert tree["Pictures"]["PSNR"] == {
        "unit": "dB", "value": 26.604, "better": "higher", "count": 12,
        "baselines": {"copy": 21.0, "none": None},
    }  # fmt: skip
    assert tree["Certainty"]["within 90%"]["better"] == 90.0
