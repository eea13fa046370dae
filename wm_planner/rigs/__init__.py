"""Rigs: robots with cameras, real or simulated."""
