"""Which links of a rig may touch: what its URDF, SRDF and grippers say about collisions."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from wm_planner.errors import ConfigurationError, UnknownNameError
from wm_planner.robot.collision_model import CollisionModel
from wm_planner.robot.joint_limits import JointLimits
from wm_planner.robot.rig_description import RigDescription
from wm_planner.robot.urdf_model import UrdfModel

SAMPLES = 100  # random postures that tell "always touching" from "sometimes"


def collision_model(rig: RigDescription, urdf: UrdfModel, limits: JointLimits) -> CollisionModel:
    """Build the collision model of a rig, and check that nothing touches in its home posture."""
    model = urdf.model
    allowed = set(urdf.neighbours) | _disabled_pairs(rig, urdf.link_names)
    side_of_joint = [-1] * model.njoints
    for side, hand in enumerate(rig.hands):
        fingers = {model.getJointId(name) for name in hand.gripper.joint_names}
        for joint in fingers | {model.getJointId(name) for name in hand.joint_names}:
            side_of_joint[joint] = side
        # Fingers of one gripper are made to meet.
        links = [frame.name for frame in model.frames if frame.parentJoint in fingers]
        allowed |= {frozenset((one, other)) for one in links for other in links}
    generator = np.random.default_rng(0)  # the same robot always gets the same pairs
    lower, upper = np.maximum(limits.lower, -np.pi), np.minimum(limits.upper, np.pi)
    postures = generator.uniform(lower, upper, size=(SAMPLES, len(lower)))
    widths = generator.uniform(0.0, rig.max_gripper_width, size=(SAMPLES, 2))
    names = moving_joints(rig)
    home = full_postures(rig, rig.home[None], rig.max_gripper_width[None])
    collisions = CollisionModel(
        model,
        urdf.geometry,
        side_of_joint,
        allowed,
        joints=[model.getJointId(name) for name in names],
        configurations=lambda values: urdf.configurations(names, values),
        home=home,
        samples=full_postures(rig, postures, widths),
    )
    report = collisions.measure(home)
    if report.distance[0] < 0.0:
        raise ConfigurationError(
            f"rig {rig.name}: home: links {report.pair[0]} overlap by "
            f"{-1e3 * report.distance[0]:.1f} mm, expected a posture without collision; "
            "choose another, or allow the pair in the rig's SRDF"
        )
    return collisions


def moving_joints(rig: RigDescription) -> tuple[str, ...]:
    """Return the J joints that move links: of the arms, then of the grippers."""
    return rig.joint_names + tuple(name for hand in rig.hands for name in hand.gripper.joint_names)


def full_postures(
    rig: RigDescription, joint_position: np.ndarray, gripper_width: np.ndarray
) -> np.ndarray:
    """Return postures (..., J) of arms (..., D) in rad and widths (..., 2) in m."""
    fingers = [
        hand.gripper.joint_position(gripper_width[..., side]) for side, hand in enumerate(rig.hands)
    ]
    return np.concatenate([joint_position, *fingers], axis=-1)


def _disabled_pairs(rig: RigDescription, links: tuple[str, ...]) -> set[frozenset[str]]:
    """Return the link pairs of the SRDF's disable_collisions."""
    if rig.srdf is None:
        return set()
    try:
        root = ElementTree.parse(rig.srdf).getroot()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise ConfigurationError(f"{rig.srdf}: is not an SRDF: {error}") from error
    pairs = set()
    for entry in root.iter("disable_collisions"):
        pair = [entry.get("link1", ""), entry.get("link2", "")]
        for name in pair:
            if name not in links:
                raise UnknownNameError(f"link of disable_collisions in {rig.srdf}", name, links)
        pairs.add(frozenset(pair))
    return pairs
