"""From a demo's bag to its video and page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wm_planner.assembly import load_bundles, load_config, open_world_model
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL
from wm_planner.commands.demo_report.figures import latency_table
from wm_planner.commands.demo_report.page import write_page
from wm_planner.commands.demo_report.recording import read_recording
from wm_planner.commands.demo_report.video import write_video
from wm_planner.robot.rig_description import find_rig

VIDEO, PAGE = "demo.mp4", "report.html"


def build_report(
    folder: Path, config_path: Path | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write video and page beside the bag of a run.

    Args:
        folder: of the run, with `bag` in it.
        config_path: the planner's configuration, None for the installed one.
        facts: what is known about the run.

    Returns:
        What has been found out while doing so, to be kept with the facts.
    """
    config = load_config(config_path)
    rig = find_rig(config.rig)
    bundles = load_bundles(config, rig)
    model = open_world_model(config, bundles[WORLD_MODEL])
    run = read_recording(folder / "bag", rig.cameras[model.spec.camera].topic)
    write_video(folder / VIDEO, run, model.decode, str(facts["instruction"]))
    more = {
        "planning_cycles": len(run.reports),
        "bundles": {
            "world_model": bundles[WORLD_MODEL].bundle_hash,
            "inverse_dynamics": bundles[INVERSE_DYNAMICS].bundle_hash,
        },
        "latency_ms": {
            stage: {"median": round(middle, 2), "p95": round(high, 2)}
            for stage, middle, high in latency_table(run)
        },
        "version": version("wm_planner"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }
    write_page(folder / PAGE, run, {**facts, **more}, folder / VIDEO)
    return more
