"""Names of the topics that bags are read for, relative to the stack's namespace."""

PLAN_TOPIC = "planner/plan"
REPORT_TOPIC = "planner/report"
TASK_PROGRESS_TOPIC = "planner/task"
COMMAND_TOPIC = "executor/command"
EXECUTOR_STATE_TOPIC = "executor/state"
SUCCESS_TOPIC = "rig/success"
#: Of ROS itself: what was set at run time, of all nodes.
PARAMETER_EVENTS_TOPIC = "/parameter_events"
#: Nodes whose parameters decide what is planned, and which a replay stands for.
PLANNING_NODES = ("planner", "world_model", "idm", "filter")
