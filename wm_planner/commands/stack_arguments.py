"""Arguments that several verbs share: which configuration, and which models instead of its own."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wm_planner.assembly import StackConfig


def add_stack_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--config", type=Path, metavar="YAML", help="what plans (default: config/planner.yaml)"
    )
    for name in ("world-model", "inverse-dynamics"):
        parser.add_argument(
            f"--{name}", type=Path, metavar="DIR", help="another bundle than the configured one"
        )


def read_stack_config(args: argparse.Namespace) -> StackConfig:
    """Return the configuration that the arguments name."""
    from wm_planner.assembly import load_config

    config = load_config(args.config)
    for name in ("world_model", "inverse_dynamics"):
        folder = getattr(args, name)
        if folder is not None:
            model = dataclasses.replace(getattr(config, name), bundle=folder)
            config = dataclasses.replace(config, **{name: model})
    return config
