"""Settings of the kinematic filter. Limits of single joints are the robot's own."""

from __future__ import annotations

from dataclasses import dataclass

from wm_planner.settings import setting


@dataclass(frozen=True)
class KinematicFilterSettings:
    """How far a candidate may go."""

    ik_position_error: float = setting(
        0.015, unit="m", minimum=0.0, maximum=0.5, help="largest miss of a tool's position"
    )
    ik_rotation_error: float = setting(
        0.15, unit="rad", minimum=0.0, maximum=3.2, help="largest miss of a tool's rotation"
    )
    joint_overshoot: float = setting(
        0.0, unit="rad or m", minimum=0.0, maximum=0.5, help="how far past a joint's position limit"
    )
    start_jump: float = setting(
        1.0, unit="rad or m", minimum=0.0, maximum=3.2, help="largest way of a joint to step 0"
    )
    seam_fraction: float = setting(
        1.0,
        minimum=0.0,
        maximum=2.0,
        help="largest jump of a joint's velocity at the chunk's start, of its velocity limit",
    )
    velocity_fraction: float = setting(
        1.0, minimum=0.0, maximum=2.0, help="largest fraction of a joint's velocity limit"
    )
    acceleration_fraction: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="largest fraction of a joint's acceleration limit"
    )
    jerk_fraction: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="largest fraction of a joint's jerk limit"
    )
    rate_slowdown: float = setting(
        1.5, minimum=1.0, maximum=10.0,
        help="how many times slower a plan may be carried out to keep velocity, acceleration and "
        "jerk within their limits; beyond it is rejected, 1 slows nothing down",
    )  # fmt: skip
    condition_slow: float = setting(
        20.0,
        minimum=1.0,
        maximum=1e6,
        help="condition number of an arm's Jacobian from which on a plan is carried out slower",
    )
    condition_limit: float = setting(
        50.0, minimum=1.0, maximum=1e6, help="largest condition number of an arm's Jacobian"
    )
    condition_length: float = setting(
        0.3,
        unit="m",
        minimum=0.01,
        maximum=10.0,
        help="motion of a tool that counts as much as a turn by 1 rad, for condition numbers",
    )
    singular_slowdown: float = setting(
        3.0, minimum=1.0, maximum=10.0, help="how many times slower a plan is at condition_limit"
    )
    self_clearance: float = setting(
        0.0,
        unit="m",
        minimum=0.0,
        maximum=0.2,
        help="smallest distance of an arm from its own body",
    )
    inter_arm_clearance: float = setting(
        0.01, unit="m", minimum=0.0, maximum=0.5, help="smallest distance between the arms"
    )
    workspace_overshoot: float = setting(
        0.0, unit="m", minimum=0.0, maximum=1.0, help="how far a tool may leave the workspace box"
    )
    gripper_overshoot: float = setting(
        0.02, unit="m", minimum=0.0, maximum=0.2, help="how far a width may leave its range"
    )

    def problems(self) -> list[str]:
        """Slow down before rejecting."""
        if self.condition_slow <= self.condition_limit:
            return []
        return [
            f"condition_slow {self.condition_slow} is more than "
            f"condition_limit {self.condition_limit}"
        ]
