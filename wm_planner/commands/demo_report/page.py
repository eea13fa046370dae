"""The demo's one-page report: everything in one file, readable without a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from wm_planner.commands.demo_report import figures
from wm_planner.commands.demo_report.recording import Recording
from wm_planner.commands.demo_report.rejections import rejections_by_limit

LARGEST_INLINE_VIDEO = 12_000_000  # bytes; a larger one is linked, it lies beside the page

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wm-planner: {{ task }}</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 940px; margin: 2em auto; color: #222;
  padding: 0 16px; }
 h1 { font-size: 1.5em; } h2 { font-size: 1.1em; margin-top: 2em; }
 .verdict { font-weight: 600; color: {{ "#1b7f3b" if success else "#b3261e" }}; }
 video, svg { width: 100%; height: auto; }
 table { border-collapse: collapse; } td, th { padding: .15em 1em .15em 0; text-align: left; }
 td, th { vertical-align: top; } td.text { overflow-wrap: anywhere; }
 td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
 .note { color: #666; } .wide { overflow-x: auto; }
 @media (max-width: 700px) { .wide svg { width: 640px; max-width: none; } }
</style></head><body>
<h1>“{{ instruction or task }}”</h1>
<p class="verdict">{{ "Succeeded" if success else "Did not succeed" }}, as physics judged.
 The planner said: {{ outcome }}, {{ message }}.</p>
<video controls muted loop src="{{ video }}"></video>
<p class="note">Left the camera, right the dream that the executor is following.</p>
<h2>Value</h2>{{ plots.value }}
<h2>Candidates</h2>{{ plots.candidates }}
<p class="note">{{ cycles }} planning cycles, {{ plans }} plans sent. Every dot is one dream, turned
 into actions and scored; a rejected one is never executed. Where no scorer tells them apart, the
 first accepted one is.</p>
<h2>Verdicts by reason</h2>{{ plots.verdicts }}
{% if rejections %}<table><tr><th>over the limit</th><th></th><th>least, and most</th></tr>
{% for row in rejections %}<tr><td>{{ row.reason }}</td><td class="number">{{ row.count }}</td>
<td>{{ row.nearest }}{% if row.furthest != row.nearest %}<br>{{ row.furthest }}{% endif %}</td></tr>
{% endfor %}</table>{% endif %}
<h2>Latency</h2>{{ plots.latency }}
<table><tr><th>stage</th><th class="number">median ms</th><th class="number">95% ms</th></tr>
{% for name, middle, high in latencies %}<tr><td>{{ name }}</td>
<td class="number">{{ "%.1f"|format(middle) }}</td>
<td class="number">{{ "%.1f"|format(high) }}</td></tr>
{% endfor %}</table>
<h2>The run</h2><table>
{% for name, value in facts %}<tr><td>{{ name }}</td><td class="text">{% if value is mapping -%}
<table>{% for part, one in value.items() %}<tr><td>{{ part }}</td>
<td class="text">{{ one }}</td></tr>
{% endfor %}</table>{% else %}{{ value }}{% endif %}</td></tr>
{% endfor %}</table>
</body></html>
"""


def write_page(path: Path, run: Recording, facts: Mapping[str, Any], video: Path) -> None:
    """Write the report; under another name first, then renamed.

    Args:
        path: of the file.
        run: what was recorded.
        facts: what is known about the run, shown as a table; needs task, instruction, success,
            outcome and message.
        video: the mp4, in the same folder.
    """
    plots = {
        "value": figures.value_over_time(run),
        "candidates": figures.candidates_by_plan(run),
        "verdicts": figures.verdicts_by_reason(run),
        "latency": figures.latency_by_stage(run),
    }
    environment = Environment(autoescape=True)
    text = environment.from_string(TEMPLATE).render(
        **{name: facts[name] for name in ("task", "instruction", "success", "outcome", "message")},
        facts=_told(facts),
        plots={name: Markup(f'<div class="wide">{svg}</div>') for name, svg in plots.items()},
        video=_video_source(video),
        cycles=len(run.reports),
        plans=len(run.plans),
        latencies=figures.latency_table(run),
        rejections=rejections_by_limit(run),
    )
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(path)


def _told(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Facts as people read them; latencies have a table of their own."""
    told = []
    for name, value in facts.items():
        words = name.removesuffix("_s").replace("_", " ") + (", s" if name.endswith("_s") else "")
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, Mapping):
            value = dict(value)
        if name != "latency_ms":
            told.append((words, value))
    return told


def _video_source(video: Path) -> str:
    if video.stat().st_size > LARGEST_INLINE_VIDEO:
        return video.name
    return "data:video/mp4;base64," + base64.b64encode(video.read_bytes()).decode()
