"""The ROS edge: every node converts in, calls the core, converts out. rclpy lives only here."""
