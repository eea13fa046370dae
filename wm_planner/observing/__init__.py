"""From what cameras and joints send to observation windows; no clock, no ROS."""
