"""Message types for reading and writing bags without ROS: Jazzy's own and this package's."""

from __future__ import annotations

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from wm_planner.share_folder import share_folder


def bag_types() -> Typestore:
    """Return the types of ROS 2 Jazzy and of this package."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for path in sorted((share_folder() / "msg").glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(), f"wm_planner/msg/{path.stem}"))
    store.register(types)
    return store
