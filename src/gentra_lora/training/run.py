"""One training run in memory: what a step does, and the state that a checkpoint keeps."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from typing import Any, NotRequired, TypedDict

import torch
from accelerate import Accelerator
from diffusers.models import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from gentra_lora.adapter.fused import fuse
from gentra_lora.adapter.lora import LoraModule, attach_adapter, flatten, lora_modules
from gentra_lora.errors import InputError
from gentra_lora.training.batches import DenoiserBatch, TrainingData, joined, masks_of, micro_batch, prior_batch
from gentra_lora.training.config import TrainConfig
from gentra_lora.training.denoising import Objective
from gentra_lora.training.kept_weights import KeptWeights
from gentra_lora.training.optimizers import make_lr_scheduler, make_optimizer, rate_of
from gentra_lora.training.sampling import Draw, draw_step, predictions_of_step, seed_of

MOST_SKIPPED = 10  # updates in a row; loss scaling leaves out a few at its start


class TrainingError(InputError):
    """Training cannot go on; the message says at which step, and what to change."""


class StepEntry(TypedDict):
    """What is known of a step; the loss and the gradient's norm are None where the update was left out."""

    loss: float | None
    grad_norm: float | None
    learning_rate: float
    held_out: NotRequired[dict[str, float]]  # see held_out.banded
    held_out_base: NotRequired[dict[str, float]]  # the base's own, in the first step's entry


@dataclass(frozen=True)
class Part:
    """The photos or the base predictions of a step."""

    count: int
    shape: tuple[int, int, int]  # (4, h, w) of each
    weight: float  # of their mean error
    batch_of: Callable[[torch.Tensor], DenoiserBatch]  # those of some numbers, int64 (B,)


