"""The cycle filter: dreams that the world model itself takes back once they have become actions."""

from __future__ import annotations

from dataclasses import dataclass

from wm_planner.filters.filter import Filter, JudgingContext
from wm_planner.filters.worst_case import worst_case
from wm_planner.robot.robot_model import RobotModel
from wm_planner.settings import setting
from wm_planner.types import Need, RejectionReason, Verdicts


@dataclass(frozen=True)
class CycleFilterSettings:
    """How far a dream may be from its own re-simulation; see `Resimulation.cycle_cost`."""

    limit: float = setting(
        0.43, minimum=0.0, maximum=100.0, help="largest cycle cost of any step that counts"
    )
    steps: int = setting(8, minimum=1, maximum=1000, help="steps that count, from the first on")


class CycleFilter(Filter):
    """Measures the cycle cost of each step, the worst of each candidate counts."""

    name = "cycle"
    needs = Need.ROLLOUTS

    def __init__(self, robot: RobotModel, settings: CycleFilterSettings | None = None) -> None:
        self.settings = settings or CycleFilterSettings()

    def judge(self, context: JudgingContext) -> tuple[Verdicts, ...]:
        assert context.resimulation is not None  # as this filter `needs`
        cost = context.resimulation.cycle_cost[:, : self.settings.steps]
        reason, limit = RejectionReason.CYCLE_INCONSISTENT, self.settings.limit
        return (worst_case(self.name, reason, cost[..., None], limit, "", ("",)),)
