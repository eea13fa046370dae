r"""The whole graph with the simulated robot, waiting for a goal.

ros2 launch wm_planner demo.launch.py task:=pick_lift seed:=1000000
then, from another shell, with --feedback before the name to see what happens:
ros2 action send_goal /execute_task wm_planner/action/ExecuteTask \
  '{goals: [{instruction: lift the cube}]}'
"""

from launch import LaunchDescription
from wm_planner.nodes.launch_actions import graph_actions


def generate_launch_description() -> LaunchDescription:
    """Return every process and the simulated robot."""
    return LaunchDescription(graph_actions(simulate=True))
