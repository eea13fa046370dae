"""An inverse dynamics model in one ONNX graph: two frames to the command that joins them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import actions
from wm_planner.bundle import INVERSE_DYNAMICS, Bundle
from wm_planner.errors import BundleError, DataError, ShapeError
from wm_planner.inverse_dynamics.chain_variance import chain_variance
from wm_planner.inverse_dynamics.inverse_dynamics import InverseDynamics, InverseDynamicsSpec
from wm_planner.onnx_session import OnnxSession, OnnxSettings
from wm_planner.settings import setting
from wm_planner.types import ActionChunks, HandPoses

LOG_VARIANCE_RANGE = (-20.0, 10.0)  # exp of it stays finite in float32
DT_TOLERANCE = 0.01  # relative


@dataclass(frozen=True)
class OnnxInverseDynamicsSettings:
    """How sure the model has to make itself."""

    draws: int = setting(
        1, minimum=1, maximum=32, help="Answers to average, each to slightly noisy latents."
    )
    latent_noise: float = setting(
        0.05, minimum=0.0, maximum=1.0, help="Deviation of that noise, in latent units."
    )


class OnnxInverseDynamics(InverseDynamics):
    """Runs an inverse dynamics bundle.

    The graph answers with *absolute* targets; the chain of actions starts at the measured pose.
    Summing what the hands moved in dreamed frames would add up the errors instead.
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
        self.spec = InverseDynamicsSpec(
            dt=manifest.dt_s,
            latent_shape=manifest.latent_shape,
            encoder_hash=manifest.encoder_hash,
            bundle_hash=bundle.bundle_hash,
        )
        name = "inverse_dynamics"
        self._graph = OnnxSession(name, bundle.graphs[name], manifest.graphs[name], onnx)

    def invert(
        self,
        latents: np.ndarray,
        measured: HandPoses,
        dt: float,
        start_ns: int,
        bundle_hash: str,
        generator: np.random.Generator | None = None,
    ) -> ActionChunks:
        """Return the chain of actions that leads through the frames."""
        one_frame = self.spec.latent_shape
        if latents.ndim < 2 or latents.shape[1] < 2 or latents.shape[2:] != one_frame:
            raise ShapeError(
                f"latents have shape {latents.shape}, expected (K, H + 1, {one_frame})"
            )
        if not np.isclose(dt, self.spec.dt, DT_TOLERANCE):
            raise DataError(f"frames are {dt} s apart, inverse dynamics needs {self.spec.dt} s")
        draws = 1 if generator is None else self.settings.draws
        answers = [self._answer(latents, generator if draws > 1 else None) for _ in range(draws)]
        packed, variance = _merge(*(np.stack(parts) for parts in zip(*answers, strict=True)))
        packed[..., 9::10] = np.maximum(packed[..., 9::10], 0.0)  # grippers do not open below zero
        targets = actions.unpack(packed)
        return ActionChunks(
            actions=actions.difference(measured, targets),
            variance=chain_variance(measured, targets, variance),
            dt=dt,
            start_ns=start_ns,
            bundle_hash=bundle_hash,
        )

    def _answer(
        self, latents: np.ndarray, generator: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return packed targets and their variance, both (K, H, 20)."""
        frames = np.asarray(latents, np.float32)
        if generator is not None:
            noise = generator.standard_normal(frames.shape, np.float32)
            frames = frames + np.float32(self.settings.latent_noise) * noise
        pairs = np.stack([frames[:, :-1], frames[:, 1:]], axis=2)  # (K, H, 2, *latent_shape)
        lead = pairs.shape[:2]
        answer = self._graph.run(pair=pairs.reshape(-1, *pairs.shape[2:]))
        log_variance = np.clip(answer["log_variance"].astype(np.float64), *LOG_VARIANCE_RANGE)
        packed = answer["command"].astype(np.float64)
        return packed.reshape(*lead, -1), np.exp(log_variance).reshape(*lead, -1)


def _merge(packed: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average draws by inverse variance; disagreement between draws adds to the variance.

    Args:
        packed: shape (N, K, H, 20).
        variance: shape (N, K, H, 20).
    """
    weights = 1.0 / variance
    mean = actions.average(packed, weights)
    spread = ((packed - mean) ** 2 * weights).sum(axis=0)
    return mean, (len(packed) + spread) / weights.sum(axis=0)
