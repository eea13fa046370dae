"""Distances between hand trajectories that forgive a difference in timing."""
