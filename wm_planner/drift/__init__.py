"""Whether what is seen still follows the dream that is being executed; no clock, no ROS."""
