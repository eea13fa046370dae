"""URDFs whose mesh files are not at hand: what can be checked of them without.

Publishers often leave meshes out of a description, or keep them under another licence. Kinematics
does not need them; collisions do, and a rig file must say that it can do without.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from wm_planner.errors import ConfigurationError
from wm_planner.robot.rig_description import RigDescription

logger = logging.getLogger(__name__)


def whole_shapes(rig: RigDescription) -> tuple[str, tuple[str, ...]]:
    """Return the URDF without the collision shapes whose files are missing.

    Returns:
        The URDF's text, and the links that lost a shape.

    Raises:
        ConfigurationError: files are missing, and the rig file does not set `without_meshes`.
    """
    try:
        root = ElementTree.parse(rig.urdf).getroot()
    except ElementTree.ParseError as error:
        raise ConfigurationError(f"{rig.urdf}: cannot be loaded: {error}") from error
    folders = (rig.urdf.parent, *rig.mesh_folders)
    links, files = [], []
    for link in root.iter("link"):
        lost = [shape for shape in link.findall("collision") if _missing(shape, folders)]
        for shape in lost:
            files += _missing(shape, folders)
            link.remove(shape)
        if lost:
            links.append(str(link.get("name")))
    if not files:
        return rig.urdf.read_text(encoding="utf-8"), ()
    if not rig.without_meshes:
        raise ConfigurationError(
            f"{rig.urdf}: {len(files)} mesh files are missing, the first is {files[0]}; give the "
            "folder that they are in as mesh_folders, or set without_meshes: true in the rig "
            "file to leave their links unchecked for collisions"
        )
    logger.warning(
        "rig %s: mesh files are missing, so collisions of these %d links are NOT checked: %s",
        *(rig.name, len(links), ", ".join(links)),
    )
    return ElementTree.tostring(root, encoding="unicode"), tuple(links)


def _missing(shape: ElementTree.Element, folders: Sequence[Path]) -> list[str]:
    """Return the mesh files of one shape that are nowhere."""
    names = [mesh.get("filename", "") for mesh in shape.iter("mesh")]
    paths = [name.partition("://")[2] or name for name in names]
    return [
        name
        for name, path in zip(names, paths, strict=True)
        if not any((folder / path).exists() for folder in folders)
    ]
