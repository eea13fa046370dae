"""One task, from its goal to its typed end; no clock, no ROS."""
