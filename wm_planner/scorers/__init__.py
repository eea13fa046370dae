"""Scorers: how close candidates come to the goal."""
