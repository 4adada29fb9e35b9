"""data/processed -> data/latents: what the VAE and the text encoder make of each photo and caption, once."""

from pathlib import Path

import torch

from gentra_lora.base_model import (
    BaseSource,
    base_identity,
    check_base,
    choose_device,
    load_text_encoder,
    load_tokenizer,
    load_vae,
)
from gentra_lora.latents import (
    content_key,
    crop_boxes,
    encode_photo,
    encode_prompt,
    write_empty_prompt,
    write_index,
    write_latents,
)
from gentra_lora.manifest import read_manifest
from gentra_lora.params import load_params
from gentra_lora.photo import crop_square, open_upright, to_pixel_values
from gentra_lora.stages import run

IN_DIR, OUT_DIR = Path("data/processed"), Path("data/latents")


def main():
    params = load_params()
    source = BaseSource(**params.base.model_dump())
    check_base(source)
    device = choose_device()
    vae = load_vae(source).to(device)
    tokenizer, text_encoder = load_tokenizer(source), load_text_encoder(source).to(device)
    base, resolution = base_identity(source), params.prepare.resolution

    OUT_DIR.mkdir(parents=True, exist_ok=True)
    index = []
    for row in read_manifest(IN_DIR / "manifest.jsonl"):
        image = open_upright(IN_DIR / "images" / row.file_name)
        # A held-out photo is always seen whole: its loss must not depend on luck.
        variants = params.cache_latents.crop_variants if row.split == "train" else 1
        boxes = crop_boxes(row.sha256, image.size, variants, params.cache_latents.crop_min_scale, resolution)
        crops = [to_pixel_values(crop_square(image, *box, resolution)) for box in boxes]
        mean, std = encode_photo(vae, torch.cat(crops), row.file_name)
        key = content_key(row.sha256, boxes, resolution, row.caption, base)
        write_latents(OUT_DIR / f"{key}.safetensors", mean, std, encode_prompt(tokenizer, text_encoder, row.caption))
        index.append({"file_name": row.file_name, "sha256": row.sha256, "split": row.split, "key": key})
    write_empty_prompt(OUT_DIR, encode_prompt(tokenizer, text_encoder, ""))
    write_index(OUT_DIR, index, vae.config.scaling_factor, base)
    crops = sum(1 if row["split"] == "held_out" else params.cache_latents.crop_variants for row in index)
    print(f"cached {crops} crops of {len(index)} photos as latents {tuple(mean.shape[1:])} on {device}")


if __name__ == "__main__":
    run("cache_latents", main)
