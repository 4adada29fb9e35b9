"""data/processed -> data/latents: what the VAE and the text encoder make of each photo and caption, once.

`accelerate launch --num_processes N -m gentra_lora.stages.cache_latents` shares the photos among N processes.
"""

import time
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm

from gentra_lora.base_model import (
    BaseSource,
    base_identity,
    check_base,
    choose_device,
    load_text_encoder,
    load_tokenizer,
    load_vae,
)
from gentra_lora.errors import listed
from gentra_lora.latent_cache import CropSettings, LatentCache
from gentra_lora.manifest import read_manifest
from gentra_lora.params import load_params
from gentra_lora.stages import run

IN_DIR, OUT_DIR = Path("data/processed"), Path("data/latents")


def main():
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.cache_latents
    check_base(source)
    processes = PartialState(cpu=choose_device().type == "cpu")
    cache = LatentCache(
        OUT_DIR,
        load_vae(source).to(processes.device),
        load_tokenizer(source),
        load_text_encoder(source).to(processes.device),
        CropSettings(config.crop_variants, config.crop_min_scale, config.flip),
        config.batch_size,
    )
    rows, started = read_manifest(IN_DIR / "manifest.jsonl"), time.monotonic()
    mine = rows[processes.process_index :: processes.num_processes]
    shown = tqdm(mine, desc="latents", unit="photo", leave=False, disable=None)
    keys = [(row.file_name, cache.add_photo(row, IN_DIR / "images" / row.file_name)) for row in shown]
    keys, done = dict(gather_object(keys)), gather_object([(cache.encoded, cache.embedded)])
    if processes.is_main_process:
        finish(cache, rows, keys, base_identity(source))
        encoded, embedded = (sum(column) for column in zip(*done, strict=True))
        print(
            f"cached the latents of {listed(len(rows), 'photo')}: {encoded} encoded, {embedded} captions embedded, "
            f"the rest was there; {processes.num_processes} x {processes.device}, {time.monotonic() - started:.1f} s"
        )
    processes.wait_for_everyone()


def finish(cache, rows, keys, base):
    """Write the index, then remove what is stale; every photo's file is there by now, whichever process wrote it."""
    listing = [
        {"file_name": row.file_name, "sha256": row.sha256, "split": row.split, "key": keys[row.file_name]}
        for row in rows
    ]
    empty_prompt = cache.add_prompt("")
    cache.write_index(listing, empty_prompt, base)
    cache.prune([*keys.values(), empty_prompt])


if __name__ == "__main__":
    run("cache_latents", main)
