"""Who is silent is named."""

from __future__ import annotations

from wm_planner.nodes.input_watch import InputWatch

SECOND = 1_000_000_000
NOW = 100 * SECOND


def test_an_input_watch_names_who_is_silent():
    watch = InputWatch(["camera head"])
    assert watch.complaint(NOW, 0.5) == "camera head was never heard"
    watch.heard("camera head", NOW)
    assert watch.complaint(NOW + SECOND // 4, 0.5) == ""
    assert watch.complaint(NOW + SECOND, 0.5) == "camera head silent for 1.00 s"
