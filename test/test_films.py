"""Films and pictures for people: what goes in is what is seen, and nothing is half written."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from wm_planner.errors import DataError
from wm_planner.films import MARGIN, page, write_film, write_picture


def flat(colour, height=24, width=32):
    return np.full((height, width, 3), colour, np.uint8)


def test_that_a_film_shows_its_pages_in_order_at_their_rate(tmp_path):
    pages = [flat(level, 31, 33) for level in (10, 90, 170, 250)]  # odd sizes, which yuv420p lacks
    write_film(tmp_path / "deep" / "a.mp4", iter(pages), 5)
    with av.open(str(tmp_path / "deep" / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 5
        assert stream.codec_context.pix_fmt == "yuv420p"  # what browsers play
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == 4
    for frame, shown in zip(frames, pages, strict=True):
        assert np.abs(frame[:31, :33].astype(int) - shown).max() < 8
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.mp4"]


def test_that_a_film_without_pages_is_refused(tmp_path):
    with pytest.raises(DataError, match="no frames to write"):
        write_film(tmp_path / "a.mp4", [], 5)
    assert not (tmp_path / "a.mp4").exists()


def test_that_every_picture_of_a_page_is_where_its_row_and_column_are():
    rows = [[flat((60 * r + 20, 60 * c + 20, 0)) for c in range(3)] for r in range(2)]
    laid = page(rows, ("a", "b", "c"), ("first", "second"), ("what",), scale=2)
    height, width = 2 * 24, 2 * 32
    for r in range(2):
        for c in range(3):
            y = laid.shape[0] - (2 - r) * (height + MARGIN)
            x = laid.shape[1] - (3 - c) * (width + MARGIN)
            cell = laid[y : y + height, x : x + width]
            np.testing.assert_array_equal(cell, np.broadcast_to(rows[r][c][0, 0], cell.shape))
    plain = page(rows)
    assert plain.shape[0] < laid.shape[0] and plain.shape[1] < laid.shape[1]


def test_that_words_change_a_page_and_not_its_size():
    pages = [page([[flat(0)] * 4], ("l", "m", "n", "o"), (), (text,)) for text in ("one", "two")]
    assert pages[0].shape == pages[1].shape
    assert not np.array_equal(*pages)


def test_that_a_picture_comes_back(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
