"""What `bundle.json` says about a model: what goes in, what comes out, where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wm_planner import actions
from wm_planner.types import HANDS

FORMAT_VERSION = 2  # 2: the denoiser remembers frames by their keys and values
WORLD_MODEL = "world_model"
INVERSE_DYNAMICS = "inverse_dynamics"
BACKBONE = "backbone"  # of an inverse dynamics model that reads images: image to latent
GRAPHS = {
    WORLD_MODEL: ("encoder", "decoder", "denoiser", "value"),
    INVERSE_DYNAMICS: ("inverse_dynamics",),
}
SCENE_DECODER = "scene_decoder"
#: Heads that scorers may look for, and a second decoder; a bundle without them is whole.
OPTIONAL_GRAPHS: dict[str, tuple[str, ...]] = {
    WORLD_MODEL: ("preference", "instruction", SCENE_DECODER),
    INVERSE_DYNAMICS: (),
}
#: Behind a weight's name, that of its factors: int8 times these, which broadcast, is the weight.
SCALE = ".scale"
DESCRIPTIVE = ("name", "training", "evaluation", "licence")  # say nothing about behaviour


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph: sizes, or the letters of free axes, as shape."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class GraphSpec:
    """One ONNX graph.

    Attributes:
        file: its name within the folder.
        inputs: in the graph's order.
        outputs: in the graph's order.
        constants: names of floating point initialisers that were not learned (data statistics,
            frequencies, masks): a control with fresh weights leaves them as they are.
    """

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class CameraSpec:
    """Images of one camera as the model wants them, px; encoding is always "rgb8"."""

    height: int
    width: int
    encoding: str = "rgb8"


@dataclass(frozen=True)
class ActionSpec:
    """Which action codec the model was trained with."""

    convention: str = actions.CONVENTION
    size: int = actions.ACTION_SIZE
    hands: tuple[str, ...] = HANDS


@dataclass(frozen=True)
class SamplerSpec:
    """How dreams are denoised.

    Attributes:
        steps: evaluations of the denoiser.
        noise_scale: standard deviation of the noise it starts from.
        signals: signal levels at which it is evaluated, `steps` of them, rising from 0; empty for
            evenly spaced ones. The last evaluation's answer is the dream.
    """

    steps: int = 4
    noise_scale: float = 1.0
    signals: tuple[float, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """All of `bundle.json`.

    Attributes:
        kind: WORLD_MODEL or INVERSE_DYNAMICS.
        name: for people.
        rig: name of the rig it was trained for.
        cameras: images it looks at, by camera name.
        context_frames: T, observed frames a world model looks at; inverse dynamics: frames of
            the window that slides over a dream.
        horizon: H, frames a world model dreams; 1 for inverse dynamics.
        dt_s: spacing of frames, s.
        latent_shape: of one frame. Inverse dynamics with a backbone: of what that and optical
            flow make of an image.
        graphs: by role.
        files: sha256 of every file but `bundle.json`.
        conditioning: what dreams may be conditioned on: "instruction", "goal_image", "actions",
            "outcome".
        action: codec.
        vocabulary: words an instruction may use, in the order of the network's input.
        instructions: sentences it was trained on, as examples.
        sampler: how it is denoised.
        encoder_hash: inverse dynamics: sha256 of the encoder graph it was trained on; "" where it
            reads images.
        opset: ONNX operator set.
        training: data, commit, steps, seconds, machine.
        evaluation: figures.
        licence: SPDX name.
        format_version: of this file.
    """

    kind: str
    name: str
    rig: str
    cameras: Mapping[str, CameraSpec]
    context_frames: int
    horizon: int
    dt_s: float
    latent_shape: tuple[int, ...]
    graphs: Mapping[str, GraphSpec]
    files: Mapping[str, str] = field(default_factory=dict)
    conditioning: tuple[str, ...] = ()
    action: ActionSpec = ActionSpec()
    vocabulary: tuple[str, ...] = ()
    instructions: tuple[str, ...] = ()
    sampler: SamplerSpec = SamplerSpec()
    encoder_hash: str = ""
    opset: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    format_version: int = FORMAT_VERSION

    @property
    def reads_images(self) -> bool:
        """Whether an inverse dynamics model looks at images, with a backbone of its own."""
        return self.kind == INVERSE_DYNAMICS and BACKBONE in self.graphs

    @property
    def bundle_hash(self) -> str:
        """Identify the behaviour: graphs and how to run them, not the model card or figures."""
        values = {k: v for k, v in asdict(self).items() if k not in DESCRIPTIVE}
        graph_files = {graph.file for graph in self.graphs.values()}
        values["files"] = {k: v for k, v in self.files.items() if k in graph_files}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def graph_hash(self, graph: str) -> str:
        """Return the sha256 of one graph's file."""
        return self.files[self.graphs[graph].file]

    def to_json(self) -> str:
        """Return the text of `bundle.json`."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
