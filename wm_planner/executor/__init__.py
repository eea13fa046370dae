"""The executor: carries out plans against the clock, and stops when in doubt."""

from wm_planner.executor.executor import Executor
from wm_planner.executor.executor_state import ExecutorSettings, ExecutorState, Hold
from wm_planner.executor.motions import ArmLimits, Motion

__all__ = ["ArmLimits", "Executor", "ExecutorSettings", "ExecutorState", "Hold", "Motion"]
