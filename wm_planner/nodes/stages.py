"""Where the planner finds its stages: beside it in the same process, or behind services."""

from __future__ import annotations

from collections.abc import Callable

from wm_planner.errors import ConfigurationError
from wm_planner.filters.filter import Filter
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics
from wm_planner.world_models.world_model import WorldModel


class LocalStages:
    """What the stage nodes of one process have built; they fill it in, the planner reads it.

    An attribute is None while its node is not configured.

    Attributes:
        settled: what has the stages go by the parameters as they are now, by the node's name;
            called by the planner between two plans.
    """

    def __init__(self) -> None:
        self.world_model: WorldModel | None = None
        self.inverse_dynamics: InverseDynamics | None = None
        self.filters: tuple[Filter, ...] | None = None
        self.settled: dict[str, Callable[[], None]] = {}

    def settle(self) -> None:
        """Have all stages go by their parameters as they are now."""
        for settle in tuple(self.settled.values()):
            settle()

    def complete(self) -> tuple[WorldModel, InverseDynamics, tuple[Filter, ...]]:
        """Return all stages.

        Raises:
            ConfigurationError: naming the node that is not configured.
        """
        if self.world_model is None:
            raise ConfigurationError("the node world_model is not configured")
        if self.inverse_dynamics is None:
            raise ConfigurationError("the node idm is not configured")
        if self.filters is None:
            raise ConfigurationError("the node filter is not configured")
        return self.world_model, self.inverse_dynamics, self.filters
