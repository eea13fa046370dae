"""Planning by imagination: dream futures, invert them, filter, choose, act a little, look again."""

from __future__ import annotations

import os
import sys
from pkgutil import extend_path

# A checkout on sys.path (pytest from the repository's root) must still find the generated
# wm_planner.msg, .srv and .action of an installed copy.
__path__ = extend_path(__path__, __name__)

# ROS looks for packages under AMENT_PREFIX_PATH. On a pip install that is the environment itself,
# and nothing else sets it; on a normal ROS installation it is set and stays as it is.
if os.path.isdir(os.path.join(sys.prefix, "share", "wm_planner")):
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
