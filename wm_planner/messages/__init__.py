"""What ROS messages say, whoever unpacked them: rclpy in a node or rosbags from a file."""
