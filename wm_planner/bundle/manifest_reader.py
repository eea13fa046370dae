"""Reads `bundle.json` strictly: anything unknown, missing or of the wrong type names its field."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_planner import actions
from wm_planner.bundle.manifest import FORMAT_VERSION, GRAPHS, Manifest
from wm_planner.errors import BundleError, UnknownNameError
from wm_planner.types import HANDS

REQUIRED = dataclasses.MISSING


def read_manifest(text: str | bytes, where: str = "bundle.json") -> Manifest:
    """Return the manifest in a text, or raise BundleError naming the field.

    Args:
        text: contents of `bundle.json`.
        where: how errors name the file.
    """
    try:
        data = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: is not JSON: {error}") from error
    if isinstance(data, dict) and data.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
        _fail(where, "format_version", data["format_version"], repr(FORMAT_VERSION))
    manifest: Manifest = _parse(Manifest, data, where)
    _check(manifest, where)
    return manifest


def _check(manifest: Manifest, where: str) -> None:
    if manifest.kind not in GRAPHS:
        raise BundleError(f"{where}: {UnknownNameError('kind of bundle', manifest.kind, GRAPHS)}")
    for graph in GRAPHS[manifest.kind]:
        if graph not in manifest.graphs:
            _fail(where, f"graphs.{graph}", None, f"one of {', '.join(GRAPHS[manifest.kind])}")
    for name, graph_spec in manifest.graphs.items():
        if graph_spec.file not in manifest.files:
            _fail(where, f"graphs.{name}.file", graph_spec.file, "one of the names in files")
    for file in manifest.files:
        if Path(file).name != file or file.startswith(".") or "\0" in file or "\\" in file:
            _fail(where, "files", file, "plain names within the folder")
    action = manifest.action
    for key, got, expected in (
        ("convention", action.convention, actions.CONVENTION),
        ("size", action.size, actions.ACTION_SIZE),
        ("hands", action.hands, HANDS),
    ):
        if got != expected:
            _fail(where, f"action.{key}", got, repr(expected))
    for camera, spec in manifest.cameras.items():
        if spec.encoding != "rgb8":
            _fail(where, f"cameras.{camera}.encoding", spec.encoding, "'rgb8'")
        if min(spec.height, spec.width) < 1:
            _fail(where, f"cameras.{camera}", (spec.height, spec.width), "positive sizes")
    counts = {
        "dt_s": manifest.dt_s,
        "context_frames": manifest.context_frames,
        "horizon": manifest.horizon,
        "latent_shape": min(manifest.latent_shape, default=0),
        "sampler.steps": manifest.sampler.steps,
    }
    for key, value in counts.items():
        if not value > 0:
            _fail(where, key, value, "more than 0")
    signals = manifest.sampler.signals
    rising = all(a < b for a, b in zip((0.0, *signals[1:]), (*signals[1:], 1.0), strict=True))
    if signals and not (len(signals) == manifest.sampler.steps and signals[0] == 0.0 and rising):
        _fail(where, "sampler.signals", signals, "one per step, rising from 0 to below 1")


def _parse(wanted: Any, value: Any, where: str) -> Any:
    """Turn JSON into a type: dataclasses, mappings by name, lists as tuples, plain values."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted):
        return _parse_fields(wanted, value, where)
    if origin in (typing.Mapping, Mapping):
        if isinstance(value, dict):
            return {key: _parse(inner[1], item, f"{where}: {key}") for key, item in value.items()}
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_parse(inner[0], item, where) for item in value)
    elif origin in (types.UnionType, typing.Union):
        if type(value) in inner:
            return value
    elif wanted is Any or type(value) is wanted:
        if not isinstance(value, float) or math.isfinite(value):
            return value
    elif wanted is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    raise BundleError(f"{where}: is {_short(value)}, expected {_describe(wanted)}")


def _parse_fields(wanted: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise BundleError(f"{where}: is {_short(value)}, expected an object")
    fields = {item.name: item for item in dataclasses.fields(wanted)}
    for key in value:
        if key not in fields:
            raise BundleError(f"{where}: {UnknownNameError('field', key, fields)}")
    for key, item in fields.items():
        if key not in value and item.default is REQUIRED and item.default_factory is REQUIRED:
            raise BundleError(f"{where}: {key} is missing")
    hints = typing.get_type_hints(wanted)
    return wanted(**{k: _parse(hints[k], v, f"{where}: {k}") for k, v in value.items()})


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    doubled = sorted({key for key in keys if keys.count(key) > 1})
    if doubled:
        raise ValueError(f"{doubled} stand twice in one object")
    return dict(pairs)


def _fail(where: str, field: str, got: Any, expected: str) -> typing.NoReturn:
    raise BundleError(f"{where}: {field} is {_short(got)}, expected {expected}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _describe(wanted: Any) -> str:
    words = {str: "text", int: "a whole number", float: "a number", tuple: "a list"}
    return words.get(typing.get_origin(wanted) or wanted, "an object")
