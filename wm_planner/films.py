"""Pictures and videos for people to look at: side by side, with words, in files any player opens.

Datasets keep their frames otherwise, see `wm_planner.datasets.video`.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from wm_planner.errors import DataError

BACKGROUND, INK = (18, 20, 24), (235, 235, 235)
MARGIN, LINE, FONT = 6, 18, 13  # px
NAME_WIDTH, NAME_LENGTH = 110, 15  # of the rows' names, px and letters
#: For libx264. Its macroblock tree on AVX-512 gave another file in 1 to 8 of 100 tries.
SAME_EVERY_TIME = "mbtree=0"
CRF = 20


def write_film(path: Path, pages: Iterable[np.ndarray], fps: float) -> None:
    """Write an mp4 under another name, then rename it.

    Args:
        path: of the file; its folder is made.
        pages: pictures (h, w, 3) uint8 RGB, all of one size.
        fps: frames a second.
    """
    import av  # only where a film is really written: importing the package must stay light

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    rate = Fraction(fps).limit_denominator(1000)
    stream, options = None, {"crf": str(CRF), "x264-params": SAME_EVERY_TIME}
    with av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as container:
        for page in pages:
            height, width = page.shape[:2]
            page = np.pad(page, ((0, height % 2), (0, width % 2), (0, 0)))  # halved colour
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options=options)
                stream.height, stream.width, stream.pix_fmt = *page.shape[:2], "yuv420p"
                stream.codec_context.thread_count = 1  # the file depends on the pages alone
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(page), format="rgb24")
            container.mux(stream.encode(frame))
        if stream is None:
            raise DataError(f"no frames to write to {path}")
        container.mux(stream.encode())
    os.replace(partial, path)


def write_picture(path: Path, page: np.ndarray) -> None:
    """Write a png of a picture (h, w, 3) uint8 RGB under another name, then rename it."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    Image.fromarray(page).save(partial, format="png")
    os.replace(partial, path)


def page(
    rows: Sequence[Sequence[np.ndarray]],
    columns: Sequence[str] = (),
    names: Sequence[str] = (),
    captions: Sequence[str] = (),
    scale: int = 1,
) -> np.ndarray:
    """Lay pictures out in a grid.

    Args:
        rows: pictures (h, w, 3) uint8 RGB, all of one size, as many in each row.
        columns: words above the columns.
        names: words to the left of the rows.
        captions: lines above everything.
        scale: pixels a side for every one of the pictures'.

    Returns:
        Shape (height, width, 3), uint8 RGB; it depends on the sizes and numbers alone.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = (scale * size for size in rows[0][0].shape[:2])
    left = MARGIN + (NAME_WIDTH if names else 0)
    top = MARGIN + LINE * (len(captions) + bool(columns))
    size = (left + len(rows[0]) * (width + MARGIN), top + len(rows) * (height + MARGIN))
    image = Image.new("RGB", size, BACKGROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(FONT)
    for number, text in enumerate(captions):
        draw.text((MARGIN, MARGIN + LINE * number), text, INK, font)
    for number, text in enumerate(columns):
        draw.text((left + number * (width + MARGIN), top - LINE), text, INK, font)
    for row, pictures in enumerate(rows):
        y = top + row * (height + MARGIN)
        if names:
            lines = (textwrap.fill(line, NAME_LENGTH) for line in names[row].split("\n"))
            draw.text((MARGIN, y), "\n".join(lines), INK, font)
        for column, picture in enumerate(pictures):
            larger = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
            image.paste(larger, (left + column * (width + MARGIN), y))
    return np.asarray(image)
