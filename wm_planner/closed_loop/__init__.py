"""Closed loop in a simulated rig, in this process and without ROS: episodes and evaluations."""

from wm_planner.closed_loop.episode import EpisodeResult, EpisodeSettings, run_episode

__all__ = ["EpisodeResult", "EpisodeSettings", "run_episode"]
