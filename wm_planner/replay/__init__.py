"""Recorded bags through the same cores as the nodes: no ROS running, no clock but the bag's."""
