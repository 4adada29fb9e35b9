"""What the main process does between two steps of a training: measure, show, draw samples, save."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from gentra_lora.adapter.file import Tensors, kohya_tensors
from gentra_lora.adapter.hashes import hashes_of
from gentra_lora.adapter.lora import lora_modules
from gentra_lora.adapter.provenance import with_result
from gentra_lora.errors import first_line
from gentra_lora.latents.cached_photos import CachedPhotos
from gentra_lora.training.checkpoint import save_checkpoint
from gentra_lora.training.held_out import banded, held_out_errors
from gentra_lora.training.progress import Progress
from gentra_lora.training.run import StepEntry, Training, TrainingError
from gentra_lora.training.samples import Samples


@dataclass
class BetweenSteps:
    """The duties; none of them changes a weight of the training or a random choice."""

    training: Training
    held_out: CachedPhotos
    checkpoints: Path
    samples: Samples | None
    metadata: dict[str, str]
    progress: Progress
    saved: float = field(default_factory=time.monotonic)

    def measure_base(self) -> None:
        """Measure the base's own held-out loss, before the first step.

        Raises:
            TrainingError: it is not finite.
        """
        if self.training.step == 0:
            with self.training.without_adapter():
                self.base = self._held_out()
            check_finite(self.base["whole"], "the base's own, before the first step", "set base.mixed_precision to no")
            self.progress.show(f"step 0: held-out loss {self.base['whole']:.4f}, the base's own")
            if self.training.seed != self.training.config.seed:
                whole = self._measure()["whole"]
                self.progress.show(f"step 0: held-out loss {whole:.4f}, of the adapter that training goes on from")

    def after(self, entry: StepEntry) -> None:
        """Do what is due after a step; `entry` is its entry in the history."""
        training, config = self.training, self.training.config
        last = training.step == config.steps
        if training.step == 1:
            entry["held_out_base"] = self.base
        if last or training.step % config.held_out_every == 0:
            entry["held_out"] = self._measure()
            training.kept.note(training.step, entry["held_out"]["whole"])
        self.progress.step_done(entry)
        if self.samples and (last or training.step % self.samples.every == 0):
            self._tell("sample pictures", self.samples.draw(training))
            self._tell("adapter kept for the report", self.samples.keep_adapter(training.step, *self._adapter()))
        minutes = (time.monotonic() - self.saved) / 60
        due = minutes > config.checkpoint_minutes or training.step % config.checkpoint_every == 0
        spoiled = "held_out" in entry and not math.isfinite(entry["held_out"]["whole"])  # nothing can go on from these
        if (due or last or training.stop) and not spoiled:
            self._save()

    def _measure(self) -> dict[str, float]:
        """Return {"whole": the mean held-out loss, and those of its bands}."""
        with self.training.kept.in_place():
            return self._held_out()

    def _held_out(self) -> dict[str, float]:
        training = self.training
        factor = training.data.scaling_factor
        return banded(held_out_errors(training.unet, training.noise_scheduler, self.held_out, factor))

    def _tell(self, what: str, failure: Exception | None) -> None:
        if failure:
            reason = f"{type(failure).__name__}: {first_line(failure)}"
            self.progress.show(f"step {self.training.step}: no {what} ({reason}); training goes on")

    def _adapter(self) -> tuple[Tensors, dict[str, str]]:
        """Return the tensors of the adapter as it is, and its header."""
        training = self.training
        with training.kept.in_place():
            tensors = kohya_tensors(lora_modules(training.unet), training.config.lora_alpha)
        header = result_of(training, self.metadata)
        return tensors, header | hashes_of(tensors, header)

    def _save(self) -> None:
        training, kept = self.training, self.training.config.checkpoints_kept
        save_checkpoint(self.checkpoints, training.step, training.state(), *self._adapter(), kept)
        self.saved = time.monotonic()


def check_finite(held_out: float, whose: str, way_out: str) -> None:
    """Refuse a held-out loss that is not finite.

    Raises:
        TrainingError: it is not.
    """
    if not math.isfinite(held_out):
        raise TrainingError(f"the held-out loss is {held_out} ({whose}); {way_out}")


def check_result(training: Training) -> None:
    """Refuse to take for a result what training ended in, where its last held-out loss is not finite.

    Raises:
        TrainingError: says what to lower.
    """
    held_out = [entry["held_out"]["whole"] for entry in training.history if "held_out" in entry]
    best, rate = training.kept.best, training.config.learning_rate
    reached = f"; the lowest was {best['held_out']:.4f} at step {best['step']}" if best else ""
    check_finite(
        held_out[-1],
        f"after {training.step} steps{reached}",
        f"lower train.learning_rate, now {rate:g}; nothing is kept of it",
    )


def result_of(training: Training, metadata: dict[str, str]) -> dict[str, str]:
    """Return the header with the training's steps and last held-out loss, or the best one's where that is kept."""
    history, steps = training.history, training.step
    held_out = [entry["held_out"]["whole"] for entry in history if "held_out" in entry]
    measured = held_out[-1] if held_out else None
    if training.config.keep == "best" and training.kept.best and steps == training.config.steps:
        steps, measured = training.kept.best["step"], training.kept.best["held_out"]
    base = history[0]["held_out_base"]["whole"] if history else None
    return with_result(metadata, steps, measured, base)
