"""The models that come with the package."""

from __future__ import annotations

import pytest

from wm_planner.bundle import INVERSE_DYNAMICS, WORLD_MODEL, load_bundle, mismatches
from wm_planner.bundle.card import BEGIN, END, read_card
from wm_planner.robot.rig_description import find_rig
from wm_planner.share_folder import share_folder

PAIRS = sorted(path.parent for path in share_folder().glob(f"models/*/{WORLD_MODEL}"))
MOST_BYTES = 40e6  # of all of them: what a clone and a wheel may carry


def test_all_of_them_together_are_small():
    assert len(PAIRS) >= 2
    files = [file for pair in PAIRS for file in pair.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MOST_BYTES


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_they_fit_each_other_and_their_cards_say_what_they_were_made_of(pair):
    bundles = [load_bundle(pair / kind, kind) for kind in (WORLD_MODEL, INVERSE_DYNAMICS)]
    world_model, inverse = (bundle.manifest for bundle in bundles)
    cameras = {name: (size.height, size.width) for name, size in world_model.cameras.items()}
    assert not mismatches(world_model, inverse, find_rig(pair.name).name, cameras)
    for bundle in bundles:
        manifest, card = bundle.manifest, read_card(bundle)
        training = manifest.training
        assert manifest.licence
        assert f"{training['data']['episodes']} " in card
        assert training["machine"] in card and training["commit"][:12] in card
        for stage, seconds in training["seconds"].items():
            assert f"- {stage}: {seconds} s" in card
        table = card[card.index(BEGIN) : card.index(END)]
        assert "PSNR, free dream" in table and "last frame copied" in table
        assert manifest.evaluation["figures"]
