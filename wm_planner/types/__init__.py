"""The values that flow between the stages: frozen, numpy only, shapes checked on construction.

Letters: K candidates, H future steps, T past frames, D arm joints. `*_ns` is nanoseconds on the
ROS clock, `dt` seconds; angles rad, lengths m; hands are tool frames in the rig's base frame.
"""

from wm_planner.types.candidates import ActionChunks, JointTrajectories, Rollouts, Scores
from wm_planner.types.hand_poses import HANDS, HandPoses
from wm_planner.types.observations import Goal, Observation, ObservationWindow
from wm_planner.types.plans import Command, NoPlan, Plan, ReplanReason
from wm_planner.types.resimulation import Need, Resimulation
from wm_planner.types.restart import Restart
from wm_planner.types.start_state import StartState
from wm_planner.types.verdicts import RejectionReason, Verdicts

__all__ = [
    "HANDS",
    "ActionChunks",
    "Command",
    "Goal",
    "HandPoses",
    "JointTrajectories",
    "Need",
    "NoPlan",
    "Observation",
    "ObservationWindow",
    "Plan",
    "RejectionReason",
    "ReplanReason",
    "Resimulation",
    "Restart",
    "Rollouts",
    "Scores",
    "StartState",
    "Verdicts",
]
