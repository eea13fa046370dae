"""The demo's video: what the camera saw beside what the executed plan had dreamed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wm_planner.commands.demo_report.recording import RecordedPlan, Recording
from wm_planner.films import write_film

PANEL = (384, 512)  # height and width of each picture, px
MARGIN, CAPTION = 12, 56
BACKGROUND, INK, FAINT = (18, 20, 24), (235, 235, 235), (140, 145, 155)
GOOD = (70, 200, 120)


def write_video(
    path: Path,
    recording: Recording,
    decode: Callable[[np.ndarray, np.ndarray | None], np.ndarray],
    instruction: str,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Write an mp4 at the camera's own rate.

    Args:
        path: of the file; written under another name first, then renamed.
        recording: of the run.
        decode: turns latents (N, ...) and the frame that they go on from into pictures
            (N, h, w, 3) uint8: the world model's decoder.
        instruction: shown above the pictures.
        progress: called after every frame.
    """
    dreams = {
        id(plan): decode(plan.dream.astype(np.float32), recording.scene_of(plan))
        for plan in recording.plans
    }
    stamps = np.array([stamp for stamp, _ in recording.frames])
    period_s = float(np.median(np.diff(stamps))) * 1e-9 if len(stamps) > 1 else 0.1
    pages = _pages(recording, dreams, instruction, progress)
    write_film(path, pages, round(1 / max(period_s, 1e-3)))


def _pages(
    recording: Recording,
    dreams: dict[int, np.ndarray],
    instruction: str,
    progress: Callable[[], None],
) -> Iterator[np.ndarray]:
    sent = [plan.sent_ns for plan in recording.plans]
    progress_ns = [stamp for stamp, _ in recording.progress]
    success_ns = [stamp for stamp, _ in recording.success]
    font, small = ImageFont.load_default(20), ImageFont.load_default(15)
    for stamp, picture in recording.frames:
        page = Image.new("RGB", (PANEL[1] * 2 + MARGIN * 3, PANEL[0] + CAPTION * 2), BACKGROUND)
        draw = ImageDraw.Draw(page)
        draw.text((MARGIN, 8), f"“{instruction}”", INK, font)
        seconds = (stamp - recording.start_ns) * 1e-9
        draw.text((MARGIN, 34), f"camera, {seconds:5.1f} s", FAINT, small)
        page.paste(_panel(picture), (MARGIN, CAPTION))
        right = PANEL[1] + 2 * MARGIN
        index = bisect_right(sent, stamp) - 1
        if index >= 0:
            plan = recording.plans[index]
            dream = dreams[id(plan)]
            step = min(max(plan.dream_step(stamp), 0), len(dream) - 1)
            page.paste(_panel(dream[step]), (right, CAPTION))
            draw.text((right, 34), _dream_caption(plan, step, len(dream)), FAINT, small)
        else:
            draw.text((right, 34), "no plan yet", FAINT, small)
        row = PANEL[0] + CAPTION + 10
        reading = _latest(progress_ns, recording.progress, stamp)
        if reading is not None:
            known = np.isfinite(reading.value)
            value = f", value {reading.value:.2f} of {reading.value_limit:.2f}" if known else ""
            text = f"{reading.stage}{value}"
            draw.text((MARGIN, row), text, INK, small)
            share = min(max(float(reading.value), 0.0), 1.0) if np.isfinite(reading.value) else 0.0
            bar = (MARGIN, row + 22, MARGIN + PANEL[1], row + 30)
            draw.rectangle(bar, outline=FAINT)
            draw.rectangle((*bar[:2], MARGIN + round(PANEL[1] * share), bar[3]), GOOD)
        done = _latest(success_ns, recording.success, stamp)
        if done:
            draw.text((right, row), "done, says physics", GOOD, font)
        yield np.asarray(page)
        progress()


def _dream_caption(plan: RecordedPlan, step: int, steps: int) -> str:
    return f"dream {plan.candidate} of plan {plan.plan_id}, step {step + 1} of {steps}"


def _panel(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture).resize(PANEL[::-1], Image.Resampling.BICUBIC)


def _latest(stamps: list[int], series: list, time_ns: int):  # type: ignore[no-untyped-def]
    index = bisect_right(stamps, time_ns) - 1
    return series[index][1] if index >= 0 else None
