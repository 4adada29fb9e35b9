"""Stage train_vae: an AutoencoderKL of 4 x down-scaling on the renders -> work/vae.

One normalisation group: narrow groups wipe out the colour. First on crops, then on whole pictures.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch.nn import functional as F

from training import DEVICE, Run, load_params, load_pictures, to_pixel_values

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
    """L1 + squared error + two more.

    The squared error of the colour differences R-G and G-B starts the colours early; the L1 of the differences between
    neighbouring pixels keeps the edges of stripes, wheels and wings.
    """
    pair = (decoded, pixel_values)
    chroma = [t[:, :2] - t[:, 1:] for t in pair]
    edges = sum(F.l1_loss(*(t.diff(dim=dim) for t in pair)) for dim in (2, 3))
    return F.l1_loss(*pair) + F.mse_loss(*pair) + F.mse_loss(*chroma) + edges


def train(run, pictures, side):
    """Run the steps that are left, on crops of a side."""
    vae, params = run.module, run.params
    for _, generator in run.steps():
        chosen = torch.randint(0, len(pictures), (params["batch_size"],), generator=generator)
        pixel_values = crops(pictures, chosen, side, generator).to(DEVICE)
        posterior = vae.encode(pixel_values).latent_dist
        decoded = vae.decode(posterior.sample(generator=generator)).sample
        reconstruction = reconstruction_loss(decoded, pixel_values)
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        run.update(reconstruction + params["kl_weight"] * kl, l1=F.l1_loss(decoded.detach(), pixel_values), kl=kl)
    run.finish()


def main():
    params = load_params("train_vae")
    of_whole = params.pop("whole")
    pictures = load_pictures()
    vae, trained_on = make_vae(params), len(pictures) - params["held_out"]
    print(f"VAE: {sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters", flush=True)
    train(Run("vae", vae, params, ema_decay=0.995), pictures[:trained_on], params["crop"])
    # Crops of 32 pixels never see a picture's middle far from an edge, and the norms are of the whole.
    whole = Run("vae_whole", vae, params | of_whole | {"first": params}, ema_decay=0.998)
    train(whole, pictures[:trained_on], pictures.shape[-1])
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
