"""Lifecycle node `filter`: judges candidates with the configured filters, as a service.

Filters that need a re-simulation or the goal are the planner's own affair: the service knows
neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wm_planner import srv
from wm_planner.assembly import build_filters
from wm_planner.errors import ConfigurationError
from wm_planner.filters.filter import JudgingContext
from wm_planner.messages.plans import column_order
from wm_planner.nodes import topics
from wm_planner.nodes.configured import declare_config, read_config, readable_config
from wm_planner.nodes.conversions import stages as convert
from wm_planner.nodes.conversions.plans import verdict_to_message
from wm_planner.nodes.live_settings import LiveSettings
from wm_planner.nodes.mailbox import Mailbox
from wm_planner.nodes.stage_node import StageNode
from wm_planner.nodes.stage_service import StageService
from wm_planner.nodes.stages import LocalStages
from wm_planner.robot.rig_description import find_rig
from wm_planner.robot.robot_model import RobotModel
from wm_planner.types import StartState


class FilterNode(StageNode):
    """Holds the filters; arguments as `WorldModelNode`."""

    def __init__(self, stages: LocalStages | None = None, **options: Any) -> None:
        super().__init__("filter", **options)
        declare_config(self)
        self._stages = stages or LocalStages()
        config = readable_config(self)
        self._live = LiveSettings(self, config.filters if config else {})
        self._joint_names: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._mailbox: Mailbox | None = None
        self._served: StageService | None = None

    def build(self) -> None:
        config = read_config(self)
        # A robot model of its own: collision queries of one model must not run side by side.
        robot = RobotModel(find_rig(config.rig))
        self._joint_names = robot.joint_names
        filters = self._stages.filters = tuple(build_filters(config, robot))
        self._names = tuple(config.filters)
        by_name = dict(zip(self._names, filters, strict=True))
        self._stages.settled["filter"] = lambda: self._live.apply(by_name)
        self._mailbox = Mailbox("filter")
        self._served = StageService(
            self, srv.Judge, topics.JUDGE_SERVICE, self._mailbox, self._judge
        )

    def release(self) -> None:
        if self._served is not None:
            self._served.destroy()
        if self._mailbox is not None:
            self._mailbox.close()
        self._served = self._mailbox = self._stages.filters = None
        self._stages.settled.pop("filter", None)

    def _judge(self, request: Any, response: Any) -> None:
        filters = self._stages.filters
        if not self.is_active or filters is None:
            raise ConfigurationError("the filters are not active")
        # Refuses joints that are not ours; order must be ours too, as the arrays carry no names.
        names = list(request.trajectories.joint_names)
        if column_order("trajectories", names, self._joint_names) != list(range(len(names))):
            raise ConfigurationError(f"trajectories: joints in another order: {names}")
        chunks = convert.chunks_from_message(request.chunks)
        trajectories = convert.trajectories_from_message(request.trajectories)
        start = StartState(
            np.array(request.measured_joint_position), np.array(request.measured_joint_velocity)
        )
        context = JudgingContext(chunks, trajectories, start)
        response.verdicts = [
            verdict_to_message(verdicts)
            for name, one in zip(self._names, filters, strict=True)
            if one.judges_motion_alone
            for verdicts in self._live.applied(name, one).judge(context)
        ]
