"""Whether a world model, an inverse dynamics model and a rig belong together."""

from __future__ import annotations

from collections.abc import Mapping

from wm_planner.bundle.manifest import Manifest
from wm_planner.errors import BundleError

ASPECT_TOLERANCE = 0.02  # as `images.fit`: more stretching would move every hand


def mismatches(
    world_model: Manifest,
    inverse_dynamics: Manifest,
    rig: str,
    cameras: Mapping[str, tuple[int, int]],
) -> list[str]:
    """Return a sentence with both values for every field that does not fit; empty when all do.

    Args:
        world_model: its manifest.
        inverse_dynamics: its manifest.
        rig: name of the rig.
        cameras: height and width of the rig's images by camera name, px.
    """
    found = []
    for label, model in (("world model", world_model), ("inverse dynamics", inverse_dynamics)):
        if model.rig != rig:
            found.append(f"rig: {label} is for {model.rig!r}, the rig is {rig!r}")
    pairs: list[tuple[str, object, object]] = [("dt_s", world_model.dt_s, inverse_dynamics.dt_s)]
    if inverse_dynamics.reads_images:  # of whatever world model decodes such images
        pairs.append(("cameras", _sizes(world_model), _sizes(inverse_dynamics)))
    else:
        ours, theirs = world_model.latent_shape, inverse_dynamics.latent_shape
        pairs += [
            ("latent_shape", list(ours), list(theirs)),
            ("encoder_hash", world_model.graph_hash("encoder"), inverse_dynamics.encoder_hash),
        ]
    for field, its, other in pairs:
        if its != other:
            found.append(f"{field}: world model has {its}, inverse dynamics has {other}")
    for camera, wanted in world_model.cameras.items():
        if camera not in cameras:
            known = ", ".join(sorted(cameras)) or "none"
            found.append(f"cameras: world model needs {camera!r}, the rig has {known}")
            continue
        height, width = cameras[camera]
        stretch = abs(wanted.width * height - wanted.height * width)
        if stretch > ASPECT_TOLERANCE * wanted.width * height:
            found.append(
                f"cameras.{camera}: world model wants {wanted.height}x{wanted.width}, "
                f"the rig has {height}x{width}, another aspect ratio"
            )
    return found


def pair(
    world_model: Manifest,
    inverse_dynamics: Manifest,
    rig: str,
    cameras: Mapping[str, tuple[int, int]],
) -> None:
    """Raise BundleError naming every field that does not fit; arguments as `mismatches`."""
    found = mismatches(world_model, inverse_dynamics, rig, cameras)
    if found:
        raise BundleError("Models and rig do not fit: " + "; ".join(found))


def _sizes(model: Manifest) -> str:
    return ", ".join(f"{name} {c.height}x{c.width}" for name, c in model.cameras.items()) or "none"
