"""data/processed -> data/latents: what the VAE and the text encoder make of each photo and caption, once.

`accelerate launch --num_processes N -m gentra_lora.stages.cache_latents` shares the photos among N processes.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm

from gentra_lora.base.checks import check_base
from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.model import load_text_encoder, load_tokenizer, load_vae
from gentra_lora.base.precision import DTYPES, choose_device, choose_precision
from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.errors import listed
from gentra_lora.latents.base_predictions import BasePredictions
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.latents.class_pictures import NUM_INFERENCE_STEPS, ClassPictures
from gentra_lora.params import Params, load_params
from gentra_lora.photos.captions import without_trigger
from gentra_lora.photos.manifest import Row, read_manifest
from gentra_lora.pictures.sampling_pipeline import Settings, pictures_at_once
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
    keys: dict[str, str] = dict(gather_object(added))
    prior = make_prior(cache, source, params, processes.device)
    prior_keys = add_prior(prior, rows, keys, params, processes)
    counts = gather_object([(cache.encoded, cache.embedded, prior.pictures.drawn, prior.computed * prior.draws)])
    if processes.is_main_process:
        finish(cache, rows, keys, prior_keys, base_identity(source))
        encoded, embedded, drawn, predicted = (sum(column) for column in zip(*counts, strict=True))
        print(
            f"cached the latents of {listed(len(rows), 'photo')}: {encoded} encoded, {embedded} captions embedded, "
            + f"{listed(drawn, 'class picture')} drawn, {listed(predicted, 'base prediction')} made, "
            * bool(params.cache_latents.prior_draws)
            + f"the rest was there; {processes.num_processes} x {processes.device}, {time.monotonic() - started:.1f} s"
        )
    processes.wait_for_everyone()


def files_of(row: Row) -> tuple[Path, Path | None]:
    """Return a photo's picture, and its mask where it has one."""
    return IN_DIR / "images" / row.file_name, IN_DIR / "masks" / row.file_name if row.mask_sha256 else None


def make_prior(cache: LatentCache, source: BaseSource, params: Params, device: torch.device) -> BasePredictions:
    """Return what draws class pictures and predicts; the base is not loaded before it is needed."""
    precision, _ = choose_precision(source.mixed_precision, device)
    settings = Settings(params.prepare.resolution, NUM_INFERENCE_STEPS, params.evaluate.guidance_scale)
    pictures = ClassPictures(cache, source, DTYPES[precision], device, settings)
    return BasePredictions(pictures, load_noise_scheduler(source), params.cache_latents.prior_draws)


def add_prior(
    prior: BasePredictions, rows: Sequence[Row], keys: Mapping[str, str], params: Params, processes: PartialState
) -> dict[str, list[str]]:
    """Return the keys of all "class_pictures" and "base_predictions", to which this process has added its share.

    The base predicts on the pictures that it drew for the class prompts, and on the training photos under captions
    with the class noun for the trigger word.
    """
    config, nouns = params.cache_latents, (params.prepare.trigger_word, params.evaluate.class_noun)
    if not config.prior_draws:
        return {"class_pictures": [], "base_predictions": []}
    prompts = [config.class_prompts[n % len(config.class_prompts)] for n in range(config.class_pictures)]
    seeds = list(range(len(prompts)))
    mine = slice(processes.process_index, None, processes.num_processes)
    photos = [(keys[row.file_name], without_trigger(row.caption, *nouns)) for row in rows if row.split == "train"]
    batch_size = pictures_at_once(params.prepare.resolution)
    batches = [slice(start, start + batch_size) for start in range(0, len(prompts), batch_size)][mine]
    drawn: list[tuple[str, str]] = []
    total = sum(len(prompts[batch]) for batch in batches)
    with tqdm(total=total, desc="class pictures", leave=False, disable=None if total else True) as shown:
        for batch in batches:
            drawn += zip(prior.pictures.add(prompts[batch], seeds[batch]), prompts[batch], strict=True)
            shown.update(len(prompts[batch]))
    told = tqdm([*drawn, *photos[mine]], desc="base predictions", leave=False, disable=None)
    predicted = [prior.add(key, prompt) for key, prompt in told]
    found = {"class_pictures": [key for key, _ in drawn], "base_predictions": predicted}
    return {kind: sorted(gather_object(keys_of_mine)) for kind, keys_of_mine in found.items()}


def finish(
    cache: LatentCache, rows: Sequence[Row], keys: Mapping[str, str], prior_keys: dict[str, list[str]], base: str
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
    empty_prompt = cache.add_prompt("")
    cache.write_index(listing, empty_prompt, base, prior_keys)
    cache.prune([*keys.values(), *chain(*prior_keys.values()), empty_prompt])


if __name__ == "__main__":
    run("cache_latents", main)
