"""The samplers that a picture can be asked of: diffusers' schedulers under the names that people use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

Scheduler = (
    DDIMScheduler
    | DPMSolverMultistepScheduler
    | EulerAncestralDiscreteScheduler
    | EulerDiscreteScheduler
    | UniPCMultistepScheduler
)


@dataclass(frozen=True)
class Sampler:
    """A scheduler with its options, and what other programs call it in the texts of their pictures."""

    title: str
    kind: type[Scheduler]
    options: Mapping[str, bool | str] = field(default_factory=dict)
    schedule: str = "SGM Uniform"  # A1111's name for evenly spaced from pure noise; its "Automatic" can mean Karras


KARRAS = {"use_karras_sigmas": True}  # Karras et al. 2022, arXiv 2206.00364, equation 5
SAMPLERS = {
    "dpmpp_2m": Sampler("DPM++ 2M", DPMSolverMultistepScheduler),
    "dpmpp_2m_karras": Sampler("DPM++ 2M", DPMSolverMultistepScheduler, KARRAS, "Karras"),
    "dpmpp_2m_sde": Sampler("DPM++ 2M SDE", DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": Sampler("UniPC", UniPCMultistepScheduler),
    "euler": Sampler("Euler", EulerDiscreteScheduler),
    "euler_a": Sampler("Euler a", EulerAncestralDiscreteScheduler),
    # Its own defaults are of models of pixels; latents go beyond 1.
    "ddim": Sampler("DDIM", DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False}),
}
# What belongs to the weights of a base; the rest of its configuration is of the sampler that it was saved with.
OF_THE_BASE = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
)


class WholeSteps:
    """Takes out the timestep -1 that rounding errors in diffusers add for 61 steps and some other numbers."""

    timesteps: torch.Tensor
    sigmas: torch.Tensor

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None, **more: object) -> None:
        """Set exactly so many timesteps."""
        super().set_timesteps(num_inference_steps, device=device, **more)  # type: ignore[misc]  # the scheduler's
        self.timesteps = self.timesteps[:num_inference_steps]
        if hasattr(self, "sigmas"):  # DDIM has none
            self.sigmas = torch.cat([self.sigmas[:num_inference_steps], self.sigmas[-1:]])


def make_sampler(name: str, config: Mapping[str, Any]) -> Scheduler:
    """Return a scheduler of its own for one batch or pipeline, with what is OF_THE_BASE in a base's `config`."""
    sampler = SAMPLERS[name]
    base = {key: config[key] for key in OF_THE_BASE if key in config}
    # "trailing" starts at pure noise; what bases say of themselves differs, and some would start below it.
    kind = type(sampler.kind.__name__, (WholeSteps, sampler.kind), {})
    # The offset means nothing then, but pipelines warn of others.
    return kind(**base, timestep_spacing="trailing", steps_offset=1, **sampler.options)


def keep_rows(scheduler: Scheduler, rows: list[int]) -> None:
    """Keep some pictures of a batch in the state that a scheduler carries from step to step."""
    for name, value in vars(scheduler).items():
        if isinstance(value, list):
            setattr(scheduler, name, [_kept(entry, rows) for entry in value])
        else:
            setattr(scheduler, name, _kept(value, rows))


def _kept(value: object, rows: list[int]) -> object:
    """Index what has a picture's four dimensions; sigmas and betas have one."""
    return value[rows] if isinstance(value, torch.Tensor) and value.ndim == 4 else value
