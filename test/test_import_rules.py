"""Who may import whom, read from the syntax tree of every module. See docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "wm_planner"

# Bottom first. A module may import its own part and lower tiers; within a tier, only where the
# second column says so. Every module belongs to a part: a new top-level one needs a place here.
TIERS = [
    ({"types", "errors", "settings", "share_folder", "worker_process"}, True),
    (
        {"actions", "bundle", "registry", "robot", "limit_check", "onnx_session"}
        | {"video_pipeline", "images", "films", "messages", "words"},
        True,
    ),
    ({"world_models", "inverse_dynamics", "filters", "scorers", "rigs"}, False),
    ({"observation_history", "observing", "planner", "task", "executor", "drift"}, True),
    ({"assembly", "closed_loop", "open_loop"}, True),
    ({"replay", "datasets", "training", "nodes"}, False),
    ({"cli", "commands"}, True),
]
ONE_WAY = {("replay", "datasets")}  # within a tier, the first may import the second
PARTS = set.union(*(names for names, _ in TIERS)) | {""}
INTERFACES = {"msg", "srv", "action"}  # generated from the folders of the same names

ROS = {"rclpy", "rosidl_runtime_py", "ament_index_python", "launch", "launch_ros"}
ONLY_IN = {  # outside package: the parts that may import it
    "torch": ("training", "video_pipeline"),
    "diffusers": ("training", "video_pipeline"),
    "onnxruntime": ("onnx_session",),
    "mujoco": ("rigs",),
    "tslearn": ("filters", "open_loop"),  # slow to import: where distances are asked for alone
    **dict.fromkeys(ROS, ("nodes",)),
}


def modules() -> list[Path]:
    generated = {PACKAGE / name for name in INTERFACES}
    return [path for path in sorted(PACKAGE.rglob("*.py")) if not generated & set(path.parents)]


def part(module: str) -> str:
    """'wm_planner.rigs.tasks.reach' -> 'rigs'; the package itself -> ''."""
    return (module.split(".") + [""])[1]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def imports_of(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported, at any depth and for type checking too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*above, node.module or ""]).strip(".") if node.level else node.module
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def tier(name: str) -> int:
    return next(number for number, (names, _) in enumerate(TIERS) if name in names)


def objection(importer: str, imported: str) -> str | None:
    """Why this import is not allowed, or None. Both are full module names."""
    here = part(importer)
    top = imported.split(".")[0]
    if top != "wm_planner":
        messages = top.endswith(("_msgs", "_srvs", "_interfaces"))
        places = ("nodes",) if messages else ONLY_IN.get(top, (here,))
        return None if here in places else f"{top} belongs in {' and '.join(places)} alone"
    there = part(imported)
    if there in INTERFACES:
        return None if here == "nodes" else "ROS messages belong in nodes alone"
    if there == here or (here, there) in ONE_WAY:
        return None
    if here == "":
        return "wm_planner/__init__.py imports nothing of the package"
    if tier(there) == tier(here):
        return None if TIERS[tier(here)][1] else f"{there} is beside {here} in the tiers"
    return f"{there} is above {here} in the tiers" if tier(there) > tier(here) else None


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    importer = name_of(path)
    package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
    assert part(importer) in PARTS, f"{part(importer)} has no tier: give it one in {__file__}"
    problems = []
    for line, imported in imports_of(path.read_text(), package):
        inside = imported.startswith("wm_planner.")
        if inside and part(imported) not in PARTS | INTERFACES:
            problems.append(f"{path.name}:{line}: {imported} has no tier")
        elif reason := objection(importer, imported):
            problems.append(f"{path.name}:{line}: imports {imported}: {reason}")
    assert not problems, "\n".join(problems)


def test_the_rules_object_where_they_should() -> None:
    allowed = [
        ("wm_planner.planner", "wm_planner.filters.filter"),
        ("wm_planner.rigs.mujoco_rig", "mujoco"),
        ("wm_planner.filters.dtw.alignment", "tslearn.metrics"),
        ("wm_planner.video_pipeline", "torch"),
        ("wm_planner.replay.bag", "wm_planner.datasets.episode"),
        ("wm_planner.nodes.planner_node", "sensor_msgs.msg"),
        ("wm_planner.nodes.planner_node", "wm_planner.msg.Plan"),
    ]
    refused = [
        ("wm_planner.types", "wm_planner.actions", "above"),
        ("wm_planner.scorers.scorer", "wm_planner.world_models.world_model", "beside"),
        ("wm_planner.datasets.episode", "wm_planner.replay.bag", "beside"),
        ("wm_planner.training.train", "wm_planner.datasets.episode", "beside"),
        ("wm_planner.planner", "rclpy", "nodes alone"),
        ("wm_planner.planner", "trajectory_msgs.msg", "nodes alone"),
        ("wm_planner.commands.train", "torch.nn", "training and video_pipeline alone"),
        ("wm_planner.world_models.video", "diffusers", "training and video_pipeline alone"),
        ("wm_planner.bundle", "onnxruntime", "onnx_session alone"),
        ("wm_planner.planner", "tslearn.metrics", "filters and open_loop alone"),
        ("wm_planner", "wm_planner.types", "nothing of the package"),
    ]
    for importer, imported in allowed:
        assert objection(importer, imported) is None
    for importer, imported, reason in refused:
        assert reason in (objection(importer, imported) or "")


def test_relative_imports_are_resolved() -> None:
    source = "from . import filter\nfrom ..rigs import rig\nif 1:\n    import torch.nn"
    assert list(imports_of(source, "wm_planner.filters")) == [
        (1, "wm_planner.filters.filter"),
        (2, "wm_planner.rigs.rig"),
        (4, "torch.nn"),
    ]


def test_importing_the_package_needs_numpy_alone() -> None:
    program = (
        "import sys; before = set(sys.modules); import wm_planner;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    outside = set(run.stdout.split()) - set(sys.stdlib_module_names) - {"wm_planner", "numpy"}
    assert not outside
