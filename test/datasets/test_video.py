import av
import numpy as np
import pytest
from episodes import HEIGHT, WIDTH, make_images

from wm_planner.datasets.video import GOP, read_video, write_video
from wm_planner.errors import DataError


def written(path, clips):
    write_video(path, clips, fps=5)
    out = np.zeros((sum(map(len, clips)), HEIGHT, WIDTH, 3), np.uint8)
    read_video(path, out)
    return out


def psnr(true, coded):
    return 10 * np.log10(255**2 / np.mean((true.astype(float) - coded) ** 2))


def test_that_frames_come_back_in_order_and_above_38_db(tmp_path):
    clips = [make_images(0, 30), make_images(5, 7)]
    out = written(tmp_path / "a.mp4", clips)
    true = np.concatenate(clips)
    assert min(psnr(a, b) for a, b in zip(true, out, strict=True)) > 38
    red = true[..., 0] == 220
    assert psnr(true[red], out[red]) > 34  # a coloured object of 8 pixels keeps its colour


def test_that_colours_have_no_bias(tmp_path):
    colours = np.array([[250, 5, 5], [5, 250, 5], [5, 5, 250], [128, 128, 128], [255, 255, 255]])
    clips = [np.broadcast_to(colour, (3, HEIGHT, WIDTH, 3)).astype(np.uint8) for colour in colours]
    out = written(tmp_path / "a.mp4", clips).astype(int)
    assert np.abs(out - np.repeat(colours, 3, 0)[:, None, None]).max() <= 3


def test_that_each_clip_begins_with_a_key_frame_and_time_stamps_are_exact(tmp_path):
    lengths = [3, 25, 4]
    written(tmp_path / "a.mp4", [make_images(i, length) for i, length in enumerate(lengths)])
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = [(frame.time, frame.key_frame) for frame in container.decode(video=0)]
    assert [time for time, _ in frames] == pytest.approx(np.arange(32) / 5, abs=1e-9)
    keys = [index for index, (_, key) in enumerate(frames) if key]
    assert {0, 3, 28} <= set(keys)
    assert max(np.diff(keys)) <= GOP


def test_that_the_file_depends_on_the_frames_alone(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        written(tmp_path / name, [make_images(1, 20)])
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_that_a_file_with_another_number_of_frames_is_refused(tmp_path):
    write_video(tmp_path / "a.mp4", [make_images(0, 6)], fps=5)
    with pytest.raises(DataError, match="holds 6 frames, the dataset says 4"):
        read_video(tmp_path / "a.mp4", np.zeros((4, HEIGHT, WIDTH, 3), np.uint8))


def test_that_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"a\.mp4: cannot be read as a video"):
        read_video(tmp_path / "a.mp4", np.zeros((4, HEIGHT, WIDTH, 3), np.uint8))
