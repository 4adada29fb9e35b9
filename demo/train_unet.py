"""Stage train_unet: the denoiser of the nano base on cached latents -> models/nano-sd, a whole pipeline folder.

Epsilon prediction on SD 1.5's noise schedule, min-SNR weights (Hang et al. 2023, arXiv 2303.09556), EMA. The first
steps are on pictures of half the size: a third of the cost, and the whole car is learned there.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from captions import renamed
from training import DEVICE, Run, load_captions, load_params, load_pictures, steady, to_pixel_values

CLIP, VAE, OUT = Path("../models/nano-clip"), Path("work/vae"), Path("../models/nano-sd")


def make_unet(params, cross_attention_dim):
    torch.manual_seed(params["seed"])
    channels = params["channels"]
    return UNet2DConditionModel(
        sample_size=32,
        block_out_channels=channels,
        layers_per_block=params["layers_per_block"],
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (len(channels) - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (len(channels) - 1) + ("UpBlock2D",),
        cross_attention_dim=cross_attention_dim,
        attention_head_dim=4,
        norm_num_groups=16,
    ).to(memory_format=torch.channels_last)


def make_noise_scheduler():
    """SD 1.5's schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def text_tower():
    """Return nano CLIP's text encoder and tokenizer, as the base will hold them."""
    tokenizer = CLIPTokenizer.from_pretrained(CLIP)
    config = CLIPTextConfig.from_pretrained(CLIP)
    return CLIPTextModel.from_pretrained(CLIP, config=config, dtype=torch.float32).eval(), tokenizer


@torch.no_grad()
def encode(vae, pictures, shrink):
    """Return scaled posterior means of pictures shrunk by a factor, float16 (N, 4, 32 / shrink, 32 / shrink)."""
    parts = [vae.encode(F.avg_pool2d(to_pixel_values(batch), shrink)).latent_dist.mean for batch in pictures.split(100)]
    return (torch.cat(parts) * vae.config.scaling_factor).half()


@torch.no_grad()
def cached(pictures, vae):
    """Return latents of whole pictures and of halved ones, of a file if it was made of the same pictures and VAE."""
    path = Path("work/state/base_latents.pt")
    made_of = hashlib.sha256(pictures.numpy().tobytes())
    for weight in vae.state_dict().values():
        made_of.update(weight.numpy().tobytes())
    if path.exists():
        state = torch.load(path, weights_only=True)
        if state["made_of"] == made_of.hexdigest():
            return state["latents"], state["halved"]
    latents, halved = encode(vae, pictures, 1), encode(vae, pictures, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"made_of": made_of.hexdigest(), "latents": latents, "halved": halved}, path)
    return latents, halved


@torch.no_grad()
def embed(captions, text_encoder, tokenizer):
    """Return prompt_embeds (N, L, D)."""
    ids = tokenizer(captions, padding="max_length", return_tensors="pt").input_ids
    return torch.cat([text_encoder(batch).last_hidden_state for batch in ids.split(500)])


def main():
    params, rendered = load_params("train_unet"), load_params("render_base")
    params["render_base"] = rendered  # a state of other pictures is of no use
    pictures, captions = load_pictures("render_base"), load_captions("render_base")
    vae = AutoencoderKL.from_pretrained(VAE).eval()
    text_encoder, tokenizer = text_tower()
    (latents, halved), embeds = cached(pictures, vae), embed([*captions, ""], text_encoder, tokenizer)
    names = [renamed(n, rendered["seed"], rendered["accessories"]) for n in range(len(captions))]
    renamed_embeds = embed(names, text_encoder, tokenizer)
    unet, scheduler = make_unet(params, embeds.shape[-1]), make_noise_scheduler()
    print(f"UNet: {sum(p.numel() for p in unet.parameters()) / 1e6:.2f} M parameters", flush=True)
    of_half, trained_on = params.pop("half"), len(pictures) - params["held_out"]
    half = Run("unet_half", unet, params | of_half, ema_decay=params["ema_decay"], schedule=steady)
    train(half, unet, scheduler, TrainingSet(halved, embeds, renamed_embeds, trained_on))
    half.finish()
    run = Run("unet", unet, params | {"half": of_half}, ema_decay=params["ema_decay"], schedule=steady)
    train(run, unet, scheduler, TrainingSet(latents, embeds, renamed_embeds, trained_on))
    save(run, unet, vae, text_encoder, tokenizer, scheduler)


@dataclass(frozen=True)
class TrainingSet:
    """latents (N, 4, H, W); embeds (N + 1, L, D), the last of ""; embeds of made-up names (N, L, D)."""

    latents: torch.Tensor
    embeds: torch.Tensor
    renamed_embeds: torch.Tensor
    trained_on: int


def train(run, unet, scheduler, data):
    """Run the steps that are left.

    Plain noise leaves a picture's mean readable at the last timestep, so that no sample from pure noise is as dark as
    night or as bright as snow: Lin et al. 2023, arXiv 2305.08891. Noise whose mean varies, in the last share of the
    steps, cures most of it.
    """
    params, count = run.params, run.params["batch_size"]
    snr = scheduler.alphas_cumprod / (1 - scheduler.alphas_cumprod)
    for step, generator in run.steps():
        chosen = torch.randint(0, data.trained_on, (count,), generator=generator)
        clean = data.latents[chosen].float()
        dropped = torch.rand(count, generator=generator) < params["caption_dropout"]
        prompt_embeds = data.embeds[torch.where(dropped, len(data.embeds) - 1, chosen)]
        # One timestep from each of `count` equal bands: the loss varies less than with free draws.
        band = torch.arange(count) + torch.rand(count, generator=generator)
        timesteps = (band / count * 1000).long()
        noise = torch.randn(clean.shape, generator=generator)
        # As rare words do on a large base, unknown names must give an ordinary car, not a patchwork of many.
        unknown = (torch.rand(count, generator=generator) < params["unknown_names"]) & ~dropped
        prompt_embeds = torch.where(unknown[:, None, None], data.renamed_embeds[chosen], prompt_embeds)
        if step >= params["steps"] * (1 - params["noise_offset_share"]):
            noise = noise + params["noise_offset"] * torch.randn(count, 4, 1, 1, generator=generator)
        noisy_latents = scheduler.add_noise(clean, noise, timesteps)
        noisy_latents = noisy_latents.to(DEVICE, memory_format=torch.channels_last)
        noise_pred = unet(noisy_latents, timesteps.to(DEVICE), prompt_embeds.to(DEVICE)).sample
        error = (noise_pred - noise.to(DEVICE)).square().mean(dim=(1, 2, 3))
        weights = snr[timesteps].clamp(max=5) / snr[timesteps]
        run.update((weights.to(DEVICE) * error).mean(), error=error.mean().detach())


def save(run, unet, vae, text_encoder, tokenizer, scheduler):
    """Write the average of the weights as a pipeline folder: UNet and VAE in float16.

    The text encoder stays float32: transformers loads a model in the dtype of its file and diffusers in float32, so
    that a plain from_pretrained of a folder that is all float16 could not run.
    """
    run.finish()
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet.half().to(memory_format=torch.contiguous_format),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(OUT)
    print(f"wrote {OUT} after {run.step} steps")


if __name__ == "__main__":
    main()
