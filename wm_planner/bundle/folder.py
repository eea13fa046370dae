"""A model bundle on disk: a folder of ONNX graphs, `bundle.json` and a model card; no code.

Graphs must hold their weights themselves (no external data): they are read once, hashed and run
from those very bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wm_planner.bundle.manifest import Manifest
from wm_planner.bundle.manifest_reader import read_manifest
from wm_planner.errors import BundleError

MANIFEST_FILE = "bundle.json"
CARD_FILE = "README.md"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle.

    Attributes:
        folder: where it was read from.
        manifest: what it says about itself.
        graphs: contents of the ONNX files by role.
    """

    folder: Path
    manifest: Manifest
    graphs: Mapping[str, bytes]

    @property
    def bundle_hash(self) -> str:
        """Identify the model's behaviour."""
        return self.manifest.bundle_hash


def write_bundle(folder: Path, manifest: Manifest, graphs: Mapping[str, bytes], card: str) -> Path:
    """Write a bundle whole or not at all, replacing one that is already there.

    Args:
        folder: where it shall be.
        manifest: everything but `files`, which is filled in here.
        graphs: contents of the ONNX files by role, one for each graph of the manifest.
        card: text of the model card.

    Returns:
        The folder.
    """
    if set(graphs) != set(manifest.graphs):
        raise BundleError(f"got graphs {sorted(graphs)}, manifest has {sorted(manifest.graphs)}")
    contents = {manifest.graphs[name].file: data for name, data in graphs.items()}
    contents[CARD_FILE] = card.encode()
    files = {name: _sha256(data) for name, data in sorted(contents.items())}
    text = dataclasses.replace(manifest, files=files).to_json()
    read_manifest(text, str(folder / MANIFEST_FILE))  # never write what could not be read
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    replaced = folder.with_name(f".{folder.name}.replaced-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for name, data in contents.items():
            (partial / name).write_bytes(data)
        (partial / MANIFEST_FILE).write_text(text, encoding="utf-8")
        if folder.exists():
            os.rename(folder, replaced)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    return folder


def load_bundle(folder: Path, kind: str) -> Bundle:
    """Read a bundle and verify every file's hash.

    Args:
        folder: where it is.
        kind: WORLD_MODEL or INVERSE_DYNAMICS, whichever is expected here.
    """
    path = folder / MANIFEST_FILE
    manifest = read_manifest(_read(path), str(path))
    if manifest.kind != kind:
        raise BundleError(f"{path}: kind is {manifest.kind!r}, expected {kind!r}")
    contents = {}
    for name, expected in manifest.files.items():
        contents[name] = _read(folder / name)
        got = _sha256(contents[name])
        if got != expected:
            raise BundleError(
                f"{folder / name}: sha256 is {got}, {MANIFEST_FILE} says {expected}; "
                "the file is damaged or from another bundle"
            )
    return Bundle(
        folder=folder,
        manifest=manifest,
        graphs={name: contents[graph.file] for name, graph in manifest.graphs.items()},
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
