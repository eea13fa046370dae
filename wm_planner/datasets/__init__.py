"""Episodes on disk: LeRobot datasets written, read and collected."""
