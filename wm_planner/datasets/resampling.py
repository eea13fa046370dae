"""A recording as an episode: frames a fixed time apart, joints as poses, commands as actions.

Rows are where a picture is; joints are interpolated to its time. A recording at 30 Hz holds six
episodes at 5 Hz, a picture apart: its phases. They show the same motion at other instants, which is
what a model should not care about.
"""

from __future__ import annotations

import re

import numpy as np

from wm_planner import actions, images
from wm_planner.datasets.episode import Episode
from wm_planner.datasets.recording import JointTrack, Pictures, Recording
from wm_planner.errors import DataError
from wm_planner.robot.robot_model import RobotModel

SHORTEST = 4  # frames of an episode
_NS = 1e9
_ROUNDING_NS = 1000  # of stamps that were made from a number and a rate


def frame_times(recording: Recording, fps: int, phase: int = 0) -> dict[str, np.ndarray]:
    """Choose the pictures of an episode: the longest stretch in which nothing is missing.

    Args:
        recording: what there is.
        fps: frames a second to choose.
        phase: pictures to leave out at the start.

    Returns:
        For each camera the numbers of its pictures, shape (N,).

    Raises:
        DataError: they do not come often enough, or the stretch is too short.
    """
    step_ns = _NS / fps
    joints = recording.measured.stamps_ns
    first = next(iter(recording.pictures.values())).stamps_ns
    begins = [joints[0], *(p.stamps_ns[0] for p in recording.pictures.values() if len(p.stamps_ns))]
    ends = [joints[-1], *(p.stamps_ns[-1] for p in recording.pictures.values() if len(p.stamps_ns))]
    inside = first[(first >= max(begins)) & (first <= min(ends))]
    if len(inside) <= phase:
        raise DataError("cameras and joints were not recorded at the same time")
    count = int((inside[-1] - inside[phase]) / step_ns + 0.01) + 1
    grid = np.round(inside[phase] + np.arange(count) * step_ns).astype(np.int64)
    good = _covered(joints, grid, step_ns)
    chosen = {}
    for name, pictures in recording.pictures.items():
        chosen[name], near = _nearest(name, pictures, grid, fps)
        good &= near
    begin, end = _longest_run(good)
    if end - begin < SHORTEST:
        raise DataError(
            f"{end - begin} frames {1 / fps:g} s apart with pictures and joints, "
            f"expected at least {SHORTEST}"
        )
    return {name: numbers[begin:end] for name, numbers in chosen.items()}


def phases_of(recording: Recording, fps: int) -> int:
    """How many pictures come in the time between two frames: phases that are different."""
    first = next(iter(recording.pictures.values())).stamps_ns
    return int(_NS / fps / np.median(np.diff(first)) + 0.05)


def make_episode(
    recording: Recording,
    robot: RobotModel,
    image_size: tuple[int, int],
    fps: int,
    phase: int,
    seed: int,
) -> Episode:
    """Make an episode; the target of a frame is what was commanded when the next one was taken.

    Args:
        recording: what was measured and commanded.
        robot: kinematics, and which joints are whose.
        image_size: height and width, px.
        fps: frames a second.
        phase: pictures to leave out at the start.
        seed: a number for the episode.
    """
    numbers = frame_times(recording, fps, phase)
    first = next(iter(numbers))
    times = recording.pictures[first].stamps_ns[numbers[first]]
    due = np.append(times[1:], times[-1] + round(_NS / fps))
    arms, width = _measured(recording.measured, times)
    told_arms, told_width = _commanded(recording, due)
    measured = robot.hand_poses(arms, width)
    commanded = robot.hand_poses(told_arms, told_width)
    count = len(times)
    return Episode(
        images={
            name: np.stack([
                images.fit(picture, *image_size)
                for picture in recording.pictures[name].read(wanted)
            ])
            for name, wanted in numbers.items()
        },
        joint_position=arms,
        joint_velocity=_between(recording.measured.stamps_ns, _velocity(recording.measured), times),
        gripper_width=width,
        hand_pose=actions.pack(measured),
        hand_target=actions.pack(commanded),
        action=actions.encode(measured, commanded),
        step_good=np.ones(count, bool),
        object_position=np.zeros((count, 0, 3)),
        object_visible=np.zeros((count, 0), bool),
        object_names=(),
        task=re.sub(r"\W+", "_", recording.instruction.lower()).strip("_") or "task",
        instruction=recording.instruction,
        success=recording.success,
        kind=recording.kind,
        seed=seed,
        joint_names=robot.joint_names,
    )  # fmt: skip


def _nearest(
    name: str, pictures: Pictures, grid: np.ndarray, fps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the picture nearest to each time, and whether it is near enough."""
    stamps = pictures.stamps_ns
    period_ns = float(np.median(np.diff(stamps))) if len(stamps) > 1 else np.inf
    if period_ns > 1.1 * _NS / fps:
        rate = f"{_NS / period_ns:.3g} pictures" if np.isfinite(period_ns) else "a single picture"
        raise DataError(f"camera {name}: {rate} a second, expected at least {fps}")
    after = np.clip(np.searchsorted(stamps, grid), 1, len(stamps) - 1)
    earlier = grid - stamps[after - 1] < stamps[after] - grid
    number = np.where(earlier, after - 1, after)
    near = np.abs(stamps[number] - grid) <= max(0.25 * _NS / fps, 0.6 * period_ns)
    rows = np.flatnonzero(near)
    near[rows[1:][np.diff(number[rows]) == 0]] = False  # the same picture again
    return number, near


def _covered(stamps: np.ndarray, grid: np.ndarray, step_ns: float) -> np.ndarray:
    """Whether joints were measured before and after each time, at most a step apart."""
    after = np.searchsorted(stamps, grid)
    exact = stamps[np.minimum(after, len(stamps) - 1)] == grid
    inside = (after > 0) & (after < len(stamps))
    right = stamps[np.minimum(after, len(stamps) - 1)]
    left = stamps[np.maximum(after - 1, 0)]
    return exact | (inside & (right - left <= step_ns))


def _longest_run(good: np.ndarray) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    begin, end = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(begin), int(end)


def _velocity(track: JointTrack) -> np.ndarray:
    if track.velocity is not None:
        return track.velocity
    return np.asarray(np.gradient(track.arms, (track.stamps_ns - track.stamps_ns[0]) / _NS, axis=0))


def _measured(track: JointTrack, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(_between(track.stamps_ns, values, times) for values in (track.arms, track.width))  # type: ignore[return-value]


def _between(stamps: np.ndarray, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Values (N, J) at other times, linear between samples, held beyond them."""
    begin = stamps[0]  # relative: nanoseconds since 1970 are more than a float can count
    seconds, wanted = (stamps - begin) / _NS, (times - begin) / _NS
    columns = [np.interp(wanted, seconds, column) for column in values.T]
    return np.stack(columns, axis=1)


def _commanded(recording: Recording, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last commands by these times; before the first, the joints stay where they are."""
    arms, width = _measured(recording.measured, times)
    if recording.commanded is None:
        return arms, width
    track = recording.commanded
    rows = np.searchsorted(track.stamps_ns, times + _ROUNDING_NS, side="right") - 1
    told = rows[:, None] >= 0
    return np.where(told, track.arms[rows], arms), np.where(told, track.width[rows], width)
