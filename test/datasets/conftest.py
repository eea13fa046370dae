"""Lets the tests of this folder import `episodes`, in this process and in those they start."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
