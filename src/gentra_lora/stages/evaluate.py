"""The final file against the base, on fixed prompts and seeds: numbers in metrics.json, pictures in reports/images."""

import json
from pathlib import Path

import numpy as np

from gentra_lora.base_model import DTYPES, BaseSource, check_base, choose_device, choose_precision, load_noise_scheduler
from gentra_lora.captions import without_trigger
from gentra_lora.crops import centre_crop
from gentra_lora.features import FeatureModel
from gentra_lora.generation import img2img, load_generator, set_adapter_scale
from gentra_lora.held_out import held_out_errors
from gentra_lora.latents import load_split, read_index
from gentra_lora.manifest import read_manifest
from gentra_lora.metrics_table import metrics_table
from gentra_lora.params import load_params
from gentra_lora.photo import open_upright
from gentra_lora.pictures import Settings, generate
from gentra_lora.report import grid
from gentra_lora.scores import drift, gap_closed, nearest_rows, paired_similarity
from gentra_lora.stages import run

PROCESSED_DIR, LATENTS_DIR = Path("data/processed"), Path("data/latents")
ADAPTER = Path("models/sport_gentra_lora.safetensors")
METRICS, SCORES, IMAGES_DIR = Path("reports/metrics.json"), Path("reports/scores.jsonl"), Path("reports/images")


def main():
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.evaluate
    check_base(source)
    device = choose_device()
    likeness = FeatureModel("evaluate.likeness_model", config.likeness_model, config.likeness_revision, device)
    matching = likeness
    if (config.prompt_model, config.prompt_revision) != (config.likeness_model, config.likeness_revision):
        matching = FeatureModel("evaluate.prompt_model", config.prompt_model, config.prompt_revision, device)
    precision, _ = choose_precision(source.mixed_precision, device)
    pipeline = load_generator(source, ADAPTER, DTYPES[precision], device)
    settings = Settings(params.prepare.resolution, config.num_inference_steps, config.guidance_scale)
    rows = read_manifest(PROCESSED_DIR / "manifest.jsonl")
    photos = np.stack([open_processed(row, settings.resolution) for row in rows])
    held_out = [n for n, row in enumerate(rows) if row.split == "held_out"]

    def plain(prompt):
        return without_trigger(prompt, params.prepare.trigger_word, config.class_noun)

    metrics = held_out_losses(pipeline, load_noise_scheduler(source))
    groups = {
        "likeness": [rows[n].caption for n in held_out],
        "prompt": config.prompts,
        "drift": config.drift_prompts,
    }
    pictures = {group: generate_both(pipeline, prompts, config.seeds, settings) for group, prompts in groups.items()}
    captions = matching.of_prompts([plain(row.caption) for row in rows])
    scores = [
        *likeness_scores(likeness, pictures["likeness"], photos, captions, held_out, rows, config.seeds),
        *prompt_scores(matching, pictures["prompt"], config, plain),
        *drift_scores(likeness, pictures["drift"], config),
    ]
    metrics |= means(scores)
    metrics["prompt_match_real"] = float(paired_similarity(matching.of_pictures(photos), captions).mean())
    metrics["gap_closed"] = gap_closed(
        metrics["subject_similarity"], metrics["subject_similarity_base"], metrics["subject_similarity_real"]
    )
    metrics = {key: value if value is None else round(value, 5) for key, value in metrics.items()}  # the rest is noise
    write(metrics, scores)

    IMAGES_DIR.mkdir(parents=True, exist_ok=True)
    real = [photos[n] for n in nearest_rows(matching.of_prompts([plain(p) for p in config.prompts]), captions).tolist()]
    draw_grid(config, pictures["prompt"], real).save(IMAGES_DIR / "grid.png")
    draw_img2img(pipeline, rows[held_out[0]], config, settings).save(IMAGES_DIR / "img2img.png")
    print("\n".join(metrics_table(metrics)))
    print(f"pictures: {IMAGES_DIR}/grid.png and img2img.png")


def open_processed(row, resolution):
    """Return a processed photo's centre crop, uint8 (R, R, 3)."""
    return np.array(centre_crop(open_upright(PROCESSED_DIR / "images" / row.file_name), resolution))


def held_out_losses(pipeline, noise_scheduler):
    """Return val_loss and val_loss_base, both measured through the loaded file."""
    photos, factor, losses = load_split(LATENTS_DIR, "held_out"), read_index(LATENTS_DIR)["scaling_factor"], {}
    for key, scale in (("val_loss", 1.0), ("val_loss_base", 0.0)):
        set_adapter_scale(pipeline, scale)
        losses[key] = float(held_out_errors(pipeline.unet, noise_scheduler, photos, factor).mean())
    return losses


