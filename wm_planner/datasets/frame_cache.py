"""All frames of one camera as one array on disk: decoded once, then mapped into memory."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from wm_planner.datasets.atomic_file import renamed
from wm_planner.datasets.video import read_video

logger = logging.getLogger(__name__)


def cached_frames(
    folder: Path,
    name: str,
    videos: Sequence[tuple[Path, int]],
    image_size: tuple[int, int],
    workers: int | None = None,
) -> np.ndarray:
    """Decodes videos one after the other into one array, or opens what was decoded before.

    The file's name holds a hash of the videos' content, so it is made anew when they change;
    files made of other content are removed.

    Args:
        folder: Where to keep the file.
        name: Its name without hash and ending.
        videos: Each file and how many frames it holds.
        image_size: Height and width, [px].
        workers: Videos decoded at a time; None for as many as there are cores.

    Returns:
        Shape (F, h, w, 3) uint8 RGB, read-only, mapped from disk.
    """
    digest = hashlib.sha256(repr(image_size).encode())
    for path, _ in videos:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    cache = folder / f"{name}-{digest.hexdigest()[:16]}.npy"
    if not cache.exists():
        ends = np.cumsum([count for _, count in videos])
        logger.info("decoding %d frames of %s", ends[-1], name)
        for old in folder.glob(f"{name}-{'?' * 16}.npy"):
            old.unlink()
        with renamed(cache) as partial:
            shape = (int(ends[-1]), *image_size, 3)
            array = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
            # Threads are enough: the decoder works outside of the interpreter's lock.
            with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
                parts = [
                    array[end - count : end] for end, (_, count) in zip(ends, videos, strict=True)
                ]
                for _ in pool.map(read_video, [path for path, _ in videos], parts):
                    pass
            array.flush()
    return np.load(cache, mmap_mode="r")
