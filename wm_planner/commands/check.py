"""Check that models and rig are whole and belong together, and time one plan.

Every file's hash is verified, the graphs are loaded and compared with their manifests, world
model, inverse dynamics and rig are paired, and one plan is made on a blank picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wm_planner.commands.plan_timing import time_a_plan
from wm_planner.commands.stack_arguments import add_stack_arguments, read_stack_config
from wm_planner.errors import WmPlannerError

if TYPE_CHECKING:
    from wm_planner.assembly import Stack, StackConfig

NAME = "check"
HELP = "check that models and rig belong together"
EXIT_PROBLEM = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    add_stack_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print a table; exit 1 when something is wrong."""
    rows = list(check(read_stack_config(args)))
    width = max(len(name) for name, _, _ in rows)
    for name, good, detail in rows:
        print(f"{'ok  ' if good else 'FAIL'}  {name:<{width}}  {detail}")
    return 0 if all(good for _, good, _ in rows) else EXIT_PROBLEM


def check(config: StackConfig) -> Iterator[tuple[str, bool, str]]:
    """Yield what was checked, whether it is good, and a detail; later checks need earlier ones."""
    from wm_planner.assembly import assemble, load_bundles
    from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle
    from wm_planner.robot.rig_description import find_rig
    from wm_planner.robot.robot_model import RobotModel

    found: dict[str, Any] = {}

    def attempt(name: str, action: Callable[[], Any], tell: Callable[[Any], str]) -> Any:
        try:
            found[name] = action()
            return name, True, tell(found[name])
        except WmPlannerError as error:
            return name, False, str(error)

    def tell_bundle(bundle: Any) -> str:
        manifest = bundle.manifest
        size = sum(len(graph) for graph in bundle.graphs.values()) / 1e6
        return (
            f"{manifest.name}, {bundle.bundle_hash[:12]}, {size:.1f} MB, latent "
            f"{'x'.join(map(str, manifest.latent_shape))}, every {manifest.dt_s} s"
        )

    yield attempt("rig", lambda: find_rig(config.rig), lambda rig: f"{rig.name}, {rig.urdf.name}")
    if "rig" not in found:
        return
    yield attempt("robot", lambda: RobotModel(found["rig"]), _tell_robot)
    for kind, folder in (
        (WORLD_MODEL, config.world_model.bundle),
        (INVERSE_DYNAMICS, config.inverse_dynamics.bundle),
    ):
        yield attempt(kind, lambda f=folder, k=kind: load_bundle(f, k), tell_bundle)  # type: ignore[misc]
    if not {"robot", WORLD_MODEL, INVERSE_DYNAMICS} <= set(found):
        return
    yield attempt("pairing", lambda: load_bundles(config, found["rig"]), lambda _: "fits")
    if "pairing" in found:
        yield attempt("graphs", lambda: assemble(config), lambda _: "loaded")
    if "graphs" in found:
        yield attempt("one plan", lambda: _time_a_plan(found["graphs"]), str)


def _tell_robot(robot: Any) -> str:
    told = f"{len(robot.joint_names)} joints, {len(robot.collision_pairs)} collision pairs"
    unchecked = len(robot.unchecked_links)
    return f"{told}, {unchecked} links NOT checked: no meshes" if unchecked else told


def _time_a_plan(stack: Stack) -> str:
    report = time_a_plan(stack)
    stages = ", ".join(f"{name} {1e3 * s:.0f}" for name, s in report.latency_s.items())
    whole = 1e3 * sum(report.latency_s.values())
    return f"{whole:.0f} ms in {len(report.rounds)} rounds ({stages})"
