"""Figures in a model card: a section between two marks that a program may replace."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from wm_planner.bundle.folder import CARD_FILE, Bundle, write_bundle
from wm_planner.errors import BundleError

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def with_figures(card: str, figures: str) -> str:
    """Return a model card with other figures between the marks.

    Args:
        card: Markdown. Without the marks, a section with them is added at its end.
        figures: Markdown.
    """
    section = f"{BEGIN}\n{figures.strip()}\n{END}"
    if BEGIN not in card and END not in card:
        return f"{card.rstrip()}\n\n## Figures on held-out episodes\n\n{section}\n"
    if card.count(BEGIN) != 1 or card.count(END) != 1 or card.index(END) < card.index(BEGIN):
        raise BundleError(f"{CARD_FILE}: expected {BEGIN!r} once and then {END!r} once")
    head, _, rest = card.partition(BEGIN)
    return head + section + rest.partition(END)[2]


def read_card(bundle: Bundle) -> str:
    """Return a bundle's model card."""
    return (bundle.folder / CARD_FILE).read_text(encoding="utf-8")


def write_figures(bundle: Bundle, figures: str, evaluation: Mapping[str, Any]) -> None:
    """Put figures into a bundle's card and manifest; its hash stays as it is.

    Args:
        bundle: as loaded.
        figures: Markdown for the card.
        evaluation: the same for `bundle.json`.
    """
    manifest = dataclasses.replace(bundle.manifest, evaluation=evaluation)
    write_bundle(bundle.folder, manifest, bundle.graphs, with_figures(read_card(bundle), figures))
