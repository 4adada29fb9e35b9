"""Stage train_vae: an AutoencoderKL of 4 x down-scaling on the renders -> work/vae.

One normalisation group: narrow groups wipe out the colour. The last share of the steps sees whole pictures.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch.nn import functional as F

from training import Run, load_params, load_pictures, to_pixel_values

OUT = Path("work/vae")


def make_vae(params):
    torch.manual_seed(params["seed"])
    channels = params["channels"]
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=1,
        norm_num_groups=1,
        latent_channels=4,
        sample_size=128,
        mid_block_add_attention=False,
    ).to(memory_format=torch.channels_last)


def crops(pictures, chosen, side, generator):
    """Return random crops of the chosen pictures as pixel_values (B, 3, side, side)."""
    room = pictures.shape[-1] - side + 1
    corners = torch.randint(0, room, (len(chosen), 2), generator=generator).tolist()
    cut = [pictures[n, :, y : y + side, x : x + side] for n, (y, x) in zip(chosen.tolist(), corners, strict=True)]
    return to_pixel_values(torch.stack(cut)).to(memory_format=torch.channels_last)


def reconstruction_loss(decoded, pixel_values):
    """L1 + squared error + squared error of the colour differences R-G and G-B, which starts the colours early."""
    chroma = [t[:, :2] - t[:, 1:] for t in (decoded, pixel_values)]
    return F.l1_loss(decoded, pixel_values) + F.mse_loss(decoded, pixel_values) + F.mse_loss(*chroma)


def main():
    params = load_params("train_vae")
    pictures, _ = load_pictures()
    vae = make_vae(params)
    print(f"VAE: {sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters", flush=True)
    run = Run("vae", vae, params, ema_decay=0.995)
    trained_on = len(pictures) - params["held_out"]
    for step, generator in run.steps():
        whole = step >= params["steps"] * (1 - params["whole_pictures"])
        side, count = (pictures.shape[-1], params["batch_whole"]) if whole else (params["crop"], params["batch_size"])
        chosen = torch.randint(0, trained_on, (count,), generator=generator)
        pixel_values = crops(pictures, chosen, side, generator)
        posterior = vae.encode(pixel_values).latent_dist
        decoded = vae.decode(posterior.sample(generator=generator)).sample
        reconstruction = reconstruction_loss(decoded, pixel_values)
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        run.update(reconstruction + params["kl_weight"] * kl, l1=F.l1_loss(decoded.detach(), pixel_values), kl=kl)
    vae.load_state_dict(run.ema)
    vae.eval()
    with torch.no_grad():
        pixel_values = to_pixel_values(pictures[trained_on : trained_on + 64])
        latents = vae.encode(pixel_values).latent_dist.mean
        error = F.mse_loss(vae.decode(latents).sample.clamp(-1, 1), pixel_values)
    # As in SD: the factor brings the latents to a variance of 1.
    vae.register_to_config(scaling_factor=round(1 / float(latents.std()), 5))
    psnr = -10 * torch.log10(error / 4)
    print(f"held out: {psnr:.1f} dB; scaling_factor {vae.config.scaling_factor}")
    vae.save_pretrained(OUT)


if __name__ == "__main__":
    main()
