"""Proposes how a bag's names fit a rig, and writes the skeleton of a rig file for the bag."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
import yaml
from scipy.optimize import linear_sum_assignment

from wm_planner.replay.bag import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE, JOINT_STATE
from wm_planner.replay.inspection import Inspection
from wm_planner.replay.topic_statistics import TopicStatistics
from wm_planner.robot.rig_description import RigDescription
from wm_planner.types import HANDS

LEAST_SIMILARITY = 0.4
SIDES = {"l": "left", "r": "right", "lh": "left", "rh": "right"}
FINGERS = ("finger", "thumb", "index", "middle", "ring", "pinky", "little", "gripper", "hand")
FILL_IN = "FILL_IN"


def propose_topics(found: Inspection, rig: RigDescription) -> dict[str, str]:
    """Return for each topic of the rig the bag's topic that is most like it."""
    images = found.of_type(IMAGE, COMPRESSED_IMAGE)
    # A rig file names the raw topic; the compressed one is looked for beside it.
    pictures = sorted({topic.topic.removesuffix("/compressed") for topic in images})
    states = [topic.topic for topic in found.of_type(JOINT_STATE)]
    cameras = [camera.topic for camera in rig.cameras.values()]
    return {**_matched(cameras, pictures, 0.0), **_matched([rig.topics.joint_states], states, 0.0)}


def propose_joints(names: Sequence[str], rig: RigDescription) -> dict[str, str]:
    """Return for each joint of the rig the recorded joint that is most like it.

    The sum of all similarities is as large as it can be; pairs that have nothing in common are
    left out, and a left joint is never paired with a right one.

    Args:
        names: of a recorded joint state.
        rig: whose joints are looked for.
    """
    return _matched(rig.message_joint_names, names, LEAST_SIMILARITY)


def rig_skeleton(found: Inspection, name: str) -> str:
    """Return a rig file (YAML) with everything that the bag tells; the rest says FILL_IN.

    Gripper postures come from the positions that were recorded: which end is open must be looked
    at by a person.
    """
    states = found.of_type(JOINT_STATE)
    # Commands are joint states, too, often of the same joints: their topic says what they are.
    state = max(
        states,
        key=lambda topic: (len(topic.joint_names), _similarity(topic.topic, "/joint_states")),
        default=None,
    )
    names = state.joint_names if state else ()
    infos = {topic.topic for topic in found.of_type(CAMERA_INFO)}
    rig = {
        "name": name,
        "urdf": f"{FILL_IN}.urdf",
        "base_frame": FILL_IN,
        "hands": {side: _hand(side, names, state) for side in HANDS},
        "limits": {"acceleration": 5.0},
        "workspace": {"lower": [-1.0, -1.0, 0.0], "upper": [1.0, 1.0, 2.0]},
        "cameras": {
            _camera_name(topic.topic): _camera(topic, infos)
            for topic in found.of_type(IMAGE, COMPRESSED_IMAGE)
        },
        "topics": {
            "joint_states": state.topic if state else FILL_IN,
            "emergency_stop": "/emergency_stop",
        },
    }
    head = (
        f"# Skeleton of a rig file, from the names in {found.path.name}. Replace every {FILL_IN},\n"
        "# check limits and workspace, and which end of each gripper joint is open.\n"
    )
    return head + yaml.safe_dump(rig, sort_keys=False)


def _hand(side: str, names: Sequence[str], state: TopicStatistics | None) -> dict:
    mine = [name for name in names if _side(name) == side]
    fingers = [name for name in mine if _is_finger(name)]
    arm = [name for name in mine if name not in fingers]
    ranges = state.joint_range if state else {}
    return {
        "tool_frame": f"{FILL_IN}_{side}",
        "joints": arm,
        "home": [round(float(np.mean(ranges[name])), 4) for name in arm],
        "gripper": {
            "max_width": 0.08,
            "joints": {
                name: {"closed": round(ranges[name][0], 4), "open": round(ranges[name][1], 4)}
                for name in fingers
            },
        },
        "arm_topic": f"/{side}_arm_controller/joint_trajectory",
        "gripper_topic": f"/{side}_gripper_controller/joint_trajectory",
    }


def _camera(topic: TopicStatistics, infos: set[str]) -> dict:
    base = topic.topic.removesuffix("/compressed")
    beside = {f"{base}/camera_info", f"{base.rpartition('/')[0]}/camera_info"} & infos
    height, width = topic.size or (0, 0)
    return {
        "topic": base,
        "info_topic": next(iter(sorted(beside)), f"{base.rpartition('/')[0]}/camera_info"),
        "height": height,
        "width": width,
        "required": True,
    }


def _camera_name(topic: str) -> str:
    common = {"image", "raw", "compressed", "color", "rgb", "camera", "cam", ""}
    words = [word for word in re.split(r"[/_]", topic) if word not in common]
    return "_".join(words) or "camera"


def _matched(wanted: Sequence[str], offered: Sequence[str], least: float) -> dict[str, str]:
    if not wanted or not offered:
        return {}
    alike = np.array([[_similarity(one, other) for other in offered] for one in wanted])
    rows, columns = linear_sum_assignment(alike, maximize=True)
    pairs = zip(rows, columns, strict=True)
    return {wanted[i]: offered[j] for i, j in pairs if alike[i, j] >= max(least, 1e-9)}


def _similarity(one: str, other: str) -> float:
    """How alike two names are, 0 to 1: shared words count most, then letters."""
    if {_side(one), _side(other)} == set(HANDS) or _is_finger(one) != _is_finger(other):
        return 0.0
    first, second = set(_words(one)), set(_words(other))
    shared = len(first & second) / max(len(first | second), 1)
    return 0.6 * shared + 0.4 * SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _words(name: str) -> list[str]:
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    return [SIDES.get(part.lower(), part.lower()) for part in parts]


def _side(name: str) -> str:
    return next((word for word in _words(name) if word in HANDS), "")


def _is_finger(name: str) -> bool:
    return any(word in FINGERS for word in _words(name))
