"""The README of a dataset: what is in it, counted, and how it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wm_planner.datasets.episode import KINDS
from wm_planner.datasets.origin import Origin

CARD_COLUMNS = ["task_name", "kind", "success", "seed", "length", "tasks"]
"""Columns of the episodes table that the card counts."""

_BEHAVIOUR = {
    "expert": "the script, with bounded noise where the recorder adds it",
    "noisy": "the script with more noise",
    "recovery": "a disturbance or a mistake, then its correction",
    "failure": "a mistake that is left as it is",
    "play": "random motion, no instruction",
    "stills": "frames unrelated to each other, objects and hands anywhere; no motion to learn",
    "near_miss": "the cube is moved before the hand gets there, and the hand goes on",
    "planner": "the planner's own behaviour; where it did not succeed, the expert takes over",
}


def dataset_card(
    info: Mapping[str, Any], episodes: Sequence[Mapping[str, Any]], origin: Origin | None = None
) -> str:
    """Markdown with the front matter of the Hugging Face hub.

    Args:
        info: Content of ``meta/info.json``.
        episodes: One row per episode with `CARD_COLUMNS`.
        origin: Where imported episodes come from.
    """
    seeds = [row["seed"] for row in episodes]
    minutes = info["total_frames"] / info["fps"] / 60
    videos = {k: f["shape"] for k, f in info["features"].items() if f["dtype"] == "video"}
    cameras = ", ".join(f"`{key}` {h}x{w}" for key, (h, w, _) in videos.items())
    kinds = {row["kind"] for row in episodes}
    behaviours = "\n".join(f"| {kind} | {_BEHAVIOUR[kind]} |" for kind in KINDS if kind in kinds)
    features = "\n".join(
        f"| `{key}` | {feature['dtype']} | {'x'.join(map(str, feature['shape']))} |"
        for key, feature in info["features"].items()
    )
    return f"""---
license: {"apache-2.0" if origin is None else origin.licence.lower()}
task_categories:
- robotics
tags:
- LeRobot
configs:
- config_name: default
  data_files: data/*/*.parquet
---
# {info["robot_type"]}: {len(episodes)} episodes

{info["total_frames"]} frames at {info["fps"]} Hz ({minutes:.0f} minutes). Cameras (height x width,
px): {cameras}. LeRobot {info["codebase_version"]} layout.

## How it was made

{_made(seeds, behaviours) if origin is None else _imported(origin)}

## Episodes

Successful of all, by task and kind:

{_counts(episodes)}

## Columns

Lengths in m, angles in rad, poses of the tool frames in the rig's base frame. A packed pose is, for
the left then the right hand, position, first and second column of the rotation matrix, gripper
width. `action` is the 20-D action from the measured pose to the one commanded for the next frame;
`target.hand_pose` is that commanded pose. `target.step_good` is false where the action was a
mistake. Columns beginning with `simulator` are known only in simulation.

| column | type | shape |
|---|---|---|
{features}
"""


def _made(seeds: Sequence[int], behaviours: str) -> str:
    return f"""Simulated, by scripted behaviour, with `wm-planner collect`; `collection.json` beside this file
holds the settings. Seeds {min(seeds)} to {max(seeds)}. A seed fixes the scene, the kind of
behaviour and every disturbance, so the same settings give the same episodes. Training seeds are
below 900000, validation seeds below 1000000; test seeds begin there and are never recorded.

| kind | behaviour |
|---|---|
{behaviours}"""  # noqa: E501


def _imported(origin: Origin) -> str:
    return f"""{origin.sentence}. Brought into this layout with
`wm-planner import`: poses from the recorded joints by the rig's kinematics, images resized,
frames chosen by time. Every step counts as good behaviour, and every episode as a success unless
its bag says otherwise."""


def _counts(episodes: Sequence[Mapping[str, Any]]) -> str:
    kinds = sorted({row["kind"] for row in episodes})
    tasks = sorted({row["task_name"] for row in episodes})
    total = Counter((row["task_name"], row["kind"]) for row in episodes)
    good = Counter((row["task_name"], row["kind"]) for row in episodes if row["success"])
    lines = [f"| task | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for task in tasks:
        cells = [f"{good[task, kind]} / {total[task, kind]}" for kind in kinds]
        lines.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(lines)
