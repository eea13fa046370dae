"""One robot as its rig file describes it: the only place that knows names, limits and topics.

A rig file is `config/rigs/<name>.yaml`. Kinematics, joint position limits, velocity limits and
collision shapes are in the URDF that it names; the rig file adds what a URDF cannot say.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from wm_planner.errors import UnknownNameError
from wm_planner.robot.camera_calibration import CameraCalibration, read_calibration
from wm_planner.robot.hand_description import HandDescription, read_hand
from wm_planner.robot.strict_yaml import Section, read
from wm_planner.share_folder import share_folder
from wm_planner.types import HANDS

_log = logging.getLogger(__name__)

KEYS = (
    *("name", "urdf", "srdf", "mesh_folders", "without_meshes", "base_frame", "locked_joints"),
    *("hands", "limits", "workspace", "cameras", "topics"),
)


@dataclass(frozen=True)
class CameraDescription:
    """One camera.

    Attributes:
        topic: its images.
        info_topic: its CameraInfo.
        height: rows of its images, px.
        width: columns of its images, px.
        required: whether nothing may move while it is silent.
        calibration: where it is and how it maps rays to pixels; None where the rig file does not
            say. A camera that stands still may have one.
        view: picture of what it saw when the models' data were recorded; None where there is none.
    """

    topic: str
    info_topic: str
    height: int
    width: int
    required: bool
    calibration: CameraCalibration | None = None
    view: Path | None = None


@dataclass(frozen=True)
class LimitsDescription:
    """Limits that every arm joint has.

    Attributes:
        acceleration: largest, rad/s^2 (m/s^2 for a sliding joint); a URDF cannot say it.
        velocity: largest, rad/s, where less than the URDF's is wanted; None for the URDF's.
        jerk: largest, rad/s^3; None where only the URDF limits it, or nothing does.
    """

    acceleration: float
    velocity: float | None
    jerk: float | None = None


@dataclass(frozen=True)
class WorkspaceDescription:
    """The box that the tools must stay in, corners (x, y, z) in the base frame, m."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class TopicsDescription:
    """Topics of the rig as a whole: measured joints in, emergency stop."""

    joint_states: str
    emergency_stop: str


@dataclass(frozen=True)
class RigDescription:
    """Everything a rig file says, checked for itself; `RobotModel` checks it against the URDF.

    Attributes:
        name: name of the rig; models are paired with it.
        urdf: path of the URDF.
        srdf: path of an SRDF whose `disable_collisions` are heeded, or None.
        mesh_folders: where `package://` and relative meshes of the URDF are looked for.
        without_meshes: whether links whose mesh files are missing are left without a shape, and
            so unchecked for collisions; otherwise missing files are an error.
        base_frame: URDF frame that hand poses are measured in; must not move.
        locked_joints: positions of joints that stay where they are. All must be listed that stand
            between base frame and tools; others, such as a head's, are taken to be at 0.
        hands: left, right.
        limits: what all arm joints obey.
        workspace: where the tools may be.
        cameras: by name, in the file's order.
        topics: topics of the whole rig; each arm's are in `hands`.
        content_hash: sha256 (hex) over the rig file's values, URDF, SRDF and views.
    """

    name: str
    urdf: Path
    srdf: Path | None
    mesh_folders: tuple[Path, ...]
    without_meshes: bool
    base_frame: str
    locked_joints: Mapping[str, float]
    hands: tuple[HandDescription, HandDescription]
    limits: LimitsDescription
    workspace: WorkspaceDescription
    cameras: Mapping[str, CameraDescription]
    topics: TopicsDescription
    content_hash: str

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the D arm joints, left then right."""
        return self.hands[0].joint_names + self.hands[1].joint_names

    @property
    def message_joint_names(self) -> tuple[str, ...]:
        """What joint states must name: the D arm joints, then both grippers' joints."""
        left, right = self.hands
        arms = left.message_names + right.message_names
        return arms + left.gripper.message.joint_names + right.gripper.message.joint_names

    @property
    def home(self) -> np.ndarray:
        """Resting joint positions, shape (D,), rad."""
        return np.array(self.hands[0].home + self.hands[1].home)

    @property
    def max_gripper_width(self) -> np.ndarray:
        """Largest openings, shape (2,), m."""
        return np.array([hand.gripper.max_width for hand in self.hands])


def find_rig(name_or_path: str | Path) -> RigDescription:
    """Load a rig by its name in config/rigs, or from a path (anything that ends in .yaml)."""
    if str(name_or_path).endswith((".yaml", ".yml")):
        return load_rig(Path(name_or_path))
    files = rig_files()
    if str(name_or_path) not in files:
        raise UnknownNameError("rig", str(name_or_path), files)
    return load_rig(files[str(name_or_path)])


def rig_files() -> dict[str, Path]:
    """Return the rig files that come with the package, by the rig's name."""
    files = (share_folder() / "config" / "rigs").glob("*.yaml")
    return {file.stem: file for file in sorted(files)}


