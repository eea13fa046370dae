"""A finished training run as two bundles with model cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wm_planner.bundle.card import BEGIN, END
from wm_planner.training.evaluation import evaluate
from wm_planner.training.export import (
    TOLERANCE,
    BundleFacts,
    export_inverse_dynamics,
    export_world_model,
)
from wm_planner.training.networks.autoencoder import Autoencoder
from wm_planner.training.networks.denoiser import Denoiser
from wm_planner.training.networks.instruction import Instruction
from wm_planner.training.networks.preference import Preference
from wm_planner.training.networks.scene_decoder import SceneDecoder
from wm_planner.training.networks.value import Value
from wm_planner.training.pipeline import Run
from wm_planner.training.source import EpisodeSource

OWN_DATA = "no third-party data"
COLLECTED = (
    "`wm-planner collect`): scripted experts with wandering noise, mistakes and recoveries, "
    "failures, random play."
)
IMPORTED = "`wm-planner import`), recorded by others on a real robot."


def export_run(run: Run, out: Path, held_out: EpisodeSource | None) -> dict[str, float]:
    """Write ``world_model`` and ``inverse_dynamics`` below ``out``.

    Args:
        run: all stages trained.
        out: folder for the two bundles.
        held_out: episodes of other seeds to measure on; None leaves the figures out of the cards.

    Returns:
        The figures.
    """
    autoencoder, denoiser = run.load("autoencoder"), run.load("denoiser")
    value, inverse = run.load("value"), run.load_inverse_dynamics()
    assert isinstance(autoencoder, Autoencoder) and isinstance(denoiser, Denoiser)
    assert isinstance(value, Value)
    preference, instruction = run.load_if_wanted("preference"), run.load_if_wanted("instruction")
    assert isinstance(preference, Preference | None)
    assert isinstance(instruction, Instruction | None)
    scene_decoder = run.load_if_wanted("scene_decoder")
    assert isinstance(scene_decoder, SceneDecoder | None)
    s = run.settings
    figures = {}
    if held_out is not None:
        figures = evaluate(
            held_out,
            autoencoder,
            denoiser,
            inverse,
            run.vocabulary,
            s.denoising_steps,
            run.hand_renderer(),
            s.outcomes,
        )
    record = json.loads((run.folder / "run.json").read_text())
    training = {
        "data": record["data"],
        "commit": record["commit"],
        "machine": record["machine"],
        "seconds": record.get("seconds", {}),
        "calibration": record.get("calibration", {}),
        "settings": record["settings"],
        **record.get("notes", {}),
    }
    card = _card(run.settings.rig, record, figures)
    facts = BundleFacts(
        name=f"{s.rig} first world model", rig=s.rig, camera=s.camera, dt_s=s.dt_s,
        instructions=tuple(record["instructions"]), vocabulary=run.vocabulary,
        denoising_steps=s.denoising_steps, training=training,
        card="# World model\n\n" + card, evaluation=figures, outcomes=s.outcomes,
    )  # fmt: skip
    world_model = export_world_model(
        out / "world_model", autoencoder, denoiser, value, facts, preference, instruction,
        scene_decoder,
    )  # fmt: skip
    inverse_facts = BundleFacts(
        **{**vars(facts), "name": f"{s.rig} first inverse dynamics",
           "card": "# Inverse dynamics model\n\n" + card}
    )  # fmt: skip
    export_inverse_dynamics(out / "inverse_dynamics", inverse, world_model, inverse_facts)
    return figures


def _card(rig: str, record: dict[str, Any], figures: dict[str, float]) -> str:
    settings, data = record["settings"], record["data"]
    seconds, origins = record.get("seconds", {}), data.get("origins", [])
    lines = [
        f"For the rig `{rig}`, camera `{settings['camera']}`, {1 / settings['dt_s']:g} frames a "
        f"second. Licence Apache-2.0; {'data of others, see below' if origins else OWN_DATA}.",
        "",
        "## What it was trained on",
        f"{data.get('episodes', '?')} {'' if origins else 'simulated '}episodes, "
        f"{data.get('frames', '?')} frames ({IMPORTED if origins else COLLECTED}",
        *(f"- {origin}" for origin in origins),
        *(f"- {key}: {value}" for key, value in sorted(data.items()) if key != "origins"),
        "",
        "## How",
        f"`wm-planner train` at commit {record['commit'][:12]} on {record['machine']}.",
        *(f"- {stage}: {time} s" for stage, time in seconds.items()),
        *(f"- {key}: {value}" for key, value in record.get("notes", {}).items()),
        "",
        *_calibration(record),
        "## Open-loop figures, held-out seeds",
        BEGIN,
        *(["| figure | value |", "|---|---|"] if figures else []),
        *(f"| {name} | {value:.2f} |" for name, value in figures.items()),
        END,
        "",
        "ONNX graphs agree with torch within (absolute): "
        + ", ".join(f"{name} {limit:g}" for name, limit in TOLERANCE.items())
        + ". Weights are stored in half precision, decoders' kernels in 8 bits.",
        "",
        "## Instructions it understands",
        *(f"- {text}" for text in record["instructions"]),
        "",
        "## What it cannot do",
        f"It knows one {'' if origins else 'simulated '}scene from one fixed camera. It was "
        "trained to dream success when asked for it and is optimistic about objects that are "
        "hidden behind a hand.",
    ]
    return "\n".join(lines) + "\n"


def _calibration(record: dict[str, Any]) -> list[str]:
    held = {k: v for stage in record.get("calibration", {}).values() for k, v in stage.items()}
    if not held:
        return []
    lines = [f"- {name}: {share:.1f}%" for name, share in held.items()]
    return ["## Errors within the stated 90% intervals, episodes set aside in training", *lines, ""]
