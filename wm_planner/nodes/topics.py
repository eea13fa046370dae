"""Names and qualities of service of everything that crosses the graph, in one place.

Names are relative: a namespace moves the whole stack. Topics of the robot itself (cameras, joint
states, trajectories, e-stop) are in the rig file, not here.
"""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_parameter_events,
    qos_profile_sensor_data,
)

# Named again to be found here: bags are read for them without ROS.
from wm_planner.messages.topic_names import COMMAND_TOPIC as COMMAND_TOPIC
from wm_planner.messages.topic_names import EXECUTOR_STATE_TOPIC as EXECUTOR_STATE_TOPIC
from wm_planner.messages.topic_names import PARAMETER_EVENTS_TOPIC as PARAMETER_EVENTS_TOPIC
from wm_planner.messages.topic_names import PLAN_TOPIC as PLAN_TOPIC
from wm_planner.messages.topic_names import PLANNING_NODES as PLANNING_NODES
from wm_planner.messages.topic_names import REPORT_TOPIC as REPORT_TOPIC
from wm_planner.messages.topic_names import SUCCESS_TOPIC as SUCCESS_TOPIC
from wm_planner.messages.topic_names import TASK_PROGRESS_TOPIC as TASK_PROGRESS_TOPIC

HEARTBEAT_TOPIC = "heartbeats"
EXECUTE_TASK_ACTION = "execute_task"
ESTOP_RESET_SERVICE = "executor/reset"
RIG_RESET_SERVICE = "rig/reset"
DIAGNOSTICS_TOPIC = "/diagnostics"
IMAGINE_SERVICE = "world_model/imagine"
SIMULATE_SERVICE = "world_model/simulate"
ENCODE_SERVICE = "world_model/encode"
DECODE_SERVICE = "world_model/decode"
VALUE_SERVICE = "world_model/value"
INVERT_SERVICE = "idm/invert"
JUDGE_SERVICE = "filter/judge"


def frames_topic(camera: str) -> str:
    """Checked frames of a camera, as the models want them."""
    return f"camera/{camera}/frames"


SENSOR_QOS = qos_profile_sensor_data
PARAMETER_EVENTS_QOS = qos_profile_parameter_events
#: Nobody who needs every joint state loses one while it is busy for a moment.
JOINTS_QOS = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE_QOS = QoSProfile(depth=10)
#: Only the newest value counts, and who comes late gets it.
LATCHED_QOS = QoSProfile(
    depth=1,
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
#: The emergency stop is heard twice: latched by who comes late, and from whoever presses it with
#: other qualities (a bare `ros2 topic pub`), which a latched subscription would silently ignore.
EMERGENCY_STOP_QOS = (LATCHED_QOS, SENSOR_QOS)
#: Every node of the graph beats on one topic: deep enough that no node hides another.
HEARTBEAT_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
