"""A latent video world model in ONNX graphs: encoder, decoder, denoiser and value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner import actions, images
from wm_planner.bundle import GRAPHS, SCENE_DECODER, WORLD_MODEL, Bundle
from wm_planner.errors import BundleError, DataError, ShapeError
from wm_planner.onnx_session import OnnxSession, OnnxSettings
from wm_planner.robot.hand_renderer import HandRenderer
from wm_planner.robot.rig_description import RigDescription, find_rig
from wm_planner.settings import setting
from wm_planner.types import ActionChunks, Goal, HandPoses, ObservationWindow, Restart, Rollouts
from wm_planner.words import word_vector
from wm_planner.world_models.guidance import GIVEN_BY
from wm_planner.world_models.latent_dreamer import LatentDreamer
from wm_planner.world_models.sampler import signal_levels
from wm_planner.world_models.scene_decoder import SceneDecoder
from wm_planner.world_models.world_model import WorldModel, WorldModelSpec

OUTCOME_UNKNOWN, OUTCOME_SUCCESS = 0, 1  # 2 is failure; nobody dreams towards that yet
DT_TOLERANCE = 0.01  # relative


@dataclass(frozen=True)
class OnnxWorldModelSettings:
    """How dreams are drawn."""

    denoising_steps: int = setting(
        0, minimum=0, maximum=100, help="Evaluations per dream; 0 for what the model prefers."
    )
    noise_scale: float = setting(
        0.0, minimum=0.0, maximum=2.0, help="Diversity of dreams; 0 for what the model prefers."
    )
    frame_by_frame: bool = setting(
        False, help="Finish each frame before the next is dreamed: slower, less of one mould."
    )
    guidance_instruction: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="How far dreams follow the instruction; 1 as learned."
    )
    guidance_goal: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="How far dreams follow the goal image; 1 as learned."
    )
    guidance_actions: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="How far simulation follows the actions; 1 as learned."
    )
    guidance_outcome: float = setting(
        1.0, minimum=0.0, maximum=10.0, help="How far dreams lean towards success; 1 as learned."
    )


class OnnxWorldModel(WorldModel):
    """Runs a world model bundle."""

    def __init__(
        self,
        bundle: Bundle,
        settings: OnnxWorldModelSettings | None = None,
        onnx: OnnxSettings | None = None,
        rig: RigDescription | None = None,
    ) -> None:
        """Load the graphs.

        Args:
            bundle: verified, of kind WORLD_MODEL.
            settings: None for the defaults.
            onnx: where the graphs run, None for the defaults.
            rig: the robot, for models that are shown its hands; None finds it by the bundle.
        """
        manifest = bundle.manifest
        if manifest.kind != WORLD_MODEL or len(manifest.cameras) != 1:
            cameras = ", ".join(manifest.cameras) or "none"
            raise BundleError(
                f"{bundle.folder}: is a {manifest.kind} for cameras {cameras}, "
                "expected a world_model for one camera"
            )
        self.manifest = manifest
        self.settings = settings or OnnxWorldModelSettings()
        ((camera, size),) = manifest.cameras.items()
        self.spec = WorldModelSpec(
            dt=manifest.dt_s,
            context_frames=manifest.context_frames,
            horizon=manifest.horizon,
            camera=camera,
            image_size=(size.height, size.width),
            latent_shape=manifest.latent_shape,
            bundle_hash=bundle.bundle_hash,
            instructions=manifest.instructions,
        )
        self._graphs = {
            name: OnnxSession(name, bundle.graphs[name], manifest.graphs[name], onnx)
            for name in GRAPHS[WORLD_MODEL]
        }

        self._scene_decoder = None
        if SCENE_DECODER in bundle.graphs:
            self._scene_decoder = SceneDecoder(bundle, self.encode, onnx)
        self._dreamer = LatentDreamer(self._graphs["denoiser"])
        shapes = {tensor.name: tensor.shape for tensor in manifest.graphs["denoiser"].inputs}
        self._told_widths = "gripper_width" in shapes
        self._hands = None
        if "hands" in shapes:
            rows, columns = (int(n) for n in shapes["hands"][3:])
            self._hands = HandRenderer(rig or find_rig(manifest.rig), camera, rows, columns)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Turn images (N, h, w, 3) uint8 of the model's size into latents, float32."""
        return self._graphs["encoder"].run(image=frames)["latent"]

    def decode(self, latents: np.ndarray, scene: np.ndarray | None = None) -> np.ndarray:
        """Turn latents (N, *latent_shape) into images (N, h, w, 3) uint8.

        A bundle without the graph `scene_decoder` goes by the latents alone.
        """
        if self._scene_decoder is not None and scene is not None:
            scenes = scene if scene.ndim == 4 else scene[None]
            return self._scene_decoder.decode(latents, images.fit(scenes, *self.spec.image_size))
        return self._graphs["decoder"].run(latent=latents)["image"]

    def value(self, latents: np.ndarray, goal: Goal) -> np.ndarray:
        """Return how near the instruction's goal frames are, shape (N,)."""
        words = np.broadcast_to(self._words(goal), (len(latents), len(self.manifest.vocabulary)))
        return self._graphs["value"].run(latent=latents, words=words)["value"]

    def imagine(
        self,
        window: ObservationWindow,
        goal: Goal,
        candidates: int,
        generator: np.random.Generator,
        committed: HandPoses | None = None,
        restart: Restart | None = None,
    ) -> Rollouts:
        """Dream K futures, as one batch, in which the goal is being reached."""
        expected = (candidates, self.spec.horizon, *self.spec.latent_shape)
        if restart is not None and restart.latents.shape != expected:
            raise ShapeError(f"restart has dreams {restart.latents.shape}, expected {expected}")
        wanted = goal.instruction is not None or goal.image is not None
        wanted = wanted and "outcome" in self.manifest.conditioning
        conditions: dict[str, np.ndarray] = {
            "words": self._words(goal),
            "goal": self._goal_latent(goal),
            "goal_given": np.array([goal.image is not None], np.float32),
            "targets": np.zeros((self.spec.horizon, actions.ACTION_SIZE), np.float32),
            "targets_given": np.zeros(self.spec.horizon, np.float32),
            "outcome": np.array(OUTCOME_SUCCESS if wanted else OUTCOME_UNKNOWN),
        }
        if self._hands:
            size = (self.spec.horizon, 2, self._hands.height, self._hands.width)
            conditions["hands"] = np.zeros(size, np.float32)
        if self._told_widths:
            conditions["gripper_width"] = window.gripper_width.astype(np.float32)
        if committed is not None:
            decided = slice(committed.lead[0])
            conditions["targets"][decided] = actions.pack(committed)
            conditions["targets_given"][decided] = 1.0
            if self._hands:
                conditions["hands"][decided] = self._hands.render(committed) / np.float32(255)
        batch = {k: np.broadcast_to(v, (candidates, *v.shape)) for k, v in conditions.items()}
        seed, noise = self._noise(candidates, generator)
        return self._dream(window, batch, noise, seed, restart)

    def simulate(
        self,
        window: ObservationWindow,
        start: HandPoses,
        chunks: ActionChunks,
        generator: np.random.Generator,
    ) -> Rollouts:
        """Dream what would happen if each chunk were executed, whether or not it succeeds."""
        candidates, horizon = chunks.actions.shape[:2]
        if horizon != self.spec.horizon or not np.isclose(chunks.dt, self.spec.dt, DT_TOLERANCE):
            raise ShapeError(
                f"chunks have {horizon} steps of {chunks.dt} s, "
                f"the world model dreams {self.spec.horizon} of {self.spec.dt} s"
            )
        targets = actions.integrate(start, chunks.actions)
        batch = {
            "words": np.zeros((candidates, len(self.manifest.vocabulary)), np.float32),
            "goal": np.zeros((candidates, *self.spec.latent_shape), np.float32),
            "goal_given": np.zeros((candidates, 1), np.float32),
            "targets": actions.pack(targets),
            "targets_given": np.ones((candidates, horizon), np.float32),
            "outcome": np.full(candidates, OUTCOME_UNKNOWN),
        }
        if self._hands:
            batch["hands"] = self._hands.render(targets) / np.float32(255)
        if self._told_widths:
            seen = window.gripper_width.astype(np.float32)
            batch["gripper_width"] = np.broadcast_to(seen, (candidates, *seen.shape))
        # The same noise for all: what comes of them shall differ by what they do, not by chance.
        seed, noise = self._noise(1, generator)
        return self._dream(window, batch, np.repeat(noise, candidates, axis=0), seed)

    def _noise(self, rows: int, generator: np.random.Generator) -> tuple[int, np.ndarray]:
        """Return a seed, which is kept with the dreams, and all their noise, (rows, H, ...)."""
        seed = int(generator.integers(2**63))
        shape = (rows, self.spec.horizon, *self.spec.latent_shape)
        scale = self.settings.noise_scale or self.manifest.sampler.noise_scale
        drawn = np.random.default_rng(seed).standard_normal(shape, np.float32)
        return seed, drawn * np.float32(scale)

    def _dream(
        self,
        window: ObservationWindow,
        conditions: dict[str, np.ndarray],
        noise: np.ndarray,
        seed: int,
        restart: Restart | None = None,
    ) -> Rollouts:
        context = self.look(self._context_frames(window))  # (T, *latent_shape)
        guidance = {name: getattr(self.settings, f"guidance_{name}") for name in GIVEN_BY}
        if restart is not None:
            noise = noise * restart.noise.astype(np.float32).reshape(-1, *[1] * (noise.ndim - 1))
            guidance["instruction"] = guidance["instruction"] * restart.guidance
        latents = self._dreamer.dream(
            context,
            conditions,
            noise,
            signal_levels(self.manifest.sampler, self.settings.denoising_steps),
            guidance,
            self.settings.frame_by_frame,
            restart,
        )
        return Rollouts(
            latents=latents,
            dt=self.spec.dt,
            start_ns=window.newest_stamp_ns,
            seed=seed,
            bundle_hash=self.spec.bundle_hash,
        )

    def _context_frames(self, window: ObservationWindow) -> np.ndarray:
        if self.spec.camera not in window.images:
            known = ", ".join(window.images) or "none"
            raise DataError(f"world model needs camera {self.spec.camera!r}, window has {known}")
        frames = window.images[self.spec.camera]
        if len(frames) != self.spec.context_frames:
            raise ShapeError(
                f"window has {len(frames)} frames, world model needs {self.spec.context_frames}"
            )
        if not np.isclose(window.dt, self.spec.dt, DT_TOLERANCE):
            raise DataError(
                f"window frames are {window.dt} s apart, world model needs {self.spec.dt} s"
            )
        return frames

    def _words(self, goal: Goal) -> np.ndarray:
        return word_vector(goal.instruction, self.manifest.vocabulary, self.spec.instructions)

    def _goal_latent(self, goal: Goal) -> np.ndarray:
        if goal.image is None:
            return np.zeros(self.spec.latent_shape, np.float32)
        return self.look(goal.image[None])[0]
