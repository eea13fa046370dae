"""The robot model: what a rig file and a URDF say, as arrays and batched functions."""
