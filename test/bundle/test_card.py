"""Figures in model cards: replaced between their marks, with hashes that stay valid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_models import write_tiny_bundles

from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle
from wm_planner.bundle.card import BEGIN, END, with_figures, write_figures
from wm_planner.errors import BundleError

CARD = f"# Model\n\n## Figures\n{BEGIN}\n| old | 1 |\n{END}\n\n## Limits\nMany.\n"


def test_what_is_between_the_marks_is_replaced_and_nothing_else():
    card = with_figures(CARD, "| new | 2 |\n")
    assert card == CARD.replace("| old | 1 |", "| new | 2 |")
    assert with_figures(card, "| old | 1 |") == CARD


def test_a_card_without_marks_gets_a_section_once():
    card = with_figures("# Model\n", "| new | 2 |")
    assert card == (f"# Model\n\n## Figures on held-out episodes\n\n{BEGIN}\n| new | 2 |\n{END}\n")
    assert with_figures(card, "| newer | 3 |").count(BEGIN) == 1


@pytest.mark.parametrize("card", [BEGIN, END, f"{END} {BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_marks_that_do_not_pair_are_refused(card):
    with pytest.raises(BundleError, match="once and then"):
        with_figures(card, "| new | 2 |")


def test_writing_figures_changes_neither_behaviour_nor_hash(tmp_path):
    folders = write_tiny_bundles(tmp_path, np.zeros((2, 20)))
    for folder, kind in zip(folders, (WORLD_MODEL, INVERSE_DYNAMICS), strict=True):
        before = load_bundle(folder, kind)
        write_figures(before, "| PSNR | 26.6 |", {"figures": {"PSNR": 26.6}})
        after = load_bundle(folder, kind)  # which verifies the hash of the new card
        assert after.bundle_hash == before.bundle_hash
        assert after.graphs == before.graphs
        assert "| PSNR | 26.6 |" in (folder / "README.md").read_text()
        text = json.loads((folder / "bundle.json").read_text())
        assert text["evaluation"] == {"figures": {"PSNR": 26.6}}
        write_figures(after, "| PSNR | 27.0 |", {})
        card = (folder / "README.md").read_text()
        assert "27.0" in card and "26.6" not in card
