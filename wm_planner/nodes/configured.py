"""The parameter that every node has: which configuration file."""

from __future__ import annotations

from pathlib import Path

from rclpy.node import Node

from wm_planner.assembly import StackConfig, load_config
from wm_planner.errors import ConfigurationError


def declare_config(node: Node) -> None:
    """Declare the parameter `config`."""
    node.declare_parameter("config", "")


def read_config(node: Node) -> StackConfig:
    """Read the file that the parameter names; empty for the one that comes with the package."""
    path = node.get_parameter("config").value
    return load_config(Path(path) if path else None)


def readable_config(node: Node) -> StackConfig | None:
    """Read the same, None where it cannot be: configuring will be refused with the reason."""
    try:
        return read_config(node)
    except ConfigurationError:
        return None
