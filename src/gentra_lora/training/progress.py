"""What a person sees of a training: a bar, lines of text, and DVCLive's curves."""

import math
import time
from pathlib import Path
from typing import Self

import psutil
import torch
from dvclive import Live
from scmrepo.exceptions import SCMError
from tqdm import tqdm

from gentra_lora.errors import InputError, first_line
from gentra_lora.training.held_out import BANDS
from gentra_lora.training.run import StepEntry, Training

SMOOTHING = 0.95  # of the loss in the bar; a single step's says little


class Progress:
    """A context around a training; `folder` is DVCLive's.

    Curves hold what a resumed run repeats exactly; speed and memory are shown, not kept.
    """

    def __init__(self, training: Training, folder: Path) -> None:
        self.training = training
        self.smoothed: float | None = None
        self.first, self.started = training.step, time.monotonic()
        self.live = open_live(folder)
        self.bar = tqdm(
            total=training.config.steps,
            initial=training.step,
            desc="train",
            unit="step",
            dynamic_ncols=True,
            disable=None,  # where nobody watches
        )

    def __enter__(self) -> Self:
        for step, entry in enumerate(self.training.history):
            self._log(step, entry)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        self.live.end()

    def show(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.write(line)

    def step_done(self, entry: StepEntry) -> None:
        """Log the last step's values and move the bar."""
        self._log(self.training.step - 1, entry)
        loss = entry["loss"]
        if loss is not None:
            before = loss if self.smoothed is None else self.smoothed
            self.smoothed = SMOOTHING * before + (1 - SMOOTHING) * loss
        self.bar.update(1)
        if not self.bar.disable:
            values = {"loss": f"{self.smoothed or 0:.4f}", "memory": f"{memory_gb():.1f} GB"}
            held_out = [entry["held_out"]["whole"] for entry in self.training.history if "held_out" in entry]
            self.bar.set_postfix(values | ({"held-out": f"{held_out[-1]:.4f}"} if held_out else {}), refresh=False)
        if "held_out" in entry:
            self.show(self.line(entry["held_out"]["whole"]))

    def line(self, held_out: float) -> str:
        """Return a line that says how far training is and how well it does."""
        training = self.training
        steps, done = training.config.steps, training.step - self.first
        recent = [entry["loss"] for entry in training.history[-training.config.held_out_every :]]
        losses = [loss for loss in recent if loss is not None] or [float("nan")]
        share = held_out / training.history[0]["held_out_base"]["whole"]
        pace = (time.monotonic() - self.started) / done
        return (
            f"step {training.step} of {steps}: loss {sum(losses) / len(losses):.4f}, held-out loss {held_out:.4f} "
            f"({share:.0%} of the base's), {pace:.2f} s a step, {pace * (steps - training.step):.0f} s left, "
            f"{memory_gb():.1f} GB" + (f", {training.skipped} updates left out" if training.skipped else "")
        )

    def _log(self, step: int, entry: StepEntry) -> None:
        """Write one step's values as curves; DVCLive would write one that is not finite as JSON that is none."""
        self.live.step = step + 1
        values = {"loss": entry["loss"], "grad_norm": entry["grad_norm"], "learning_rate": entry["learning_rate"]}
        for name, value in values.items():
            if value is not None:
                self.live.log_metric(f"train/{name}", value)
        if "held_out" in entry:
            base, found = self.training.history[0]["held_out_base"], entry["held_out"]
            curves = {"held_out": found["whole"], "held_out_relative": found["whole"] / base["whole"]}
            curves |= {f"held_out_{band}": found[band] / base[band] for band in BANDS}
            for name, point in curves.items():
                if math.isfinite(point):
                    self.live.log_metric(f"train/{name}", point)
            self.live.make_summary()


def open_live(folder: Path) -> Live:
    """Return DVCLive, which looks for a commit of the git repository that it is in.

    Raises:
        InputError: there is none yet.
    """
    try:
        return Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None, monitor_system=False)
    except SCMError as error:
        way_out = "`git add -A`, `git commit -m start`, then run again"
        raise InputError(f"git has no commit to keep the curves by ({first_line(error)}); {way_out}") from error


def memory_gb() -> float:
    """Return the memory in use, in GB: of the GPU, where there is one, the most so far; else this process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return psutil.Process().memory_info().rss / 1e9
