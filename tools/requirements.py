"""Prints the requirements of pyproject.toml: `requirements.py build|run|<extra>...`, one a line."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib


def main(names: list[str]) -> None:
    """Prints the union over the names: build (to build with), run (to use), or an extra."""
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    lists = {
        **pyproject["project"]["optional-dependencies"],
        "build": pyproject["build-system"]["requires"],
        "run": pyproject["project"]["dependencies"],
    }
    print(*dict.fromkeys(line for name in names for line in lists[name]), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