@dataclass
class Training:
    """The adapter in the making.

    The denoiser is frozen in the compute dtype; the adapter's weights are float32. With several processes each takes
    its share of every batch, and all hold the same weights.
    """

    unet: UNet2DConditionModel
    noise_scheduler: DDPMScheduler
    data: TrainingData
    config: TrainConfig
    accelerator: Accelerator
    step: int = 0
    history: list[StepEntry] = field(default_factory=list)
    stop_asked: Callable[[], object] = bool  # whether this process was asked to stop
    stop: bool = False  # whether, at the end of the last step, any process was

    def __post_init__(self) -> None:
        config, self.device = self.config, self.accelerator.device
        if config.batch_size < self.accelerator.num_processes:
            processes = self.accelerator.num_processes
            raise TrainingError(f"train.batch_size: {config.batch_size} is too few for {processes} processes")
        shape = config.rank, config.lora_alpha, config.target_modules, config.seed
        trainable = attach_adapter(self.unet, *shape, config.lora_dropout)
        fuse(self.unet)
        self.unet.to(self.device, memory_format=torch.channels_last).train()
        self.objective = Objective(self.unet, self.noise_scheduler, config)
        self.trainable, self._first = [flatten(trainable)], trainable[0]
        optimizer = make_optimizer(config.optimizer, self.trainable, config.learning_rate, config.weight_decay)
        schedule = config.lr_warmup_steps, config.steps, config.lr_restarts
        self.lr_scheduler = make_lr_scheduler(config.lr_scheduler, optimizer, *schedule)
        self.optimizer = self.accelerator.prepare_optimizer(optimizer)
        self.kept = KeptWeights(self.unet, self.trainable, config.ema_decay, config.keep)
        self.seed: int | str = config.seed  # of all draws
        # Whether the denoiser sees photos and base predictions at once: on a CPU a step of the nano base takes a
        # tenth less time so. On a GPU it sees one after the other, which takes no more memory than photos alone.
        self.together = self.device.type == "cpu"

    @torch.no_grad()
    def start_from(self, modules: Mapping[str, LoraModule], sha256: str) -> None:
        """Begin with the factors of a finished adapter, and draw what that has not seen.

        Args:
            modules: of adapter/start.py; `sha256` is their file's.
        """
        for name, module in lora_modules(self.unet).items():
            module.down.copy_(modules[name].down)
            module.up.copy_(modules[name].up)
        self.kept = KeptWeights(self.unet, self.trainable, self.config.ema_decay, self.config.keep)
        self.seed = f"{self.config.seed} after {sha256}"

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """Give the denoiser back what it was before the adapter."""
        held = [parameter.detach().clone() for parameter in self.trainable]
        torch._foreach_zero_([parameter.data for parameter in self.trainable])
        try:
            yield
        finally:
            for parameter, values in zip(self.trainable, held, strict=True):
                parameter.data.copy_(values)

    def run_step(self) -> StepEntry:
        """One optimizer update; appends to the history and returns the new entry.

        A loss or gradient that is not finite reaches no weight: the update is left out, and its values are None.

        Raises:
            TrainingError: that happened MOST_SKIPPED times in a row.
        """
        if self._first.data_ptr() != self.trainable[0].data_ptr():
            raise RuntimeError("the denoiser was moved after its adapter was flattened: training would change nothing")
        draw = self._draw()
        parts = [self._photos(draw)] + ([self._predictions()] if self.config.prior_weight else [])
        loss = self._sum_over_processes(self._add_gradients(parts))
        grad_norm = float(self.accelerator.clip_grad_norm_(self.trainable, self.config.max_grad_norm))
        finite, learning_rate = math.isfinite(loss) and math.isfinite(grad_norm), rate_of(self.optimizer)
        if finite or self.accelerator.scaler:  # the scaler leaves the update out by itself, and lowers its scale
            self.optimizer.step()
        if finite:
            self.kept.average()
        self.optimizer.zero_grad(set_to_none=False)
        entry: StepEntry = {
            "loss": loss if finite else None,
            "grad_norm": grad_norm if finite else None,
            "learning_rate": learning_rate,
        }
        self.history.append(entry)
        self._refuse_if_hopeless(loss, grad_norm, draw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch takes a first update left out for a wrong order
            self.lr_scheduler.step()
        self.step += 1
        return entry

    @property
    def skipped(self) -> int:
        """How many updates were left out."""
        return sum(entry["loss"] is None for entry in self.history)

    def _refuse_if_hopeless(self, loss: float, grad_norm: float, draw: Draw) -> None:
        recent = self.history[-MOST_SKIPPED:]
        if len(recent) == MOST_SKIPPED and all(entry["loss"] is None for entry in recent):
            names = ", ".join(self.data.photos.file_names[n] for n in draw.photos.tolist())
            raise TrainingError(
                f"step {self.step}: the loss is {loss} and the gradient's norm {grad_norm}, not finite for "
                f"{MOST_SKIPPED} steps in a row (photos {names}; timesteps {draw.timesteps.tolist()}); "
                "lower train.learning_rate, or set base.mixed_precision to no"
            )

    def _draw(self) -> Draw:
        batch = self.config.batch_size * self.config.gradient_accumulation_steps
        total = self.noise_scheduler.config["num_train_timesteps"]
        return draw_step(self.seed, self.step, batch, self.data.photos, self.config, total)

    def _photos(self, draw: Draw) -> Part:
        masked = self.config.background_weight < 1

        def batch_of(mine: torch.Tensor) -> DenoiserBatch:
            masks = masks_of(self.data.photos, draw, mine).to(self.device) if masked else None
            return self.objective.of_photos(micro_batch(self.data, draw, mine).to(self.device), masks)

        return Part(len(draw.photos), self.data.photos.shapes[draw.photos[0]], 1.0, batch_of)

    def _predictions(self) -> Part:
        prior, config = self.data.prior, self.config
        if prior is None:
            raise TrainingError(
                f"train.prior_weight: {config.prior_weight:g} needs the base's predictions; "
                "set cache_latents.prior_draws to 8, say"
            )
        chosen, draws = predictions_of_step(self.seed, self.step, config.prior_batch_size, prior)

        def batch_of(mine: torch.Tensor) -> DenoiserBatch:
            return self.objective.of_predictions(prior_batch(prior, chosen[mine], draws[mine]).to(self.device))

        return Part(len(chosen), prior.shapes[chosen[0]], config.prior_weight, batch_of)

    def _add_gradients(self, parts: Sequence[Part]) -> torch.Tensor:
        """Add the gradients of this process's share of a step's samples; return its share of the loss."""
        loss = torch.zeros((), device=self.device)
        for n, batch in enumerate(self._micro_batches(parts)):
            if self.config.lora_dropout:  # the only use of the global random state: the same after a resume
                torch.manual_seed(seed_of(self.seed, "lora dropout", self.step, n, self.accelerator.process_index))
            share = self.objective.loss(batch)
            self.accelerator.backward(share)
            loss = loss + share.detach()
        return loss

    def _micro_batches(self, parts: Sequence[Part]) -> Iterator[DenoiserBatch]:
        """Yield this process's share of a step's samples, as many at once as the denoiser sees."""
        queues = [self._micro_batches_of(part) for part in parts]
        together = self.together and len({part.shape for part in parts}) == 1
        for batches in zip_longest(*queues) if together else zip(chain(*queues)):
            yield joined([batch for batch in batches if batch is not None])

    def _micro_batches_of(self, part: Part) -> Iterator[DenoiserBatch]:
        for chunk in torch.arange(part.count).split(self.config.batch_size):
            mine = chunk[self.accelerator.process_index :: self.accelerator.num_processes]
            if len(mine):
                batch = part.batch_of(mine)
                # By the whole step's samples: accumulated gradients then equal those of one large batch.
                yield replace(batch, weights=batch.weights * (part.weight / part.count))

    def _sum_over_processes(self, loss: torch.Tensor) -> float:
        """Sum gradients and loss over the processes, in one message; return the loss as a float."""
        if self.accelerator.num_processes == 1:
            self.stop = bool(self.stop_asked())
            return float(loss)
        (gradient,) = (parameter.grad for parameter in self.trainable if parameter.grad is not None)
        extra = torch.stack([loss.float(), torch.tensor(float(bool(self.stop_asked())), device=self.device)])
        message = self.accelerator.reduce(torch.cat([extra, gradient]), "sum")
        gradient.copy_(message[2:])
        self.stop = bool(message[1])
        return float(message[0])

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; the random state is not part of it, see sampling.py."""
        scaler = self.accelerator.scaler
        return {
            "adapter": [parameter.detach() for parameter in self.trainable],
            "kept": self.kept.state(),
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
            "history": self.history,
        }

    @torch.no_grad()
    def restore(self, saved: Mapping[str, Any]) -> None:
        """Continue from a checkpoint's state, after its last finished step."""
        for parameter, values in zip(self.trainable, saved["adapter"], strict=True):
            parameter.copy_(values)
        self.kept.restore(saved["kept"], self.device)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.lr_scheduler.load_state_dict(saved["lr_scheduler"])
        if saved["scaler"]:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        self.history, self.step = saved["history"], saved["step"]
