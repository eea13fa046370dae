"""Any image-to-video pipeline of diffusers as a world model: a picture and a sentence to a video.

As 1X's world model does, the pipeline dreams in pixels what the sentence asks for, and inverse
dynamics reads the motion off those pixels. An inverse dynamics model that reads images is given the
video as it is. For one that reads latents each dreamed frame goes through the encoder of our own
bundle, so that everything behind the world model works on the latents it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wm_planner import images
from wm_planner.bundle import Bundle
from wm_planner.errors import ConfigurationError, DataError
from wm_planner.onnx_session import OnnxSettings
from wm_planner.robot.rig_description import RigDescription
from wm_planner.settings import setting
from wm_planner.types import ActionChunks, Goal, HandPoses, ObservationWindow, Restart, Rollouts
from wm_planner.video_pipeline import DEVICES, DTYPES, VideoPipeline
from wm_planner.world_models.onnx_world_model import OnnxWorldModel
from wm_planner.world_models.world_model import WorldModel

INSTRUCTION = "{instruction}"
ENCODED, PICTURES = FRAMES = ("encoded", "pictures")


@dataclass(frozen=True)
class DiffusersWorldModelSettings:
    """Which pipeline dreams, and how; `checkpoint` and `fps` have to be given."""

    checkpoint: str = setting(
        "", help="Folder of the pipeline on this machine, an absolute path; ~ is the home folder.",
        fixed=True,
    )  # fmt: skip
    fps: float = setting(
        0.0, unit="Hz", minimum=0.0, maximum=240.0,
        help="Frames per second of its videos, from its model card; decides how fast arms move.",
        fixed=True,
    )  # fmt: skip
    frames: int = setting(
        0, minimum=0, maximum=1000, help="Frames of a video; 0 for what the horizon takes.",
        fixed=True,
    )  # fmt: skip
    height: int = setting(
        0, unit="px", minimum=0, maximum=4096, help="Of its videos; 0 for the bundle's.", fixed=True
    )
    width: int = setting(
        0, unit="px", minimum=0, maximum=4096, help="Of its videos; 0 for the bundle's.", fixed=True
    )
    dreams: str = setting(
        ENCODED, choices=FRAMES,
        help="What dreams consist of: encoded frames, or the video's pictures, for inverse "
        "dynamics that reads images.",
        fixed=True,
    )  # fmt: skip
    prompt: str = setting(INSTRUCTION, help="What it is told; {instruction} stands for the goal's.")
    inference_steps: int = setting(
        0, minimum=0, maximum=1000, help="Denoising steps; 0 for the pipeline's default."
    )
    guidance_scale: float = setting(
        0.0, minimum=0.0, maximum=100.0, help="0 for the pipeline's default, 1 for no guidance."
    )
    dtype: str = setting("bfloat16", choices=DTYPES, help="Numbers it computes with.", fixed=True)
    device: str = setting(
        "auto", choices=DEVICES, help="auto takes CUDA where torch finds it.", fixed=True
    )

    def problems(self) -> list[str]:
        """Return what is inconsistent."""
        found = []
        if INSTRUCTION not in self.prompt:
            found.append(f"prompt is {self.prompt!r}, expected {INSTRUCTION} in it")
        if (self.height == 0) != (self.width == 0):
            found.append(f"height is {self.height}, width is {self.width}: give both or none")
        return found


class DiffusersWorldModel(WorldModel):
    """Dreams with a video pipeline; looks, decodes and values with a world model bundle.

    Where dreams are pictures, an image is its own latent, levels 0 to 255: nothing is lost on the
    way to inverse dynamics, and only values are still read off what the bundle encodes.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: DiffusersWorldModelSettings | None = None,
        onnx: OnnxSettings | None = None,
        rig: RigDescription | None = None,
    ) -> None:
        """Load the bundle and the pipeline.

        Args:
            bundle: verified, of kind WORLD_MODEL: its encoder, decoder and value are used.
            settings: which pipeline; the defaults name none.
            onnx: where the bundle's graphs run, None for the defaults.
            rig: the robot; None finds it by the bundle.
        """
        self.settings = s = settings or DiffusersWorldModelSettings()
        self._bundle_model = OnnxWorldModel(bundle, onnx=onnx, rig=rig)
        # The bundle's hash too: it is what decodes these dreams and what reads them.
        self.spec = self._bundle_model.spec
        if s.dreams == PICTURES:
            self.spec = replace(self.spec, latent_shape=(*self.spec.image_size, 3))
        folder = Path(s.checkpoint).expanduser()
        if not s.checkpoint or not folder.is_absolute():
            raise ConfigurationError(
                f"world_model.settings.checkpoint is {s.checkpoint!r}, expected the absolute path "
                "of a diffusers pipeline's folder"
            )
        if s.fps == 0:
            raise ConfigurationError(
                "world_model.settings.fps is 0, expected the frame rate that the pipeline was "
                "trained at, Hz (see its model card)"
            )
        self._times = frame_numbers(self.spec.horizon, self.spec.dt, s.fps)  # (H,)
        needed = int(self._times[-1]) + 1
        if s.frames and s.frames < needed:
            raise ConfigurationError(
                f"world_model.settings.frames is {s.frames}, expected at least {needed}: "
                f"{self.spec.horizon} steps of {self.spec.dt} s at {s.fps:g} Hz"
            )
        self._pipeline = VideoPipeline(folder, s.dtype, s.device)
        self._frames = s.frames or self._pipeline.possible_frames(needed)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Turn images (N, h, w, 3) uint8 of the bundle's size into latents, float32."""
        if self.settings.dreams == PICTURES:
            return frames.astype(np.float32)
        return self._bundle_model.encode(frames)

    def decode(self, latents: np.ndarray, scene: np.ndarray | None = None) -> np.ndarray:
        """Turn latents (N, *latent_shape) into images (N, h, w, 3) uint8."""
        if self.settings.dreams == PICTURES:
            return np.clip(np.rint(latents), 0, 255).astype(np.uint8)
        return self._bundle_model.decode(latents, scene)

    def value(self, latents: np.ndarray, goal: Goal) -> np.ndarray:
        """Return how near the goal frames are, as the bundle's value head sees it, shape (N,)."""
        if self.settings.dreams == PICTURES:
            latents = self._bundle_model.encode(self.decode(latents))
        return self._bundle_model.value(latents, goal)

    def imagine(
        self,
        window: ObservationWindow,
        goal: Goal,
        candidates: int,
        generator: np.random.Generator,
        committed: HandPoses | None = None,
        restart: Restart | None = None,
    ) -> Rollouts:
        """Dream K futures, one after the other: video models fill the memory with one.

        The newest frame and the instruction are all the pipeline is given, so a restart is another
        video from that frame. A goal image does not steer it; a scorer can still prefer the dreams
        that come near it.
        """
        seed = int(generator.integers(2**63))  # kept with the dreams: it is all their noise
        seeds = np.random.SeedSequence(seed).generate_state(candidates, np.uint64) >> 1
        latents = [self.look(self.video(window, goal, int(s))) for s in seeds]
        return Rollouts(
            latents=np.stack(latents),
            dt=self.spec.dt,
            start_ns=window.newest_stamp_ns,
            seed=seed,
            bundle_hash=self.spec.bundle_hash,
        )

    def video(self, window: ObservationWindow, goal: Goal, seed: int) -> np.ndarray:
        """Return one dream in pixels, a frame per step, shape (H, h, w, 3) uint8."""
        camera = self.spec.camera
        if camera not in window.images:
            known = ", ".join(window.images) or "none"
            raise DataError(f"world model needs camera {camera!r}, window has {known}")
        s, (height, width) = self.settings, self.spec.image_size
        newest = images.fit(window.images[camera][-1], s.height or height, s.width or width)
        prompt = s.prompt.replace(INSTRUCTION, goal.instruction or "").strip()
        video = self._pipeline.generate(
            newest, prompt, self._frames, s.fps, seed, s.inference_steps, s.guidance_scale
        )
        return video[self._times]

    def simulate(
        self,
        window: ObservationWindow,
        start: HandPoses,
        chunks: ActionChunks,
        generator: np.random.Generator,
    ) -> Rollouts:
        """Refuse: pipelines take a sentence, not actions."""
        raise ConfigurationError(
            "a world model of type diffusers cannot simulate actions: its pipeline takes none; "
            "use one of type onnx for that"
        )


def frame_numbers(horizon: int, dt: float, fps: float) -> np.ndarray:
    """Return the frame nearest in time to each step (k + 1) dt, shape (H,), frame 0 being now.

    Nearest and not blended, because a blend shows each hand twice. Exact where fps is a multiple
    of 1 / dt.
    """
    return np.round(np.arange(1, horizon + 1) * dt * fps).astype(np.int64)
