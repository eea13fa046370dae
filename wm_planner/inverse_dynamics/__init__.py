"""Inverse dynamics: read actions off dreamed frames."""
