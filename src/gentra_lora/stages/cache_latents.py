"""data/processed -> data/latents: what the VAE and the text encoder make of each photo and caption, once.

`accelerate launch --num_processes N -m gentra_lora.stages.cache_latents` shares the photos among N processes.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm

from gentra_lora.base.checks import check_base
from gentra_lora.base.model import load_text_encoder, load_tokenizer, load_vae
from gentra_lora.base.precision import DTYPES, choose_device, choose_precision
from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.errors import listed
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.latents.class_pictures import ClassPictures, class_captions
from gentra_lora.params import Params, load_params
from gentra_lora.photos.manifest import Row, read_manifest
from gentra_lora.pictures.sampling_pipeline import Settings
from gentra_lora.stages.run import run

IN_DIR, OUT_DIR = Path("data/processed"), Path("data/latents")


def main() -> None:
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
    added = [(row.file_name, cache.add_photo(row, *files_of(row))) for row in shown]
    class_keys, drawn = add_class_pictures(cache, source, rows, params, config.class_pictures, processes)
    keys: dict[str, str] = dict(gather_object(added))
    counts = gather_object([(cache.encoded, cache.embedded, drawn)])
    if processes.is_main_process:
        finish(cache, rows, keys, class_keys, base_identity(source))
        encoded, embedded, drawn = (sum(column) for column in zip(*counts, strict=True))
        print(
            f"cached the latents of {listed(len(rows), 'photo')}: {encoded} encoded, {embedded} captions embedded, "
            + f"{listed(drawn, 'class picture')} drawn, " * bool(class_keys)
            + f"the rest was there; {processes.num_processes} x {processes.device}, {time.monotonic() - started:.1f} s"
        )
    processes.wait_for_everyone()


def files_of(row: Row) -> tuple[Path, Path | None]:
    """Return a photo's picture, and its mask where it has one."""
    return IN_DIR / "images" / row.file_name, IN_DIR / "masks" / row.file_name if row.mask_sha256 else None


def add_class_pictures(
    cache: LatentCache, source: BaseSource, rows: Sequence[Row], params: Params, count: int, processes: PartialState
) -> tuple[list[str], int]:
    """Return the keys of all `count` class pictures, and how many of them this process has drawn."""
    nouns = params.prepare.trigger_word, params.evaluate.class_noun
    captions = [row.caption for row in rows if row.split == "train"]
    wanted = list(enumerate(class_captions(captions, *nouns, count)))
    settings = Settings(params.prepare.resolution, params.evaluate.num_inference_steps, params.evaluate.guidance_scale)
    precision, _ = choose_precision(source.mixed_precision, processes.device)
    pictures = ClassPictures(cache, source, DTYPES[precision], processes.device, settings)
    mine = wanted[processes.process_index :: processes.num_processes]
    shown = tqdm(mine, desc="class pictures", leave=False, disable=None if wanted else True)
    keys = gather_object([pictures.add(caption, seed) for seed, caption in shown])
    return keys, pictures.drawn


def finish(
    cache: LatentCache, rows: Sequence[Row], keys: Mapping[str, str], class_keys: Sequence[str], base: str
) -> None:
    """Write the index, then remove what is stale; every file is there by now, whichever process wrote it."""
    listing = [
        {
            "file_name": row.file_name,
            "sha256": row.sha256,
            "caption": row.caption,
            "split": row.split,
            "mask_sha256": row.mask_sha256,
            "key": keys[row.file_name],
        }
        for row in rows
    ]
    listing += [
        {"file_name": key, "sha256": key, "caption": "", "split": "class", "key": key} for key in sorted(class_keys)
    ]
    empty_prompt = cache.add_prompt("")
    cache.write_index(listing, empty_prompt, base)
    cache.prune([*keys.values(), *class_keys, empty_prompt])


if __name__ == "__main__":
    run("cache_latents", main)
