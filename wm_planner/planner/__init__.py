"""The planner: imagine, invert, judge, score, choose."""

from wm_planner.planner.plan_report import PlanReport
from wm_planner.planner.planner import Planner, PlannerSettings

__all__ = ["PlanReport", "Planner", "PlannerSettings"]
