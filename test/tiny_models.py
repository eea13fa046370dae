"""Models small enough to be understood: a world in which the arms' poses *are* the picture.

The picture holds the packed poses of both hands, two bytes each, so that the encoder can be a
matrix; dreams approach the pose that a word stands for (or the goal picture's); inverse dynamics
reads the pose back. Everything is exact enough to close a loop with, and built without torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from wm_planner.bundle import (
    BACKBONE,
    INVERSE_DYNAMICS,
    SCENE_DECODER,
    WORLD_MODEL,
    CameraSpec,
    GraphSpec,
    Manifest,
    SamplerSpec,
    load_bundle,
    write_bundle,
)
from wm_planner.onnx_session import describe_graph

HEIGHT, WIDTH, HORIZON, CONTEXT, DT = 6, 8, 5, 2, 0.2
LATENT = (2, 10)
WORDS = ("home", "lift")
INSTRUCTIONS = ("go home", "lift both hands")
RIG = "simulated_bimanual"
PIXELS = HEIGHT * WIDTH * 3
SCALE, OFFSET = 4.0 / 65535.0, -2.0  # 16 bits over -2..2


def picture(packed: np.ndarray) -> np.ndarray:
    """Draw packed poses (..., 20) into images (..., 6, 8, 3) uint8."""
    code = np.clip(np.round((packed - OFFSET) / SCALE), 0, 65535).astype(np.int64)
    bytes_ = np.stack([code // 256, code % 256], axis=-1).reshape(*code.shape[:-1], 40)
    image = np.zeros((*code.shape[:-1], PIXELS), np.uint8)
    image[..., :40] = bytes_
    return image.reshape(*code.shape[:-1], HEIGHT, WIDTH, 3)


def write_tiny_bundles(
    folder: Path, targets: np.ndarray, speed: float = 0.2, noise: float = 1e-3, rig: str = RIG,
    pixels: bool = False,
) -> tuple[Path, Path]:  # fmt: skip
    """Write a world model and an inverse dynamics bundle.

    Args:
        folder: where.
        targets: packed poses that the words stand for, shape (2, 20).
        speed: share of the way that a dream goes per step.
        noise: how much of the noise stays in the dreams.
        rig: name of the rig.
        pixels: whether inverse dynamics reads images; its backbone then is the encoder.

    Returns:
        Folders of the world model and of the inverse dynamics model.
    """
    sources = world_model_graphs(targets, speed, noise)
    graphs = {name: build_graph(*source) for name, source in sources.items()}
    manifest = Manifest(
        kind=WORLD_MODEL,
        name="tiny",
        rig=rig,
        cameras={"head": CameraSpec(HEIGHT, WIDTH)},
        context_frames=CONTEXT,
        horizon=HORIZON,
        dt_s=DT,
        latent_shape=LATENT,
        graphs={n: describe_graph(f"{n}.onnx", g) for n, g in graphs.items()},
        conditioning=("instruction", "goal_image", "actions", "outcome"),
        vocabulary=WORDS,
        instructions=INSTRUCTIONS,
        sampler=SamplerSpec(steps=3),
        opset=17,
    )
    world_model = write_bundle(folder / "world_model", manifest, graphs, "# Tiny\n")
    name = "inverse_dynamics"
    inverse = {name: build_graph(*inverse_dynamics_graph())}
    if pixels:
        inverse[BACKBONE] = graphs["encoder"]
    spec: dict[str, GraphSpec] = {n: describe_graph(f"{n}.onnx", g) for n, g in inverse.items()}
    encoder_hash = "" if pixels else _hash_of(world_model / "encoder.onnx")
    manifest = Manifest(
        kind=INVERSE_DYNAMICS,
        name="tiny",
        rig=rig,
        cameras={"head": CameraSpec(HEIGHT, WIDTH)},
        context_frames=2,
        horizon=1,
        dt_s=DT,
        latent_shape=LATENT,
        graphs=spec,
        encoder_hash=encoder_hash,
        opset=17,
    )
    return world_model, write_bundle(folder / name, manifest, inverse, "# Tiny\n")


def add_scene_decoder(folder: Path, graph: tuple[str, dict[str, np.ndarray]] | None = None) -> Path:
    """Give a tiny world model a second decoder; what holds no poses it takes from the scene."""
    old = load_bundle(folder, WORLD_MODEL)
    data = build_graph(*(graph or scene_decoder_graph()))
    spec = describe_graph(f"{SCENE_DECODER}.onnx", data)
    manifest = dataclasses.replace(
        old.manifest, graphs={**old.manifest.graphs, SCENE_DECODER: spec}
    )
    return write_bundle(folder, manifest, {**old.graphs, SCENE_DECODER: data}, "# Tiny\n")


def scene_decoder_graph() -> tuple[str, dict[str, np.ndarray]]:
    text, weights = world_model_graphs(np.zeros((2, 20)), 0.0, 0.0)["decoder"]
    inputs = (
        f"scene_decoder (float[N,2,10] latent, uint8[S,{HEIGHT},{WIDTH},3] scene, "
        "float[S,2,10] scene_latent, int64[N] row)"
    )
    text = text.replace("decoder (float[N,2,10] latent)", inputs).replace(
        "padded = Pad(line, pads)",
        """flat_scene = Reshape(scene, flat_pixels)
                seen = Gather(flat_scene, row)
                rest = Slice(seen, begin, end, second_axis)
                rest_levels = Cast<to=1>(rest)
                padded = Concat<axis=1>(line, rest_levels)""",
    )
    del weights["pads"]
    return text, {
        **weights, "flat_pixels": np.array([-1, PIXELS]), "begin": np.array([40]),
        "end": np.array([PIXELS]), "second_axis": np.array([1]),
    }  # fmt: skip


def build_graph(text: str, weights: dict[str, np.ndarray]) -> bytes:
    """Return an ONNX file from the textual form and its weights."""
    graph = onnx.parser.parse_graph(text)
    for name, value in weights.items():
        array = value if value.dtype == np.int64 else value.astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(array, name))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def world_model_graphs(
    targets: np.ndarray, speed: float, noise: float
) -> dict[str, tuple[str, dict[str, np.ndarray]]]:
    read = np.zeros((PIXELS, 20))
    for i in range(20):
        read[2 * i, i], read[2 * i + 1, i] = 256 * SCALE, SCALE
    progress = 1.0 - (1.0 - speed) ** np.arange(1, HORIZON + 1)
    return {
        "encoder": (
            f"""encoder (uint8[N,{HEIGHT},{WIDTH},3] image) => (float[N,2,10] latent) {{
                pixels = Cast<to=1>(image)
                flat = Reshape(pixels, flat_shape)
                product = MatMul(flat, read)
                sum = Add(product, offset)
                latent = Reshape(sum, latent_shape)
            }}""",
            {
                "flat_shape": np.array([-1, PIXELS]),
                "latent_shape": np.array([-1, 2, 10]),
                "read": read,
                "offset": np.full(20, OFFSET),
            },
        ),
        "decoder": (
            f"""decoder (float[N,2,10] latent) => (uint8[N,{HEIGHT},{WIDTH},3] image) {{
                flat = Reshape(latent, flat_shape)
                shifted = Sub(flat, offset)
                exact = Div(shifted, scale)
                rounded = Round(exact)
                code = Clip(rounded, zero, top)
                ratio = Div(code, base)
                high = Floor(ratio)
                part = Mul(high, base)
                low = Sub(code, part)
                both = Concat<axis=2>(high, low)
                line = Reshape(both, line_shape)
                padded = Pad(line, pads)
                pixels = Reshape(padded, image_shape)
                image = Cast<to=2>(pixels)
            }}""",
            {
                "flat_shape": np.array([-1, 20, 1]),
                "line_shape": np.array([-1, 40]),
                "image_shape": np.array([-1, HEIGHT, WIDTH, 3]),
                "pads": np.array([0, 0, 0, PIXELS - 40]),
                "offset": np.full(1, OFFSET),
                "scale": np.array(SCALE),
                "base": np.array(256.0),
                "zero": np.array(0.0),
                "top": np.array(65535.0),
            },
        ),
        "denoiser": (
            """denoiser (
                float[K,F,2,10] latents, float[K,2,10] newest, float[K,F] signal, float[K,2] words,
                float[K,2,10] goal, float[K,1] goal_given, float[K,F,20] targets,
                float[K,F] targets_given, int64[K] outcome, int64[K] first,
                float[K,1,2,1,P,1] memory
            ) => (float[K,F,2,10] clean, float[K,1,2,1,F,1] own) {
                now = Reshape(newest, one_frame)
                said = MatMul(words, poses)
                shown_all = Reshape(goal, flat)
                shown = Mul(shown_all, goal_given)
                wanted_flat = Add(said, shown)
                wanted = Reshape(wanted_flat, one_frame)
                words_given = ReduceMax<axes=[1], keepdims=1>(words)
                either = Max(words_given, goal_given)
                asked = Reshape(either, per_dream)
                way = Sub(wanted, now)
                asked_way = Mul(way, asked)
                sizes = Shape(signal)
                count = Gather(sizes, second)
                steps = Range(first_step, count, next_step)
                column = Reshape(first, column_shape)
                place = Add(column, steps)
                share_flat = Gather(progress, place)
                share = Unsqueeze(share_flat, last_axis)
                step = Mul(asked_way, share)
                dream = Add(now, step)
                given = Unsqueeze(targets_given, last_axis)
                not_given = Sub(one, given)
                commanded = Mul(targets, given)
                free = Mul(dream, not_given)
                both = Add(commanded, free)
                flat_noisy = Reshape(latents, frames)
                rest = Mul(flat_noisy, noise)
                level = Unsqueeze(signal, last_axis)
                missing = Sub(one, level)
                shake = Mul(rest, missing)
                shaken = Add(both, shake)
                result = Cast<to=1>(outcome)
                result_column = Reshape(result, per_dream)
                nothing = Mul(result_column, zero)
                all = Add(shaken, nothing)
                clean = Reshape(all, latent_frames)
                keys = Unsqueeze(signal, memory_axes)
                own = Concat<axis=2>(keys, keys)
            }""",
            {
                "one_frame": np.array([-1, 1, 20]),
                "flat": np.array([-1, 20]),
                "per_dream": np.array([-1, 1, 1]),
                "frames": np.array([0, 0, 20]),
                "latent_frames": np.array([0, 0, 2, 10]),
                "column_shape": np.array([-1, 1]),
                "second": np.array(1),
                "first_step": np.array(0),
                "next_step": np.array(1),
                "last_axis": np.array([2]),
                "memory_axes": np.array([1, 2, 3, 5]),
                "poses": targets,
                "progress": np.concatenate([np.zeros(CONTEXT), progress]),
                "noise": np.array(noise),
                "one": np.array(1.0),
                "zero": np.array(0.0),
            },
        ),
        "value": (
            """value (float[N,2,10] latent, float[N,2] words) => (float[N] value) {
                flat = Reshape(latent, flat_shape)
                wanted = MatMul(words, poses)
                error = Sub(flat, wanted)
                square = Mul(error, error)
                mean = ReduceMean<axes=[1], keepdims=0>(square)
                value = Neg(mean)
            }""",
            {"flat_shape": np.array([-1, 20]), "poses": targets},
        ),
    }


def inverse_dynamics_graph() -> tuple[str, dict[str, np.ndarray]]:
    return (
        """inverse_dynamics (float[N,2,2,10] pair) => (
            float[N,20] pose, float[N,20] next_pose, float[N,20] command, float[N,20] log_variance
        ) {
            first = Gather<axis=1>(pair, zero_index)
            second = Gather<axis=1>(pair, one_index)
            pose = Reshape(first, flat)
            next_pose = Reshape(second, flat)
            command = Add(next_pose, bias)
            nothing = Mul(command, zero)
            log_variance = Add(nothing, level)
        }""",
        {
            "zero_index": np.array([0]),
            "one_index": np.array([1]),
            "flat": np.array([-1, 20]),
            "bias": np.zeros(20),
            "zero": np.array(0.0),
            "level": np.array(-10.0),
        },
    )


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
