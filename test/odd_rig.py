"""A robot made up to have everything that is odd, as URDF and rig file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml


def link(name: str, *shapes: str) -> str:
    collisions = "".join(f"<collision>{shape}</collision>" for shape in shapes)
    return f'<link name="{name}">{collisions}</link>'


def joint(name: str, kind: str, parent: str, child: str, placement: str, more: str = "") -> str:
    xyz, _, rpy = placement.partition("|")
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{xyz}" rpy="{rpy or "0 0 0"}"/>{more}</joint>'
    )


def axis(xyz: str, lower: float = -2.0, upper: float = 2.0, velocity: float = 1.5) -> str:
    limit = f'<limit lower="{lower}" upper="{upper}" velocity="{velocity}" effort="9"/>'
    return f'<axis xyz="{xyz}"/>{limit}'


BALL = '<origin xyz="0 0 0.1"/><geometry><sphere radius="0.02"/></geometry>'
BIG_BALL = '<geometry><sphere radius="0.2"/></geometry>'

# A lift that stays locked, a base frame that is not the root, axes that are not coordinate axes,
# sliding and continuous joints, arms of different lengths, a finger that mimics another. Link b2
# lies inside b0 whatever B1 does. Joints have capitals: pinocchio confuses equal names.
ODD_URDF = "".join(
    [
        '<robot name="odd">',
        *map(link, ["root", "lift", "chest", "a_tool", "b_tool"]),
        joint("LIFT", "prismatic", "root", "lift", "0.1 0 0.3|0.1 0 0", axis("0 0 1", 0, 0.5)),
        joint("CHEST", "fixed", "lift", "chest", "0 0.02 0.2|0 0.3 0.7"),
        *(link(f"a{i}", BALL) for i in range(1, 7)),
        joint("A1", "revolute", "chest", "a1", "0 0.3 0.1|0.4 0 0.2", axis("0.6 0 0.8", -2.5, 2.5)),
        joint("A2", "prismatic", "a1", "a2", "0 0 0.2|0 1.1 0", axis("0 0.6 -0.8", -0.2, 0.3, 0.4)),
        joint("A3", "continuous", "a2", "a3", "0.1 0 0.2|0 0 -0.5", '<axis xyz="1 2 -2"/>'),
        joint("A4", "revolute", "a3", "a4", "0 0.1 0.2|2 0 0", axis("1 0 0")),
        joint("A5", "revolute", "a4", "a5", "0.05 0 0.2|0 -0.4 0", axis("0 -1 0")),
        joint("A6", "revolute", "a5", "a6", "0 0 0.15|0.3 0.2 0.1", axis("0 0 1")),
        joint("A_TOOL", "fixed", "a6", "a_tool", "0.01 0.02 0.1|0.3 0 1"),
        link("b0", BIG_BALL),
        joint("B0", "fixed", "chest", "b0", "0 -0.3 0.1"),
        *(link(f"b{i}", BALL) for i in range(1, 8)),
        joint("B1", "revolute", "b0", "b1", "0 0 0", axis("1 1 1")),
        joint("B2", "revolute", "b1", "b2", "0 0 0|1 0 0", axis("-1 0.5 0")),
        *(
            joint(f"B{i}", "revolute", f"b{i - 1}", f"b{i}", "0 0.05 0.2|0.7 0 0.4", axis("0 1 0"))
            for i in range(3, 8)
        ),
        joint("B_TOOL", "fixed", "b7", "b_tool", "0 0 0.1"),
        *map(link, ["a_thumb", "a_finger", "b_thumb"]),
        joint("A_THUMB", "revolute", "a6", "a_thumb", "0 0.01 0", axis("1 0 0", -0.5, 0.9)),
        joint(
            *("A_FINGER", "revolute", "a6", "a_finger", "0 -0.01 0"),
            axis("1 0 0", -0.9, 0.9) + '<mimic joint="A_THUMB" multiplier="-1"/>',
        ),
        joint("B_THUMB", "prismatic", "b7", "b_thumb", "0 0 0", axis("0 1 0", 0, 0.03)),
        "</robot>",
    ]
)

ODD_RIG: dict[str, Any] = {
    "name": "odd",
    "urdf": "odd.urdf",
    "base_frame": "chest",
    "locked_joints": {"LIFT": 0.25},
    "hands": {
        "left": {
            "tool_frame": "a_tool",
            # Not in the order of the chain, as a vendor's driver may list them.
            "joints": ["A6", "A1", "A2", "A3", "A4", "A5"],
            "home": [0.0, 0.0, 0.0, 0.0, 0.4, 0.4],
            "gripper": {
                "max_width": 0.1,
                "joints": {
                    "A_THUMB": {"closed": -0.5, "open": 0.5},
                    "A_FINGER": {"closed": 0.5, "open": -0.5},
                },
            },
            "arm_topic": "/a/arm",
            "gripper_topic": "/a/gripper",
        },
        "right": {
            "tool_frame": "b_tool",
            "joints": [f"B{i}" for i in range(1, 8)],
            "home": [0.0] * 7,
            "gripper": {"max_width": 0.06, "joints": {"B_THUMB": {"closed": 0.03, "open": 0.0}}},
            "arm_topic": "/b/arm",
            "gripper_topic": "/b/gripper",
        },
    },
    "limits": {"acceleration": 8.0, "velocity": 1.0},
    "workspace": {"lower": [-2.0, -2.0, -2.0], "upper": [2.0, 2.0, 2.0]},
    "cameras": {"head": {"topic": "/i", "info_topic": "/c", "height": 10, "width": 20}},
    "topics": {"joint_states": "/joint_states", "emergency_stop": "/stop"},
}


def write_odd_rig(folder: Path, changes: dict[str, Any], urdf: str = ODD_URDF) -> Path:
    """Write the odd rig with changes {"hands.left.home": [...]}; a value of None removes."""
    rig = copy.deepcopy(ODD_RIG)
    for path, value in changes.items():
        *parents, last = path.split(".")
        section = rig
        for name in parents:
            section = section[name]
        if value is None:
            del section[last]
        else:
            section[last] = value
    (folder / "odd.urdf").write_text(urdf)
    (folder / "odd.yaml").write_text(yaml.safe_dump(rig, sort_keys=False))
    return folder / "odd.yaml"
