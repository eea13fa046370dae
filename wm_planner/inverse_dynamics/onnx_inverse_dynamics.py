"""An inverse dynamics model in one ONNX graph: a window of frames to the commands between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wm_planner import actions
from wm_planner.actions import ACTION_SIZE
from wm_planner.bundle import BACKBONE, INVERSE_DYNAMICS, Bundle
from wm_planner.errors import BundleError, DataError, ShapeError
from wm_planner.inverse_dynamics.anchoring import anchor_targets
from wm_planner.inverse_dynamics.chain_variance import chain_variance
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics, InverseDynamicsSpec
from wm_planner.inverse_dynamics.optical_flow import flow_from_before, flow_size
from wm_planner.inverse_dynamics.sliding_windows import cut_windows, lay_out, mean_said, merge
from wm_planner.onnx_session import OnnxSession, OnnxSettings
from wm_planner.settings import setting
from wm_planner.types import ActionChunks, HandPoses

LOG_VARIANCE_RANGE = (-20.0, 10.0)  # exp of it stays finite in float32
DT_TOLERANCE = 0.01  # relative
BATCH = 128  # images at a time


@dataclass(frozen=True)
class OnnxInverseDynamicsSettings:
    """How sure the model has to make itself."""

    draws: int = setting(
        1, minimum=1, maximum=32, help="Answers to average, each to slightly noisy frames."
    )
    flow_draws: int = setting(
        16, minimum=2, maximum=256, help="Commands that a model with a flow draws for each answer."
    )
    latent_noise: float = setting(
        0.05,
        minimum=0.0,
        maximum=1.0,
        help="Deviation of that noise; latents have 1.",
    )
    anchor: float = setting(
        0.0, minimum=0.0, maximum=1.0,
        help="Share of what the hands are misread by on the observed frame to take off targets.",
    )  # fmt: skip
    anchor_width: float = setting(
        0.0, minimum=0.0, maximum=1.0,
        help="The same of grippers' widths, which what is held or missed changes.",
    )  # fmt: skip

    @property
    def anchors(self) -> bool:
        """Whether anything is taken off."""
        return self.anchor > 0 or self.anchor_width > 0


class OnnxInverseDynamics(InverseDynamics):
    """Runs an inverse dynamics bundle.

    Windows of the model's length slide over the frames one by one; what they say about the same
    pair of frames is averaged by inverse variance, and so are several draws of noise.

    A model that reads images has a second graph, its backbone, which looks at each image once. Its
    features, and optical flow where the model wants it, are then what windows consist of.

    The graph answers with *absolute* targets; the chain of actions starts at the measured pose.
    Summing what the hands moved in dreamed frames would add up the errors instead. What they are
    misread by on the observed frame is known, and may be taken off all targets (`anchor`,
    `anchor_width`).
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: OnnxInverseDynamicsSettings | None = None,
        onnx: OnnxSettings | None = None,
    ) -> None:
        """Load the graph.

        Args:
            bundle: verified, of kind INVERSE_DYNAMICS.
            settings: None for the defaults.
            onnx: where the graph runs, None for the defaults.
        """
        manifest = bundle.manifest
        if manifest.kind != INVERSE_DYNAMICS:
            raise BundleError(f"{bundle.folder}: is a {manifest.kind}, expected inverse_dynamics")
        self.settings = settings or OnnxInverseDynamicsSettings()
        if manifest.reads_images and len(manifest.cameras) != 1:
            cameras = ", ".join(manifest.cameras) or "none"
            raise BundleError(f"{bundle.folder}: reads images of {cameras}, expected one camera")
        self.spec = InverseDynamicsSpec.of_bundle(bundle)
        self._backbone, self._motion = None, 0
        if manifest.reads_images:
            self._backbone = OnnxSession(
                BACKBONE, bundle.graphs[BACKBONE], manifest.graphs[BACKBONE], onnx
            )
            self._motion = _motion(bundle)
        name = "inverse_dynamics"
        self._graph = OnnxSession(name, bundle.graphs[name], manifest.graphs[name], onnx)
        self._window = manifest.context_frames
        # Models of two frames used to answer for one pair, without an axis for more of them.
        self._inputs = {tensor.name for tensor in manifest.graphs[name].inputs}
        self._one_pair = "pair" in self._inputs
        self._folder = bundle.folder
        self._tells_pose = "pose" in {tensor.name for tensor in manifest.graphs[name].outputs}
        self.check(self.settings)
        if self._window < 2 or (self._one_pair and self._window > 2):
            raise BundleError(f"{bundle.folder}: context_frames is {self._window}, its window")

    def check(self, settings: OnnxInverseDynamicsSettings) -> None:
        """Refuse an anchor where the graph does not tell what hands are misread by."""
        if settings.anchors and not self._tells_pose:
            raise BundleError(f"{self._folder}: its graph has no output pose, which anchor needs")

    def invert(
        self,
        frames: np.ndarray,
        measured: HandPoses,
        dt: float,
        start_ns: int,
        bundle_hash: str,
        generator: np.random.Generator | None = None,
        dreamed: bool = True,
    ) -> ActionChunks:
        """Return the chain of actions that leads through the frames."""
        one_frame, what = self.spec.frame_shape, "images" if self.spec.reads_images else "latents"
        if frames.ndim < 2 or frames.shape[1] < 2 or frames.shape[2:] != one_frame:
            raise ShapeError(f"{what} have shape {frames.shape}, expected (K, H + 1, {one_frame})")
        if not np.isclose(dt, self.spec.dt, DT_TOLERANCE):
            raise DataError(f"frames are {dt} s apart, inverse dynamics needs {self.spec.dt} s")
        draws = 1 if generator is None else self.settings.draws
        latents = self._look(frames)
        answers = [self._answer(latents, generator, draws > 1, dreamed) for _ in range(draws)]
        packed, variance, correlation, said, read = (
            np.concatenate(parts) for parts in zip(*answers, strict=True)
        )
        packed, variance = merge(packed, variance, said)
        correlation = mean_said(correlation, said)
        targets, shares = actions.unpack(packed), (self.settings.anchor, self.settings.anchor_width)
        if self.settings.anchors:
            at_first = actions.unpack(actions.average(read))
            targets = anchor_targets(targets, at_first, measured, *shares)
        targets = replace(targets, width=np.maximum(targets.width, 0.0))  # not below zero
        return ActionChunks(
            actions=actions.difference(measured, targets),
            variance=chain_variance(measured, targets, variance, correlation, *shares),
            dt=dt,
            start_ns=start_ns,
            bundle_hash=bundle_hash,
        )

    def _look(self, frames: np.ndarray) -> np.ndarray:
        """Return what windows consist of, (K, F, *latent_shape): latents as they are."""
        if self._backbone is None:
            return frames
        images = frames.astype(np.uint8)  # exact: through a service they travel as floats
        flat = images.reshape(-1, *self.spec.frame_shape)
        parts = [
            self._backbone.run(image=flat[at : at + BATCH])["latent"]
            for at in range(0, len(flat), BATCH)
        ]
        features = np.concatenate(parts).reshape(*images.shape[:2], *parts[0].shape[1:])
        if not self._motion:
            return features
        return np.concatenate([features, flow_from_before(images)[:, :, None]], axis=-1)

    def _answer(
        self, latents: np.ndarray, generator: np.random.Generator | None, noisy: bool, dreamed: bool
    ) -> tuple[np.ndarray, ...]:
        """Return what the S windows say, laid out along the sequence.

        Returns:
            Packed targets, their variance and the correlation of each one's error with that of
            the one before, all (S, K, H, 20); which windows say something, (S, H); and the packed
            pose at the first frame, which one window alone looks at, (1, K, 20).
        """
        frames, steps = np.asarray(latents, np.float32), latents.shape[1] - 1
        if generator is not None and noisy:
            noise = generator.standard_normal(frames.shape, np.float32)
            frames = frames + np.float32(self.settings.latent_noise) * noise
        windows = cut_windows(frames, self._window)  # (S, K, W, *latent_shape)
        lead = (*windows.shape[:2], self._window - 1)
        name = "pair" if self._one_pair else "frames"
        inputs = {name: windows.reshape(-1, *windows.shape[2:])}
        if "dreamed" in self._inputs:
            inputs["dreamed"] = np.full(len(inputs[name]), dreamed, np.float32)
        if "noise" in self._inputs:
            drawing = generator or np.random.default_rng(0)
            shape = (len(inputs[name]), self.settings.flow_draws, self._window - 1, ACTION_SIZE)
            inputs["noise"] = drawing.standard_normal(shape, np.float32)
        answer = self._graph.run(**inputs)
        log_variance = np.clip(answer["log_variance"].astype(np.float64), *LOG_VARIANCE_RANGE)
        packed, said = lay_out(answer["command"].reshape(*lead, -1), steps)
        variance, _ = lay_out(np.exp(log_variance).reshape(*lead, -1), steps)
        shared = answer.get("correlation", np.zeros_like(answer["command"]))
        correlation, _ = lay_out(shared.reshape(*lead, -1), steps)
        read = answer.get("pose", np.zeros_like(answer["command"])).reshape(*lead, -1)[:1, :, 0]
        return packed, variance, correlation, said, read


def _motion(bundle: Bundle) -> int:
    """Return how many numbers of optical flow the model wants behind an image's features."""
    manifest = bundle.manifest
    ((_, size),) = manifest.cameras.items()
    features = manifest.graphs[BACKBONE].outputs[0].shape[-1]
    more = manifest.latent_shape[-1] - int(features)
    if more not in (0, flow_size(size.height, size.width)):
        raise BundleError(
            f"{bundle.folder}: latent_shape is {manifest.latent_shape}, its backbone makes "
            f"{features} features of {size.height}x{size.width} px, and optical flow "
            f"{flow_size(size.height, size.width)}"
        )
    return more
