"""Pictures of a training on its way: fixed prompts and seeds, drawn with the weights as they are."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from gentra_lora.pictures import Settings, generate
from gentra_lora.report import grid

NUM_INFERENCE_STEPS = 20


@dataclass
class Samples:
    """Sheets of pictures in a run's checkpoint folder, and copies of them in `folder`, which DVC empties each time."""

    every: int  # steps
    pipeline: object  # with the denoiser that is trained
    prompts: list[str]
    seed: int
    settings: Settings
    kept: Path
    folder: Path

    def show_earlier(self, step):
        """Copy the sheets of the steps up to `step`, made before the run was interrupted."""
        for path in sorted(self.kept.glob("step-*.png")):
            if int(path.stem.removeprefix("step-")) <= step:
                self._copy(path)

    def draw(self, training):
        """Draw a sheet and return None, or the reason where that failed: training must not end for a picture.

        No random state is read or changed, and the denoiser is left as it was.
        """
        unet, path = training.unet.eval(), self.kept / f"step-{training.step:07d}.png"
        try:
            with training.kept.in_place(), training.accelerator.autocast():
                pictures = generate(self.pipeline, self.prompts, [self.seed] * len(self.prompts), self.settings)
            path.parent.mkdir(parents=True, exist_ok=True)
            grid(self.prompts, [(f"step {training.step}", pictures)], f"seed {self.seed}").save(path)
            self._copy(path)
        except (RuntimeError, ValueError, OSError) as error:  # out of memory, a picture that is not finite, a full disk
            torch.cuda.empty_cache()
            return error
        finally:
            unet.train()
        return None

    def _copy(self, path):
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, self.folder)