def generate_both(pipeline, prompts, seeds, settings):
    """Return {"adapter", "base"}: pictures (prompts x seeds, R, R, 3), the seeds of one prompt side by side."""
    pictures = {}
    repeated = [prompt for prompt in prompts for _ in seeds]
    for name, scale in (("adapter", 1.0), ("base", 0.0)):
        set_adapter_scale(pipeline, scale)
        pictures[name] = generate(pipeline, repeated, list(seeds) * len(prompts), settings)
    return pictures


def likeness_scores(model, pictures, photos, captions, held_out, rows, seeds):
    """Score pictures of the held-out captions against the held-out photos.

    The ceiling, `real`, is the training photo whose caption is nearest: what a perfect adapter could have drawn.
    """
    features = {name: model.of_pictures(made) for name, made in pictures.items()}
    real = model.of_pictures(photos)
    train = [n for n, row in enumerate(rows) if row.split == "train"]
    nearest = [train[n] for n in nearest_rows(captions[held_out], captions[train]).tolist()]
    wanted = real[[n for n in held_out for _ in seeds]]
    adapter, base = (paired_similarity(features[name], wanted).tolist() for name in ("adapter", "base"))
    ceiling = paired_similarity(real[nearest], real[held_out]).tolist()
    for number, (with_adapter, without) in enumerate(zip(adapter, base, strict=True)):
        photo, seed = divmod(number, len(seeds))
        row = rows[held_out[photo]]
        yield {
            "prompt": row.caption,
            "seed": seeds[seed],
            "photo": row.file_name,
            "subject_similarity": with_adapter,
            "subject_similarity_base": without,
            "subject_similarity_real": ceiling[photo],
        }


def prompt_scores(model, pictures, config, plain):
    """Score how well pictures follow their prompts; the trigger word is read as the class noun."""
    wanted = model.of_prompts([plain(prompt) for prompt in config.prompts for _ in config.seeds])
    found = {name: paired_similarity(model.of_pictures(made), wanted).tolist() for name, made in pictures.items()}
    for number, (prompt, seed) in enumerate((p, s) for p in config.prompts for s in config.seeds):
        yield {
            "prompt": prompt,
            "seed": seed,
            "prompt_match": found["adapter"][number],
            "prompt_match_base": found["base"][number],
        }


def drift_scores(model, pictures, config):
    """Score how much the adapter changes pictures that have nothing to do with the subject."""
    changed = drift(model.of_pictures(pictures["adapter"]), model.of_pictures(pictures["base"])).tolist()
    pairs = [(prompt, seed) for prompt in config.drift_prompts for seed in config.seeds]
    for (prompt, seed), value in zip(pairs, changed, strict=True):
        yield {"prompt": prompt, "seed": seed, "drift": value}


def means(scores):
    """Return the mean of every measure over the rows that have it."""
    names = dict.fromkeys(name for row in scores for name in row if name not in ("prompt", "seed", "photo"))
    return {name: float(np.mean([row[name] for row in scores if name in row])) for name in names}


def write(metrics, scores):
    """Write metrics.json, and one line of scores a picture."""
    METRICS.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    lines = [json.dumps(row, ensure_ascii=False) for row in scores]
    SCORES.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw_grid(config, pictures, real):
    """Return the sheet base | adapter | real, one prompt a column, at the first seed."""
    step = len(config.seeds)
    rows = [("base", pictures["base"][::step]), ("adapter", pictures["adapter"][::step]), ("nearest real photo", real)]
    return grid(config.prompts, rows, title=f"the same prompt and seed ({config.seeds[0]}) in each column")


def draw_img2img(pipeline, row, config, settings):
    """Return the sheet of a held-out photo redrawn at each strength, with the base and with the adapter."""
    photo = open_upright(PROCESSED_DIR / "images" / row.file_name)
    whole = np.array(centre_crop(photo, settings.resolution))
    rows = []
    for name, scale in (("base", 0.0), ("adapter", 1.0)):
        set_adapter_scale(pipeline, scale)
        redrawn = [
            img2img(pipeline, photo, row.caption, config.seeds[0], strength, settings)
            for strength in config.img2img_strengths
        ]
        rows.append((f"{name}: {row.caption}", [whole, *redrawn]))
    columns = ["held-out photo", *(f"strength {strength:g}" for strength in config.img2img_strengths)]
    return grid(columns, rows, title="img2img")


if __name__ == "__main__":
    run("evaluate", main)
