"""What a training reads of params.yaml's train block, so that it needs no params.yaml."""

from typing import Protocol

from gentra_lora.training.sampling import DrawConfig


class TrainConfig(DrawConfig, Protocol):
    """The fields that are read; the block's others are for the samples and the denoiser that a training is given."""

    rank: int
    lora_alpha: float
    lora_dropout: float
    steps: int
    batch_size: int
    gradient_accumulation_steps: int
    learning_rate: float
    lr_restarts: int
    lr_warmup_steps: int
    weight_decay: float
    max_grad_norm: float
    min_snr_gamma: float
    prior_weight: float
    prior_batch_size: int
    background_weight: float
    ema_decay: float | None
    held_out_every: int
    checkpoint_every: int
    checkpoint_minutes: float
    checkpoints_kept: int
    seed: int

    @property
    def target_modules(self) -> str: ...

    @property
    def optimizer(self) -> str: ...

    @property
    def lr_scheduler(self) -> str: ...

    @property
    def loss_weighting(self) -> str: ...

    @property
    def keep(self) -> str: ...
