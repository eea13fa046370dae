"""A context and a node of this very process."""

from __future__ import annotations

import time

import pytest
from rclpy.node import Node

from wm_planner.nodes.graph_session import ros_context


@pytest.fixture(scope="module")
def context():
    with ros_context() as made:
        yield made


@pytest.fixture
def node(context):
    made = Node(f"parameters_{time.monotonic_ns()}", context=context)
    yield made
    made.destroy_node()
