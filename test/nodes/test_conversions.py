"""Every message says what its type says: there and back is the identity, damage is refused."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, JointState

from wm_planner.errors import DataError
from wm_planner.messages import images as sent_images
from wm_planner.messages import joints as sent_joints
from wm_planner.messages import plans as sent_plans
from wm_planner.messages.arrays import to_ns
from wm_planner.nodes.conversions import images, joints, plans, stages
from wm_planner.nodes.conversions.arrays import to_stamp
from wm_planner.rigs.joint_trajectory_controller import JointTrajectory
from wm_planner.types import (
    ActionChunks,
    Command,
    Goal,
    JointTrajectories,
    ObservationWindow,
    Plan,
    RejectionReason,
    Rollouts,
    Verdicts,
)

K, H, D, T = 3, 5, 4, 2
NAMES = ("a", "b", "c", "d")
STAMP = 1_700_000_000_123_456_789


def assert_same(one: object, other: object) -> None:
    """Compare two dataclasses of arrays field by field, NaN equal to itself."""
    for name, value in vars(one).items():
        found = getattr(other, name)
        if hasattr(value, "items"):
            assert value.keys() == found.keys()
            value, found = list(value.values()), list(found.values())
        np.testing.assert_array_equal(value, found, err_msg=name)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape)


def picture(height: int = 6, width: int = 8) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("stamp", [0, 1, 999_999_999, 1_000_000_000, STAMP])
def test_stamps_keep_every_nanosecond(stamp):
    assert to_ns(to_stamp(stamp)) == stamp


def test_plans_survive_the_wire_and_are_put_into_the_wanted_joint_order():
    plan = Plan(
        plan_id=9,
        start_ns=STAMP,
        dt=0.2,
        actions=random(H, 20),
        joint_position=random(H, D),
        joint_velocity=random(H, D),
        gripper_width=random(H, 2),
        dream=random(H, 3, 2).astype(np.float16),
        bundle_hash="abc",
        candidate=2,
    )
    message = plans.plan_to_message(plan, NAMES)
    assert_same(plan, sent_plans.plan_from_message(message, NAMES))
    turned = sent_plans.plan_from_message(message, NAMES[::-1])
    np.testing.assert_array_equal(turned.joint_position, plan.joint_position[:, ::-1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"horizon": 4}, "holds"),
        ({"joint_names": ["a", "b", "c", "c"]}, "names the joints"),
        ({"joint_names": ["a", "b", "c", "x"]}, "names the joints"),
        ({"dream": array("B", b"1")}, "plan.dream holds 1 bytes"),
        ({"joint_position": array("d", [float("nan")] * (H * D))}, "joint_position is nan"),
    ],
)
def test_damaged_plans_are_refused(change, reason):
    zero = np.zeros
    plan = Plan(
        *(1, STAMP, 0.2, zero((H, 20)), zero((H, D)), zero((H, D)), zero((H, 2))),
        *(np.zeros((H, 2, 2), np.float16), "abc", 0),
    )
    message = plans.plan_to_message(plan, NAMES)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(DataError, match=reason):
        sent_plans.plan_from_message(message, NAMES)


def test_commands_survive_the_wire():
    command = Command(STAMP, random(D), random(D), random(2), plan_id=3, step=1)
    assert_same(
        command, sent_plans.command_from_message(plans.command_to_message(command, NAMES), NAMES)
    )


def test_verdicts_survive_the_wire_and_nan_stays_a_rejection():
    verdicts = Verdicts(
        filter="kinematic",
        reason=RejectionReason.JOINT_VELOCITY,
        measured=np.array([1.0, np.nan, 3.0]),
        limit=2.5,
        unit="rad/s",
        where=("a", "", "b"),
        first_bad_step=np.array([-1, 0, 4]),
        slowdown=np.array([1.5, 1.0, 1.0]),
    )
    message = plans.verdict_to_message(verdicts)
    assert list(message.accepted) == [True, False, False]
    assert_same(verdicts, sent_plans.verdict_from_message(message))


def test_windows_survive_the_wire():
    window = ObservationWindow(
        stamps_ns=np.array([STAMP, STAMP + 200_000_000]),
        images={"head": np.stack([picture(), picture()[::-1]])},
        joint_position=random(T, D),
        joint_velocity=random(T, D),
        gripper_width=random(T, 2),
        actions=random(T - 1, 20),
        dt=0.2,
    )
    assert_same(window, stages.window_from_message(stages.window_to_message(window, NAMES)))


@pytest.mark.parametrize("goal", [Goal("lift"), Goal(None, picture()), Goal("lift", picture())])
def test_goals_survive_the_wire(goal):
    assert_same(goal, stages.goal_from_message(stages.goal_to_message(goal)))


def test_what_passes_between_stages_survives_the_wire():
    rollouts = Rollouts(random(K, H, 3, 2).astype(np.float16), 0.2, STAMP, 2**63 - 1, "abc")
    assert_same(rollouts, stages.rollouts_from_message(stages.rollouts_to_message(rollouts)))
    actions = random(K, H, 20)
    actions[1, 2, 3] = np.nan
    chunks = ActionChunks(actions, actions**2, 0.2, STAMP, "abc")
    assert_same(chunks, stages.chunks_from_message(stages.chunks_to_message(chunks)))
    trajectories = JointTrajectories(
        random(K, H, D), random(K, H, D), random(K, H, 2), random(K, H, 2), random(K, H, 2)
    )
    message = stages.trajectories_to_message(trajectories, NAMES)
    assert_same(trajectories, stages.trajectories_from_message(message))


def test_images_survive_the_wire():
    message = images.image_to_message(picture(), STAMP, "head")
    np.testing.assert_array_equal(sent_images.image_from_message(message), picture())


@pytest.mark.parametrize("encoding", ["bgr8", "bgra8", "rgba8"])
def test_other_colour_orders_are_understood_and_padding_is_skipped(encoding):
    order = [2, 1, 0] if encoding.startswith("bgr") else [0, 1, 2]
    channels = len(encoding.removesuffix("8"))
    rows = np.zeros((6, 40), np.uint8)
    pixels = rows[:, : 8 * channels].reshape(6, 8, channels)
    pixels[..., :3] = picture()[..., order]
    message = images.image_to_message(picture())
    message.encoding, message.step, message.data = encoding, 40, array("B", rows.tobytes())
    np.testing.assert_array_equal(sent_images.image_from_message(message), picture())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoding": "16UC1"}, "encoding is '16UC1'"),
        ({"step": 3}, "step is 3 bytes"),
        ({"height": 7}, "holds 144 bytes, expected 168"),
        ({"width": 0}, "no pixels"),
    ],
)
def test_images_whose_sizes_contradict_each_other_are_refused(change, reason):
    message = images.image_to_message(picture())
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(DataError, match=reason):
        sent_images.image_from_message(message)


def test_a_cut_jpeg_is_refused_and_a_whole_one_is_read():
    import cv2

    smooth = np.full((32, 32, 3), (200, 30, 60), np.uint8)
    data = cv2.imencode(".jpg", smooth[..., ::-1])[1].tobytes()
    read = sent_images.image_from_compressed(CompressedImage(format="jpeg", data=array("B", data)))
    assert np.abs(read.astype(int) - smooth).max() < 8
    for broken in (data[: len(data) // 2], b"nonsense", b""):
        with pytest.raises(DataError, match="compressed image"):
            sent_images.image_from_compressed(
                CompressedImage(format="jpeg", data=array("B", broken))
            )


def test_joint_states_are_read_by_name():
    message = joints.joint_state_to_message(NAMES, np.arange(4.0), np.arange(4.0) / 10, STAMP)
    position, velocity = sent_joints.joint_state_from_message(message, ("c", "a"))
    assert position.tolist() == [2, 0]
    assert velocity == pytest.approx([0.2, 0.0])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (JointState(name=["a"], position=[1.0]), "lacks b"),
        (JointState(name=["a", "b", "a"], position=[1.0] * 3), "names a twice"),
        (JointState(name=["a", "b"], position=[1.0]), "1 positions for 2 names"),
        (JointState(name=["a", "b"], position=[1.0, float("nan")]), "joint state of b"),
    ],
)
def test_joint_states_that_cannot_be_trusted_are_refused(message, reason):
    with pytest.raises(DataError, match=reason):
        sent_joints.joint_state_from_message(message, ("a", "b"))


def test_joint_trajectories_survive_the_wire():
    trajectory = JointTrajectory(
        ("a", "b"), STAMP, (0, 1_500_000_000), ((1.0, 2.0), (3.0, 4.0)), ((0.5, 0.5), (0.0, 0.0))
    )
    message = joints.joint_trajectory_to_message(trajectory)
    assert joints.joint_trajectory_from_message(message) == trajectory
