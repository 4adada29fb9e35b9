"""The final file against the base, on fixed prompts and seeds: scores, metrics, pictures, report.html."""

import os
from collections.abc import Sequence
from operator import methodcaller
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from gentra_lora.adapter.card import card_of
from gentra_lora.adapter.file import read_adapter
from gentra_lora.adapter.provenance import versions
from gentra_lora.base.checks import check_base
from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.hardware import hardware_name
from gentra_lora.base.precision import choose_device, choose_precision
from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.evaluation.base_pictures import BasePictures
from gentra_lora.evaluation.features import FeatureModel
from gentra_lora.evaluation.judge import load_judge
from gentra_lora.evaluation.measures import metrics_of
from gentra_lora.evaluation.noise_floor import fitting_noise
from gentra_lora.evaluation.paired_pictures import PairedPictures
from gentra_lora.evaluation.plan import Evaluated, Plan, held_out_rows, make_plan, score
from gentra_lora.evaluation.real_photos import measure_photos, nearest_photos, open_processed
from gentra_lora.evaluation.scored_run import METRICS, NOISE, REPORT, RULER, SCORES, SETUP, Setup
from gentra_lora.evaluation.shown.metrics_table import metrics_table
from gentra_lora.evaluation.shown.report import save_report
from gentra_lora.params import Evaluate, Params, load_params
from gentra_lora.photos.captions import without_trigger
from gentra_lora.photos.manifest import Row, read_manifest
from gentra_lora.photos.notation import check_notation
from gentra_lora.photos.photo import sha256_of
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.sheets import sheets_of
from gentra_lora.stages.run import run
from gentra_lora.training.step_adapters import check_run, step_adapters
from gentra_lora.whole_file import json_text, write_json, write_whole

PROCESSED, LATENTS_DIR, TRAIN_DIR = Path("data/processed"), Path("data/latents"), Path("reports/train")
ADAPTER, IMAGES_DIR = Path("models/sport_gentra_lora.safetensors"), Path("reports/images")


def main() -> None:
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.evaluate
    check_base(source)
    check_notation([*config.prompts, *config.drift_prompts])
    rows = read_manifest(PROCESSED / "manifest.jsonl")
    tensors, header = read_adapter(ADAPTER)
    check_run(TRAIN_DIR, ADAPTER, header)
    device = choose_device()
    precision, _ = choose_precision(source.mixed_precision, device)
    likeness, matching = feature_models(config, device)
    judge = load_judge("evaluate.judge", config.judge) if config.judge else None
    engine = PictureEngine(source, precision, device)
    factors = engine.adapter.fit(ADAPTER, tensors)

    def plain(prompt: str) -> str:
        return without_trigger(prompt, params.prepare.trigger_word, config.class_noun)

    held_out = [row for row in rows if row.split == "held_out"]
    plan = make_plan(held_out, PROCESSED / "images", config, params.prepare.resolution, plain)
    for prompt in plan.prompts:
        engine.embed(prompt)  # refuses one that is too long before anything is drawn
    setup = setup_of(params, source, plan, held_out, engine)
    adapters = step_adapters(TRAIN_DIR / "adapters", engine, factors, int(header["gentra.steps"]))
    scales = config.adapter_scales
    with progress_bar(plan.count + len(scales) * len(adapters)) as bar:
        drawing = PairedPictures(engine, factors, base_pictures(setup), bar)
        drawn = {group: drawing.draw(requests) for group, requests in plan.groups.items()}
        strips = {strength: drawing.draw(requests) for strength, requests in plan.strips.items()}
        steps = drawing.sheet(plan.groups["prompt"][0], scales, adapters)
    photos = open_processed(PROCESSED / "images", rows, params.prepare.resolution)
    real = measure_photos(photos, rows, likeness, matching, plain, judge)
    scores = held_out_rows(engine, factors, load_noise_scheduler(source), LATENTS_DIR)
    scores += score(plan, drawn, real, likeness, matching, plain, judge)
    evaluated = Evaluated(plan, drawn, scores, metrics_of(scores), setup, header)
    write(evaluated)
    save_card(evaluated)
    save_report(
        Path(REPORT),
        IMAGES_DIR,
        TRAIN_DIR,
        evaluated=evaluated,
        sheets=sheets_of(
            plan, drawn, strips, steps, scales, photos, nearest_photos(config.prompts, rows, photos, matching, plain)
        ),
        photos=photos,
        copy_threshold=real.copy_threshold,
        noise=fitting_noise(Path(NOISE), setup),
    )
    print("\n".join([*metrics_table(evaluated.metrics), f"report: {REPORT}"]))


