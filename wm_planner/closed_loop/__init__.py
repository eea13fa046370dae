"""Closed loop in a simulated rig, in this process and without ROS: episodes and evaluations."""

from wm_planner.closed_loop.episode import EpisodeSettings, run_episode
from wm_planner.closed_loop.episode_result import EpisodeResult

__all__ = ["EpisodeResult", "EpisodeSettings", "run_episode"]
