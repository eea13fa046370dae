"""Plans and their dreams against what was recorded afterwards.

Replay is open loop: the recorded robot did not follow the replayed plan. Near is not good by
itself, and far not bad; beside every figure stands what a planner would get that never moves, and
one that goes on as the hands moved before. Arms follow commands late, so plans, which are commands,
are compared with recorded commands, too, where the bag has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from wm_planner.assembly import Stack
from wm_planner.replay.alignment import align
from wm_planner.types import ObservationWindow, Plan


@dataclass(frozen=True, eq=False)
class Foresight:
    """One plan and what came instead.

    Attributes:
        stamp_ns: of the frame the plan began from.
        plan_id: of the plan.
        steps: rows of the plan that the recording covers.
        step_s: how far apart they are due, s.
        distance: mean distance of planned and recorded tool at equal times, left and right, m.
        standing: the same for a plan that stays where it is, m.
        dtw: root mean square distance along the best alignment in time, left and right, m.
        dtw_standing: the same for a plan that stays where it is, m.
        dtw_copying: the same for a plan that repeats the last measured step over and over, m.
        command_dtw: as `dtw`, against what was commanded; None where the bag does not say.
        command_dtw_standing: the same for a plan that stays where the hands were measured, m.
        command_dtw_copying: the same for a plan that repeats the last measured step, m.
        dream_error: root mean square distance of dreamed and observed latents, one a step.
        copy_error: the same for the frame the plan began from, one a step.
        planned: tool positions of the plan, shape (steps + 1, 2, 3), the measured one first, m.
        recorded: what was measured at the same times, shape (steps + 1, 2, 3), m.
        alignment: pairs of rows of `planned` and `recorded` for each hand.
        frames: what the camera saw at each step, (h, w, 3) uint8; None where no frame came.
        dream: latents of the steps, float16.
        scene: the frame that the plan began from, (h, w, 3) uint8.
    """

    stamp_ns: int
    plan_id: int
    steps: int
    step_s: float
    distance: tuple[float, float]
    standing: tuple[float, float]
    dtw: tuple[float, float]
    dtw_standing: tuple[float, float]
    dtw_copying: tuple[float, float]
    command_dtw: tuple[float, float] | None
    command_dtw_standing: tuple[float, float] | None
    command_dtw_copying: tuple[float, float] | None
    dream_error: tuple[float, ...]
    copy_error: tuple[float, ...]
    planned: np.ndarray
    recorded: np.ndarray
    alignment: tuple[list[tuple[int, int]], list[tuple[int, int]]]
    frames: list[np.ndarray | None]
    dream: np.ndarray
    scene: np.ndarray


KEPT_NS = 5_000_000_000  # of commands, without a plan that may need them
Command = tuple[int, np.ndarray, np.ndarray]  # stamp, arm joints (D,), widths (2,)


@dataclass(eq=False)
class _Pending:
    plan: Plan
    targets: np.ndarray  # (H, 2, 3)
    scene: np.ndarray
    start_latent: np.ndarray
    last_step: np.ndarray  # (2, 3), what the hands had just moved
    stamps: list[int] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    frames: dict[int, np.ndarray] = field(default_factory=dict)
    latents: dict[int, np.ndarray] = field(default_factory=dict)


class ForesightObserver:
    """Holds plans until the recording has gone past their ends.

    Args:
        stack: kinematics and encoder.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._pending: deque[_Pending] = deque()
        self._commands: deque[Command] = deque()

    def commanded(self, stamp_ns: int, joint_position: np.ndarray, width: np.ndarray) -> None:
        """Take what the arms (D,) and grippers (2,) were told, or are to be told, at a time."""
        late_ns = self._commands[-1][0] - stamp_ns if self._commands else -1
        if late_ns > KEPT_NS:  # the clock was set back
            self._commands.clear()
        elif late_ns >= 0:
            return
        self._commands.append((stamp_ns, joint_position, width))
        # Plans come later than the frames that they begin from.
        oldest_ns = min([stamp_ns - KEPT_NS, *(p.plan.start_ns for p in self._pending)])
        while len(self._commands) > 1 and self._commands[1][0] <= oldest_ns:
            self._commands.popleft()

    def planned(self, plan: Plan, window: ObservationWindow) -> None:
        """Take a plan made from this window."""
        targets = self._stack.robot.hand_poses(plan.joint_position, plan.gripper_width)
        image = window.images[self._stack.world_model.spec.camera][-1]
        latent = self._stack.world_model.look(image[None])[0]
        before = self._stack.robot.hand_poses(
            window.joint_position[-2:], window.gripper_width[-2:]
        ).position
        # A plan's steps are longer than a window's where it was slowed down.
        last_step = (before[-1] - before[0]) * plan.dt / window.dt
        pending = _Pending(plan, targets.position, image, latent, last_step)
        self._pending.append(pending)
        self._note(pending, window)

    def observed(self, window: ObservationWindow) -> Iterator[Foresight]:
        """Take an observation; yields plans whose time is over."""
        stamp_ns = window.newest_stamp_ns
        image = window.images[self._stack.world_model.spec.camera][-1]
        latent: np.ndarray | None = None
        for pending in self._pending:
            self._note(pending, window)
            step = _step(pending.plan, stamp_ns)
            if step is not None and step not in pending.latents:
                if latent is None:
                    latent = self._stack.world_model.look(image[None])[0]
                pending.latents[step], pending.frames[step] = latent, image
        while self._pending and self._pending[0].plan.end_ns <= stamp_ns:
            yield from self._judge(self._pending.popleft())

    def finish(self) -> Iterator[Foresight]:
        """End of the recording: judge what is left as far as it goes."""
        while self._pending:
            yield from self._judge(self._pending.popleft())

    def _judge(self, pending: _Pending) -> Iterator[Foresight]:
        plan, stamps = pending.plan, np.array(pending.stamps)
        due = plan.start_ns + np.arange(len(plan.actions) + 1) * round(plan.dt * 1e9)
        steps = int(np.searchsorted(due, stamps[-1], side="right")) - 1
        if steps < 1:
            return
        seconds, known = (due[: steps + 1] - stamps[0]) * 1e-9, (stamps - stamps[0]) * 1e-9
        flat = np.stack(pending.positions).reshape(len(stamps), 6)
        recorded = np.stack([np.interp(seconds, known, column) for column in flat.T], axis=1)
        recorded = recorded.reshape(-1, 2, 3)
        planned = np.concatenate([recorded[:1], pending.targets[:steps]])
        still = np.broadcast_to(recorded[:1], recorded.shape)
        copied = recorded[:1] + np.arange(steps + 1)[:, None, None] * pending.last_step
        told = self._commanded_at(due[1 : steps + 1])
        paths = planned, still, copied
        to_commands: tuple[tuple[float, float] | None, ...] = (None,) * len(paths)
        if told is not None:
            told = np.concatenate([recorded[:1], told])
            to_commands = tuple(_warped(path, told) for path in paths)
        aligned = [align(planned[:, hand], recorded[:, hand]) for hand in range(2)]
        order = sorted(step for step in pending.latents if step < steps)
        seen = [pending.latents[step] for step in order]
        dream = plan.dream.astype(np.float32)
        yield Foresight(
            stamp_ns=plan.start_ns,
            plan_id=plan.plan_id,
            steps=steps,
            step_s=plan.dt,
            distance=_mean_distance(planned, recorded),
            standing=_mean_distance(still, recorded),
            dtw=(aligned[0][1], aligned[1][1]),
            dtw_standing=_warped(still, recorded),
            dtw_copying=_warped(copied, recorded),
            command_dtw=to_commands[0],
            command_dtw_standing=to_commands[1],
            command_dtw_copying=to_commands[2],
            dream_error=tuple(
                _rms(latent - dream[step]) for step, latent in zip(order, seen, strict=True)
            ),
            copy_error=tuple(_rms(latent - pending.start_latent) for latent in seen),
            planned=planned,
            recorded=recorded,
            alignment=(aligned[0][0], aligned[1][0]),
            frames=[pending.frames.get(step) for step in range(steps)],
            dream=plan.dream[:steps],
            scene=pending.scene,
        )

    def _commanded_at(self, due_ns: np.ndarray) -> np.ndarray | None:
        """Tool positions of the last commands by these times, (N, 2, 3); None before the first."""
        stamps = np.array([stamp for stamp, _, _ in self._commands], np.int64)
        rows = np.searchsorted(stamps, due_ns, side="right") - 1
        if rows[0] < 0:
            return None
        arms, width = (np.stack([self._commands[row][part] for row in rows]) for part in (1, 2))
        return np.asarray(self._stack.robot.hand_poses(arms, width).position)

    def _note(self, pending: _Pending, window: ObservationWindow) -> None:
        if not pending.stamps or window.newest_stamp_ns > pending.stamps[-1]:
            joints, width = window.newest_joint_position, window.newest_gripper_width
            pending.stamps.append(window.newest_stamp_ns)
            pending.positions.append(self._stack.robot.hand_poses(joints, width).position)


def _step(plan: Plan, stamp_ns: int) -> int | None:
    """Return the row that is due within a quarter of a step of a time, None where none is."""
    rows = (stamp_ns - plan.start_ns) * 1e-9 / plan.dt
    step = round(rows) - 1
    return step if 0 <= step < len(plan.actions) and abs(rows - step - 1) <= 0.25 else None


def _mean_distance(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    left, right = np.linalg.norm(one[1:] - other[1:], axis=2).mean(axis=0)
    return float(left), float(right)


def _warped(path: np.ndarray, recorded: np.ndarray) -> tuple[float, float]:
    left, right = (align(path[:, hand], recorded[:, hand])[1] for hand in range(2))
    return left, right


def _rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))
