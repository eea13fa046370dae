"""All stages in one process: the planner calls the others directly, no message in between."""

from __future__ import annotations

from rclpy.node import Node

from wm_planner.nodes.camera_node import CameraNode
from wm_planner.nodes.filter_node import FilterNode
from wm_planner.nodes.idm_node import IdmNode
from wm_planner.nodes.planner_node import PlannerNode
from wm_planner.nodes.stages import LocalStages
from wm_planner.nodes.world_model_node import WorldModelNode


def planner_nodes() -> list[Node]:
    """Return the five nodes of the process, which share their stages."""
    stages = LocalStages()
    return [
        CameraNode(),
        WorldModelNode(stages),
        IdmNode(stages),
        FilterNode(stages),
        PlannerNode(stages),
    ]
