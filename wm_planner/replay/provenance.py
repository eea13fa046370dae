"""What a replay was made with, checked before anything is replayed."""

from __future__ import annotations

from importlib.metadata import version

from wm_planner.assembly import load_bundles
from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL
from wm_planner.replay.job import ReplayJob
from wm_planner.robot.rig_description import find_rig


def provenance(job: ReplayJob) -> dict[str, str]:
    """Return the names, hashes and versions that decide what a replay's plans are.

    Raises:
        WmPlannerError: configuration, models and rig cannot be used, or not together.
    """
    config = job.stack_config
    rig = find_rig(config.rig)
    bundles = load_bundles(config, rig)
    return {
        "rig": rig.name,
        "world_model": bundles[WORLD_MODEL].bundle_hash,
        "inverse_dynamics": bundles[INVERSE_DYNAMICS].bundle_hash,
        "wm_planner": version("wm_planner"),
        "onnxruntime": version("onnxruntime"),
    }
