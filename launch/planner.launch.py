"""The planner and the executor, for a robot whose drivers run already.

ros2 launch wm_planner planner.launch.py config:=/path/to/planner.yaml composed:=false
"""

from launch import LaunchDescription
from wm_planner.nodes.launch_actions import graph_actions


def generate_launch_description() -> LaunchDescription:
    """Return every process but the robot."""
    return LaunchDescription(graph_actions(simulate=False))
