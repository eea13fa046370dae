"""Where the files that come with the package are: config/, launch/ and models/."""

from __future__ import annotations

from pathlib import Path

from wm_planner.errors import ConfigurationError


def share_folder() -> Path:
    """Folder that holds config/, launch/ and models/.

    The checkout itself when the package is imported from one (an editable install, a test run),
    so that an edited file takes effect at once; otherwise share/wm_planner below the prefix that
    pip or colcon installed into.
    """
    module = Path(__file__).resolve()
    checkout = module.parents[1]
    if (checkout / "package.xml").is_file():
        return checkout
    for prefix in module.parents:
        installed = prefix / "share" / "wm_planner"
        if (installed / "package.xml").is_file():
            return installed
    raise ConfigurationError(
        f"No share/wm_planner with config/ and models/ beside or above {module.parent}: "
        "is the package only partly installed? Install it with pip or colcon."
    )
