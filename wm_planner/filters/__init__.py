"""Filters: what the robot cannot or should not do."""