def load_rig(path: Path) -> RigDescription:
    """Read and check one rig file."""
    rig = read(path, KEYS)
    urdf = _existing(rig, "urdf", rig.text("urdf"))
    srdf_name = rig.text("srdf", default=None)
    srdf = None if srdf_name is None else _existing(rig, "srdf", srdf_name)
    meshes = tuple(_existing(rig, "mesh_folders", m) for m in rig.names("mesh_folders", default=()))
    locked = rig.section("locked_joints") if "locked_joints" in rig.data else None
    hands = rig.section("hands", HANDS)
    left, right = (read_hand(hands, side) for side in HANDS)
    _check_distinct(hands, left, right)
    limits = rig.section("limits", ("acceleration", "velocity", "jerk"))
    topics = rig.section("topics", ("joint_states", "emergency_stop"))
    cameras = rig.section("cameras")
    seen = MappingProxyType({name: _read_camera(cameras, name) for name in cameras.data})
    return RigDescription(
        name=rig.text("name"),
        urdf=urdf,
        srdf=srdf,
        mesh_folders=meshes,
        without_meshes=rig.flag("without_meshes", default=False),
        base_frame=rig.text("base_frame"),
        locked_joints=MappingProxyType(
            {k: locked.number(k) for k in locked.data} if locked else {}
        ),
        hands=(left, right),
        limits=LimitsDescription(
            acceleration=_above_zero(limits, "acceleration", "rad/s^2"),
            velocity=_above_zero(limits, "velocity", "rad/s")
            if "velocity" in limits.data
            else None,
            jerk=_above_zero(limits, "jerk", "rad/s^3") if "jerk" in limits.data else None,
        ),
        workspace=_read_workspace(rig.section("workspace", ("lower", "upper"))),
        cameras=seen,
        topics=TopicsDescription(topics.text("joint_states"), topics.text("emergency_stop")),
        content_hash=_hash(rig, urdf, srdf, *(camera.view for camera in seen.values())),
    )


def _existing(rig: Section, key: str, name: str) -> Path:
    """Return a path that the rig file gives relative to itself."""
    path = Path(rig.file).parent / name
    if "\0" in name or not path.exists():
        raise rig.error(key, name, f"a file or folder beside the rig file; there is no {path}")
    return path


def _above_zero(section: Section, key: str, unit: str) -> float:
    value = section.number(key, unit=unit)
    if value <= 0.0:
        raise section.error(key, value, f"a number in {unit} above 0")
    return value


def _check_distinct(hands: Section, left: HandDescription, right: HandDescription) -> None:
    """No joint, frame or topic may serve twice: two arms would follow one command."""
    for key in ("tool_frame", "arm_topic", "gripper_topic"):
        if getattr(left, key) == getattr(right, key):
            expected = f"another {key} than hands.left has"
            raise hands.error(f"right.{key}", getattr(right, key), expected)
    both = (left, right)
    for names in (
        [n for hand in both for n in hand.joint_names + hand.gripper.joint_names],
        [n for hand in both for n in hand.message_names + hand.gripper.message.joint_names],
    ):
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise hands.error("", doubled, "every joint in one arm or one gripper, and only once")


def _read_workspace(section: Section) -> WorkspaceDescription:
    lower, upper = section.numbers("lower", 3, "m"), section.numbers("upper", 3, "m")
    if not all(low < high for low, high in zip(lower, upper, strict=True)):
        raise section.error("upper", list(upper), f"more than lower {list(lower)} on every axis")
    return WorkspaceDescription(lower, upper)


def _read_camera(cameras: Section, name: str) -> CameraDescription:
    keys = ("topic", "info_topic", "height", "width", "required", "calibration", "view")
    camera = cameras.section(name, keys)
    height, width = camera.count("height"), camera.count("width")
    known, view = "calibration" in camera.data, camera.text("view", default=None)
    if view is not None and not known:
        raise camera.error("view", view, "a calibration as well: turns are told by it")
    return CameraDescription(
        topic=camera.text("topic"),
        info_topic=camera.text("info_topic"),
        height=height,
        width=width,
        required=camera.flag("required", default=True),
        calibration=read_calibration(camera, height, width) if known else None,
        view=None if view is None else _view(camera, view),
    )


def _view(camera: Section, name: str) -> Path | None:
    """Only makes up for a knocked camera: a copied rig file may do without, and is told so."""
    path = Path(camera.file).parent / name
    if not path.is_file():
        _log.warning("%s: there is no %s; frames are taken as they come", camera.field, path)
        return None
    return path


def _hash(rig: Section, *files: Path | None) -> str:
    digest = hashlib.sha256(json.dumps(rig.data, sort_keys=True).encode())
    for path in files:
        if path is not None:
            digest.update(b"\0" + path.read_bytes())
    return digest.hexdigest()
