"""Pictures of a training on its way: fixed prompts and seeds, drawn with the weights as they are."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from gentra_lora.adapter.file import Tensors, write_adapter
from gentra_lora.pictures.sampling_pipeline import Settings, decode, generate_latents
from gentra_lora.pictures.sheet_drawing import grid
from gentra_lora.training.run import Training

NUM_INFERENCE_STEPS = 20


@dataclass
class Samples:
    """Sheets of pictures, and the adapter as of then, in a run's checkpoint folder.

    Copies of them lie in `folder` and `adapters`, which each training empties first.
    """

    every: int  # steps
    pipeline: StableDiffusionPipeline  # with the denoiser that is trained
    prompts: list[str]
    seed: int
    settings: Settings
    kept: Path
    folder: Path
    adapters: Path

    def show_earlier(self, step: int) -> None:
        """Copy what is kept of the steps up to `step`, made before the run was interrupted."""
        for path in sorted([*self.kept.glob("step-*.png"), *self.kept.glob("step-*.safetensors")]):
            if int(path.stem.removeprefix("step-")) <= step:
                self._copy(path)

    def draw(self, training: Training) -> Exception | None:
        """Draw a sheet and return None, or the reason where that failed: training must not end for a picture.

        No random state is read or changed, and the denoiser is left as it was.
        """
        unet, path = training.unet.eval(), self.kept / f"step-{training.step:07d}.png"
        try:
            pictures = self._pictures(training)
            path.parent.mkdir(parents=True, exist_ok=True)
            grid(self.prompts, [(f"step {training.step}", pictures)], f"seed {self.seed}").save(path)
            self._copy(path)
        except (RuntimeError, ValueError, OSError) as error:  # out of memory, a picture that is not finite, a full disk
            torch.cuda.empty_cache()
            return error
        finally:
            unet.train()
        return None

    def _pictures(self, training: Training) -> np.ndarray:
        """Return a picture of each prompt, uint8 (N, R, R, 3)."""
        seeds = [self.seed] * len(self.prompts)
        with training.kept.in_place(), training.accelerator.autocast():
            drawn = list(generate_latents(self.pipeline, self.prompts, seeds, self.settings))
        # Outside of autocast: in float16, Stable Diffusion's autoencoder overflows for some pictures.
        decoded = [decode(self.pipeline.vae, rows, self.prompts[chunk], seeds[chunk]) for chunk, rows in drawn]
        return np.stack([picture for pictures in decoded for picture in pictures])

    def keep_adapter(self, step: int, tensors: Tensors, metadata: dict[str, str]) -> OSError | None:
        """Write the adapter as of a step, for a later look at what each step changed; see adapter/file.py.

        Returns None, or the reason where that failed.
        """
        path = self.kept / f"step-{step:07d}.safetensors"
        try:
            write_adapter(path, tensors, metadata)
            self._copy(path)
        except OSError as error:
            return error
        return None

    def _copy(self, path: Path) -> None:
        folder = self.folder if path.suffix == ".png" else self.adapters
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