def feature_models(config: Evaluate, device: torch.device) -> tuple[FeatureModel, FeatureModel]:
    """Return the models of likeness and of prompts, one object where they are the same."""
    likeness = FeatureModel("evaluate.likeness_model", config.likeness_model, config.likeness_revision, device)
    if (config.prompt_model, config.prompt_revision) == (config.likeness_model, config.likeness_revision):
        return likeness, likeness
    return likeness, FeatureModel("evaluate.prompt_model", config.prompt_model, config.prompt_revision, device)


def setup_of(params: Params, source: BaseSource, plan: Plan, held_out: Sequence[Row], engine: PictureEngine) -> Setup:
    """Return how this evaluation is made, for comparisons; see scored_run.COMPARED."""
    config, groups = params.evaluate, plan.groups
    return {
        "ruler": RULER,
        "weights_sha256": sha256_of(ADAPTER),
        "base": base_identity(source),
        "likeness_model": base_identity(BaseSource(config.likeness_model, config.likeness_revision)),
        "prompt_model": base_identity(BaseSource(config.prompt_model, config.prompt_revision)),
        "judge": sha256_of(Path(config.judge)) if config.judge else None,
        "held_out": {row.file_name: row.sha256 for row in held_out},
        "captions": [row.caption for row in held_out],
        "class_prompts": list(dict.fromkeys(request.prompt for request in groups["class"])),
        "prompts": config.prompts,
        "drift_prompts": config.drift_prompts,
        "seeds": config.seeds,
        "resolution": params.prepare.resolution,
        "num_inference_steps": config.num_inference_steps,
        "guidance_scale": config.guidance_scale,
        "device": hardware_name(engine.device),
        "precision": engine.precision,
        "versions": versions(),
    }


def base_pictures(setup: Setup) -> BasePictures:
    """Return the base's pictures, beside the checkpoints: in Colab both stay on Drive."""
    folder = Path(os.environ.get("GENTRA_CHECKPOINTS", "checkpoints")) / "base_pictures"
    identity = {
        "base": setup["base"],
        "device": setup["device"],
        "precision": setup["precision"],
        "versions": setup["versions"],
    }
    return BasePictures(folder, identity)


def progress_bar(count: int) -> tqdm:
    """Return the bar of `count` pictures; silent where nobody watches."""
    return tqdm(total=count, desc="evaluate", unit="picture", dynamic_ncols=True, disable=None)


def write(evaluated: Evaluated) -> None:
    """Write metrics.json, the scores a line each, and evaluation.json."""
    lines = [json_text(row, f"{SCORES}:{n}") for n, row in enumerate(evaluated.rows, 1)]
    texts = {METRICS: json_text(evaluated.metrics, METRICS, indent=2), SCORES: "\n".join(lines)}
    texts[SETUP] = json_text(evaluated.setup, SETUP, indent=1)
    for path, text in texts.items():
        write_whole(Path(path), methodcaller("write_text", f"{text}\n", encoding="utf-8"))


def save_card(evaluated: Evaluated) -> None:
    """Write what other programs show of the file beside it: a card, and the first prompt's picture."""
    write_json(ADAPTER.with_suffix(".json"), card_of(evaluated.header), indent=1)
    Image.fromarray(evaluated.drawn["prompt"]["adapter"][0]).save(ADAPTER.with_suffix(".png"))


if __name__ == "__main__":
    run("evaluate", main)
