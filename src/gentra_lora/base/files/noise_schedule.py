"""The noise schedule of a base, which is nothing but its configuration."""

from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from gentra_lora.base.files.configs import config_of, prediction_type_of
from gentra_lora.base.source import BaseSource, guarded


def load_noise_scheduler(source: BaseSource) -> DDPMScheduler:
    """Return the training noise schedule, with the base's betas, and its prediction type or base.prediction_type.

    Raises:
        BaseModelError: it predicts neither noise nor velocity, or cannot be made.
    """
    config, predicted = config_of(source, "scheduler"), prediction_type_of(source)
    made = guarded("base.model", source.model, DDPMScheduler.from_config, config, prediction_type=predicted)
    assert isinstance(made, DDPMScheduler)
    return made
