"""One training run in memory: what a step does, and the state that a checkpoint keeps."""

import math
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler

from gentra_lora.adapter import attach_adapter, lora_modules
from gentra_lora.denoising import denoising_loss, loss_weights, target_of
from gentra_lora.errors import InputError
from gentra_lora.latents import draw_latents
from gentra_lora.sampling import draw_step

MOST_SKIPPED = 20


class TrainingError(InputError):
    """Training cannot go on; the message says at which step, and what to change."""


@dataclass(frozen=True)
class TrainingData:
    """What training sees: CachedPhotos, the empty prompt's embeddings (L, D) and the VAE's scaling factor."""

    photos: object
    empty_prompt: torch.Tensor
    scaling_factor: float


@dataclass
class Training:
    """The adapter in the making.

    `config` holds the fields of params.yaml's train block. The denoiser is frozen in the compute dtype; the adapter's
    weights are float32.
    """

    unet: torch.nn.Module
    noise_scheduler: object
    data: TrainingData
    config: object
    accelerator: Accelerator
    step: int = 0
    skipped: int = 0  # updates in a row that loss scaling left out
    history: list = field(default_factory=list)  # one dict a step

    def __post_init__(self):
        config = self.config
        self.trainable = attach_adapter(self.unet, config.rank, config.lora_alpha, config.target_modules, config.seed)
        optimizer = torch.optim.AdamW(self.trainable, lr=config.learning_rate, weight_decay=config.weight_decay)
        lr_scheduler = get_scheduler(
            {"constant": "constant_with_warmup"}.get(config.lr_scheduler, config.lr_scheduler),
            optimizer,
            num_warmup_steps=config.lr_warmup_steps,
            num_training_steps=config.steps,
        )
        self.unet, self.optimizer = self.accelerator.prepare(self.unet, optimizer)
        self.lr_scheduler = lr_scheduler
        self.unet.train()

    def run_step(self):
        """One optimizer update; appends to the history and returns the new entry.

        Raises:
            TrainingError: the loss or the gradient is not finite.
        """
        config, photos = self.config, self.data.photos
        batch = config.batch_size * config.gradient_accumulation_steps
        total = self.noise_scheduler.config.num_train_timesteps
        crops = len(photos.mean[0])
        draw = draw_step(config.seed, self.step, batch, photos.shapes, crops, config.caption_dropout, total)
        loss = sum(self._backward(draw, chunk) for chunk in torch.arange(batch).split(config.batch_size))
        self._refuse("loss", loss, draw)
        grad_norm = float(self.accelerator.clip_grad_norm_(self.trainable, config.max_grad_norm))
        if self.accelerator.scaler is None:
            self._refuse("gradient's norm", grad_norm, draw)
        self.optimizer.step()
        # With loss scaling, an overflow lowers the scale and the update is left out: usual at first, not for ever.
        self.skipped = self.skipped + 1 if self.optimizer.step_was_skipped else 0
        if self.skipped == MOST_SKIPPED:
            self._refuse(f"gradient's norm, {MOST_SKIPPED} times in a row,", math.inf, draw)
        self.optimizer.zero_grad()
        learning_rate = self.lr_scheduler.get_last_lr()[0]
        self.lr_scheduler.step()
        self.step += 1
        self.history.append({"loss": loss, "grad_norm": grad_norm, "learning_rate": learning_rate})
        return self.history[-1]

    def _refuse(self, what, value, draw):
        """Stop on a value that is not finite, before it reaches a weight."""
        if not math.isfinite(value):
            names = ", ".join(self.data.photos.file_names[n] for n in draw.photos.tolist())
            raise TrainingError(
                f"step {self.step}: the {what} is {value} (photos {names}; timesteps {draw.timesteps.tolist()}); "
                "lower train.learning_rate, or set base.mixed_precision to no"
            )

    def _backward(self, draw, chunk):
        """Add the gradients of some of a step's samples, weighted by their share; return their share of the loss."""
        device, data = self.accelerator.device, self.data
        photos, crops = draw.photos[chunk], draw.crops[chunk]
        chosen = list(zip(photos.tolist(), crops.tolist(), strict=True))
        mean, std = (torch.stack([of[n][c] for n, c in chosen]) for of in (data.photos.mean, data.photos.std))
        latents = draw_latents(mean, std, draw.eps[chunk], data.scaling_factor).to(device)  # (B, 4, H/f, W/f)
        dropped = draw.caption_dropped[chunk, None, None]
        prompt_embeds = torch.where(dropped, data.empty_prompt, data.photos.prompt_embeds[photos]).to(device)
        noise, timesteps = draw.noise[chunk].to(device), draw.timesteps[chunk].to(device)
        noisy_latents = self.noise_scheduler.add_noise(latents, noise, timesteps)
        with self.accelerator.autocast():
            noise_pred = self.unet(noisy_latents, timesteps, prompt_embeds).sample
        target = target_of(self.noise_scheduler, latents, noise, timesteps)
        weights = loss_weights(self.noise_scheduler, timesteps, self.config.min_snr_gamma)
        # A share of the whole step's batch: accumulated gradients then equal those of one large batch.
        loss = denoising_loss(noise_pred, target, weights) * (len(chunk) / len(draw.photos))
        self.accelerator.backward(loss)
        return float(loss.detach())

    def modules(self):
        """Return {module path: LoraModule}, the live weights."""
        return lora_modules(self.accelerator.unwrap_model(self.unet))

    def state(self):
        """Return what a checkpoint keeps; the random state is not part of it, see sampling.py."""
        adapter = {name: [module.down.detach(), module.up.detach()] for name, module in self.modules().items()}
        scaler = self.accelerator.scaler
        return {
            "adapter": adapter,
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
            "history": self.history,
        }

    @torch.no_grad()
    def restore(self, saved):
        """Continue from a checkpoint's state, after its last finished step."""
        for name, module in self.modules().items():
            down, up = saved["adapter"][name]
            module.down.copy_(down)
            module.up.copy_(up)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.lr_scheduler.load_state_dict(saved["lr_scheduler"])
        if saved["scaler"]:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        self.history, self.step = saved["history"], saved["step"]
