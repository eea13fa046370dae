"""Where the recordings of a real humanoid are: beside the checkout, for whoever has them."""

from __future__ import annotations

from pathlib import Path

import pytest


def humanoid_data() -> Path:
    """The folder; skips the test where there is none."""
    for above in Path(__file__).resolve().parents:
        folder = above / "shared" / "data" / "g1_humanoid"
        if folder.is_dir():
            return folder
    pytest.skip("no recordings of the humanoid in shared/data/g1_humanoid above the checkout")
