"""cache_latents against a plain loop of vae.encode over the same crops; its memory at 100 and at 2,000 photos.

`make bench` or `python bench/cache.py`: writes bench/cache.json. Both ways run in turns in one process, so that the
ratio holds on a noisy machine. The plain loop opens, crops and encodes one crop after the other, and keeps nothing.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from peak_memory import own_peak_mb
from PIL import Image

from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import BaseSource, load_text_encoder, load_tokenizer, load_vae
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.photos.crops import crop, crop_boxes
from gentra_lora.photos.manifest import Row
from gentra_lora.photos.photo import open_upright, to_pixel_values

BASE = BaseSource("models/nano-sd")
SIZE, VARIANTS, MIN_SCALE, BATCH_SIZE, ROUNDS = (128, 128), 6, 0.95, 2, 5  # as in profiles/demo.yaml
RESULT = Path(__file__).with_suffix(".json")


def write_photos(folder, count):
    """Write `count` photos; return their manifest rows."""
    rows = []
    for n in range(count):
        patches = np.random.default_rng(n).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((192, 160), Image.Resampling.BICUBIC).save(folder / f"{n}.png")
        rows.append(Row(f"{n}.png", f"{n:064x}", f"a car, number {n % 7}", "train", *SIZE))
    return rows


def new_cache(folder, settings):
    return LatentCache(folder, load_vae(BASE), load_tokenizer(BASE), load_text_encoder(BASE), settings, BATCH_SIZE)


def fill(cache, rows, photos):
    for row in rows:
        cache.add_photo(row, photos / row.file_name)


@torch.no_grad()
def plain_loop(vae, rows, photos, settings):
    """Encode the same crops, one after the other."""
    for row in rows:
        image = open_upright(photos / row.file_name)
        for box in crop_boxes(row.sha256, image.size, SIZE, settings.variants, settings.min_scale):
            vae.encode(to_pixel_values(crop(image, box, SIZE))).latent_dist.mean.numpy()


def timed(work, *args):
    started = time.monotonic()
    work(*args)
    return time.monotonic() - started


def speed(photos, rows):
    """Return photos/s of cache_latents and of the plain loop: medians of ROUNDS turns, and the ratio of each turn."""
    settings, seconds = CropSettings(VARIANTS, MIN_SCALE, flip=False), []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            cache = new_cache(Path(folder), settings)
            ours = timed(fill, cache, rows, photos)
            seconds.append((ours, timed(plain_loop, cache.vae, rows, photos, settings)))
    return {
        "photos": len(rows),
        "crops_of_a_photo": VARIANTS,
        "photos_per_second": round(statistics.median(len(rows) / ours for ours, _ in seconds), 2),
        "photos_per_second_plain_loop": round(statistics.median(len(rows) / plain for _, plain in seconds), 2),
        "ratio": round(statistics.median(plain / ours for ours, plain in seconds), 3),
    }


def peak_memory(count):
    """Return the peak resident memory in MB of a process that caches `count` photos, one crop each."""
    done = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def cache_and_tell_memory(count):
    with tempfile.TemporaryDirectory() as folder:
        photos, latents = Path(folder) / "photos", Path(folder) / "latents"
        photos.mkdir()
        rows = write_photos(photos, count)
        cache = new_cache(latents, CropSettings(1, 1.0, flip=False))
        fill(cache, rows, photos)
    print(own_peak_mb())


def main():
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder)
        result = speed(photos, write_photos(photos, 60))
    result |= {f"peak_mb_{count}_photos": round(peak_memory(count)) for count in (100, 2000)}
    result["torch_threads"] = torch.get_num_threads()
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    hush_libraries()
    cache_and_tell_memory(int(sys.argv[1])) if sys.argv[1:] else main()
