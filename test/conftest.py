"""What every test shares: a quiet, private, headless, seeded world."""

from __future__ import annotations

import os
import tempfile

# Before anything imports numpy, mujoco or rclpy: they read these once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))  # apart from other runs
os.environ.setdefault("ROS_LOG_DIR", tempfile.mkdtemp(prefix="wm_planner_test_log_"))

import numpy as np
import pytest


@pytest.fixture
def generator() -> np.random.Generator:
    """Randomness with a fixed seed."""
    return np.random.default_rng(0)
