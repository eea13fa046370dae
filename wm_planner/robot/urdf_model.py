"""A URDF read for a rig: pinocchio's model of arms and grippers, and both chains taken from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from wm_planner.errors import ConfigurationError, UnknownNameError
from wm_planner.robot.hand_description import HandDescription
from wm_planner.robot.kinematic_chains import Chain, Joint, KinematicChains
from wm_planner.robot.link_pairs import slides
from wm_planner.robot.missing_meshes import whole_shapes
from wm_planner.robot.rig_description import RigDescription


@dataclass(frozen=True, eq=False)
class UrdfModel:
    """What pinocchio knows of a rig.

    Attributes:
        model: only the joints of arms and grippers; all others are locked.
        geometry: collision shapes, without pairs.
        chains: both arms, from the rig's base frame.
        link_names: every link of the URDF.
        neighbours: pairs of links that one joint connects.
        shapeless: links whose meshes are missing: nothing is known of where they touch.
    """

    model: pin.Model
    geometry: pin.GeometryModel
    chains: KinematicChains
    link_names: tuple[str, ...]
    neighbours: set[frozenset[str]]
    shapeless: tuple[str, ...]

    def joint_limits(self, name: str) -> tuple[float, float, float]:
        """Return lower and upper position, rad or m, and velocity, rad/s or m/s; inf for none."""
        joint = self.model.joints[self.model.getJointId(name)]
        velocity = float(self.model.velocityLimit[joint.idx_v])
        if joint.nq != 1:  # a continuous joint, kept as (cos, sin)
            return -np.inf, np.inf, velocity
        lower = float(self.model.lowerPositionLimit[joint.idx_q])
        return lower, float(self.model.upperPositionLimit[joint.idx_q]), velocity

    def units(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return "m" for each joint that slides, "rad" for each that turns."""
        joints = [self.model.joints[self.model.getJointId(name)] for name in names]
        return tuple("m" if slides(joint) else "rad" for joint in joints)

    def configurations(self, names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
        """Return pinocchio's configurations (N, nq) for positions (N, len(names)) of all joints."""
        q = np.empty((len(values), self.model.nq))
        for name, value in zip(names, values.T, strict=True):
            joint = self.model.joints[self.model.getJointId(name)]
            if joint.nq == 1:
                q[:, joint.idx_q] = value
            else:
                q[:, joint.idx_q], q[:, joint.idx_q + 1] = np.cos(value), np.sin(value)
        return q


def load_urdf(rig: RigDescription) -> UrdfModel:
    """Read the rig's URDF and check that the rig file's names and chains exist in it."""
    folders = [str(rig.urdf.parent), *(str(folder) for folder in rig.mesh_folders)]
    try:
        full = pin.buildModelFromUrdf(str(rig.urdf))
        text, shapeless = whole_shapes(rig)
        geometry = pin.buildGeomFromUrdfString(
            full, text, pin.GeometryType.COLLISION, package_dirs=folders
        )
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{rig.urdf}: cannot be loaded: {reason}") from error
    _check_names(rig, full)
    for hand in rig.hands:
        _check_chain(rig, full, hand)
    # Reducing breaks the frames' parents of locked joints, so neighbours come from the full model.
    links = tuple(frame.name for frame in full.frames if frame.type == pin.FrameType.BODY)
    neighbours = _neighbours(full)
    movable = {name for hand in rig.hands for name in _joints_of(hand)}
    locked = [i for i in range(1, full.njoints) if full.names[i] not in movable]
    posture = pin.neutral(full)
    for name, value in rig.locked_joints.items():
        joint = full.joints[full.getJointId(name)]
        ends = (np.cos(value), np.sin(value)) if joint.nq == 2 else (value,)
        posture[joint.idx_q : joint.idx_q + joint.nq] = ends
    try:
        model, shapes = pin.buildReducedModel(full, [geometry], locked, posture)
    except ValueError as error:  # pinocchio looks locked joints up by name among links too
        names = sorted({full.names[i] for i in locked} & set(links))
        raise ConfigurationError(
            f"{rig.urdf}: {error}; no joint may have the name of a link, but {names} do"
        ) from error
    left, right = (_chain(rig, model, hand) for hand in rig.hands)
    chains = KinematicChains(left, right)
    return UrdfModel(model, _convex(shapes[0]), chains, links, neighbours, shapeless)


def _joints_of(hand: HandDescription) -> tuple[str, ...]:
    return hand.joint_names + hand.gripper.joint_names


def _check_names(rig: RigDescription, model: pin.Model) -> None:
    joints = list(model.names)[1:]
    for hand in rig.hands:
        for name in _joints_of(hand):
            if name not in joints:
                place = f"joint of hands.{hand.side} (rig {rig.name}) in {rig.urdf.name}"
                raise UnknownNameError(place, name, joints)
            joint = model.joints[model.getJointId(name)]
            if joint.nv != 1:
                raise ConfigurationError(
                    f"{rig.urdf}: joint {name} of hands.{hand.side} has {joint.nv} degrees of "
                    "freedom, expected one (revolute, continuous or prismatic)"
                )
        _link(rig, model, f"hands.{hand.side}.tool_frame", hand.tool_frame)
    _link(rig, model, "base_frame", rig.base_frame)
    taken = {name for hand in rig.hands for name in _joints_of(hand)}
    for name in rig.locked_joints:
        if name not in joints:
            raise UnknownNameError(f"joint of locked_joints (rig {rig.name})", name, joints)
        if name in taken or model.joints[model.getJointId(name)].nv != 1:
            raise ConfigurationError(
                f"rig {rig.name}: locked_joints.{name}: expected a joint with one degree of "
                "freedom that no arm or gripper uses"
            )


def _link(rig: RigDescription, model: pin.Model, field: str, name: str) -> pin.Frame:
    for frame in model.frames:
        if frame.type == pin.FrameType.BODY and frame.name == name:
            return frame
    links = [frame.name for frame in model.frames if frame.type == pin.FrameType.BODY]
    raise UnknownNameError(f"link of {field} (rig {rig.name}) in {rig.urdf.name}", name, links)


def _neighbours(model: pin.Model) -> set[frozenset[str]]:
    """Return pairs of links with exactly one joint between them."""
    pairs = set()
    for frame in model.frames:
        if frame.type == pin.FrameType.BODY:
            parent = model.frames[frame.parentFrame]
            while parent.type != pin.FrameType.BODY and parent.name != "universe":
                parent = model.frames[parent.parentFrame]
            pairs.add(frozenset((frame.name, parent.name)))
    return pairs


def _chain(rig: RigDescription, model: pin.Model, hand: HandDescription) -> Chain:
    """Take origins and axes of one arm from pinocchio."""
    base = _link(rig, model, "base_frame", rig.base_frame)
    tool = _link(rig, model, f"hands.{hand.side}.tool_frame", hand.tool_frame)
    data = model.createData()
    joints: list[Joint] = []
    for i in _ancestors(model, tool.parentJoint):
        placement = model.jointPlacements[i]
        if not joints:  # its parent is the world: measure from the base frame instead
            placement = base.placement.actInv(placement)
        axis = np.array(data.joints[i].S).reshape(6)
        column = rig.joint_names.index(model.names[i])
        joints.append(Joint(placement.rotation, placement.translation, axis[3:], axis[:3], column))
    return Chain(tuple(joints), tool.placement.rotation, tool.placement.translation)


def _ancestors(model: pin.Model, joint: int) -> list[int]:
    """Return the joints from the world to this one, this one included."""
    chain: list[int] = []
    while joint > 0:
        chain.insert(0, joint)
        joint = model.parents[joint]
    return chain


def _check_chain(rig: RigDescription, model: pin.Model, hand: HandDescription) -> None:
    """Check that between base and tool are exactly the hand's joints, and locked ones."""
    base = _link(rig, model, "base_frame", rig.base_frame)
    tool = _link(rig, model, f"hands.{hand.side}.tool_frame", hand.tool_frame)
    below = [model.names[i] for i in _ancestors(model, base.parentJoint)]
    moving = [name for name in below if name in hand.joint_names + hand.gripper.joint_names]
    if moving:
        raise ConfigurationError(
            f"rig {rig.name}: base_frame {rig.base_frame} is moved by {moving[-1]}, "
            "expected a frame that stands still"
        )
    # A joint forgotten in the list must not pass for one that is meant to be locked.
    still = {*below, *rig.locked_joints}
    chain = [model.names[i] for i in _ancestors(model, tool.parentJoint)]
    found = [name for name in chain if name not in still]
    if sorted(found) == sorted(hand.joint_names):
        return
    other = rig.hands[1 - rig.hands.index(hand)]
    surplus = [name for name in hand.joint_names if name not in found]
    missing = [name for name in found if name not in hand.joint_names]
    swapped = sorted(found) == sorted(other.joint_names)
    hint = f" Are hands.{hand.side} and hands.{other.side} swapped?" if swapped else ""
    raise ConfigurationError(
        f"rig {rig.name}: hands.{hand.side}.joints: tool frame {hand.tool_frame} is moved by "
        f"{found or 'nothing'}, expected each of them among the hand's joints or locked_joints; "
        f"missing there: {missing or 'none'}; listed but not moving it: {surplus or 'none'}.{hint}"
    )


def _convex(geometry: pin.GeometryModel) -> pin.GeometryModel:
    """Replace meshes by their convex hulls: faster, never too small, and with signed distances."""
    for shape in geometry.geometryObjects:
        if hasattr(shape.geometry, "buildConvexHull"):
            shape.geometry.buildConvexHull(True, "Qt")
            shape.geometry = shape.geometry.convex
    return geometry
