"""data/latents -> models/sport_gentra_lora.safetensors: the adapter, trained on the frozen denoiser.

`accelerate launch --num_processes N -m gentra_lora.stages.train` shares each batch among N GPUs; the weights are those
of one process but for the order of float additions.
"""

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

import gentra_lora
from gentra_lora.adapter.file import check_effect, kohya_tensors, write_adapter
from gentra_lora.adapter.hashes import hashes_of
from gentra_lora.adapter.key_maps import check_keys
from gentra_lora.adapter.lora import lora_modules
from gentra_lora.adapter.provenance import adapter_metadata, versions
from gentra_lora.adapter.reload_check import check_written
from gentra_lora.adapter.start import Start, check_start, read_start, start_modules
from gentra_lora.base.checks import check_base
from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.model import load_unet
from gentra_lora.base.precision import DTYPES, choose_device, choose_precision
from gentra_lora.base.source import BaseSource
from gentra_lora.errors import InputError, listed
from gentra_lora.latents.base_predictions import load_predictions
from gentra_lora.latents.cached_photos import CachedPhotos, load_split, read_empty_prompt, read_index
from gentra_lora.params import Params, Train, load_params
from gentra_lora.photos.notation import check_notation
from gentra_lora.pictures.sampling_pipeline import Settings, check_prompts, load_sampler
from gentra_lora.stages.run import run
from gentra_lora.training.batches import TrainingData
from gentra_lora.training.between_steps import BetweenSteps, check_result, result_of
from gentra_lora.training.checkpoint import check_writable, checkpoint_folder, newest_checkpoint, remove_old
from gentra_lora.training.identity import note_values, noted_values, of_any_length, why_fresh
from gentra_lora.training.interruption import Interruption
from gentra_lora.training.optimizers import find_optimizer, package_of
from gentra_lora.training.progress import Progress
from gentra_lora.training.run import Training
from gentra_lora.training.samples import NUM_INFERENCE_STEPS, Samples
from gentra_lora.training.step_adapters import RUN, write_run

LATENTS_DIR, OUT, LOG_DIR = Path("data/latents"), Path("models/sport_gentra_lora.safetensors"), Path("reports/train")
START = "gentra.start_from"  # the sha256 of the file that it went on from
# The rooms whose code can change the result, as dvc.yaml has them.
ROOMS = ("base", "photos", "adapter", "pictures", "latents", "training")
# Parameters that cannot change the result, and where a file lies, whose hash counts.
ASIDE = {"author", "start_from", "checkpoint_every", "checkpoint_minutes", "checkpoints_kept"}
ASIDE |= {"sample_every", "sample_prompts", "sample_guidance_scale"}


def main() -> None:
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.train
    check_base(source)
    find_optimizer(config.optimizer)
    index = read_index(LATENTS_DIR)
    device = choose_device()
    precision, reason = choose_precision(source.mixed_precision, device)
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=precision)
    start = find_start(config, index["base"])
    values = everything_that_counts(config, index, precision, reason, accelerator.num_processes)
    values["start_from"] = start.sha256 if start else None
    checkpoints, name = checkpoint_folder(of_any_length(values)), checkpoint_folder(values).name
    for folder in (checkpoints, OUT.parent, LOG_DIR):
        check_writable(folder)
    unet = load_unet(source, DTYPES[precision])
    if config.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    training = Training(unet, load_noise_scheduler(source), load_data(config, index), config, accelerator)
    samples = make_samples(training, params, source, DTYPES[precision], checkpoints)
    if start:
        training.start_from(start_modules(start, lora_modules(training.unet)), start.sha256)
    metadata = {RUN: name} | ({START: start.sha256} if start else {}) | header_of(training, params, index)
    if accelerator.is_main_process:
        shutil.rmtree(LOG_DIR, ignore_errors=True)  # it is the last run's, and may hold links to DVC's cache
        write_run(LOG_DIR, name)
        print(first_line_of(training, reason), flush=True)
        if start:
            print(f"beginning with {start.label}, trained for {start.header.get('gentra.steps', 'unknown')} steps")
    resume(training, checkpoints, samples, values)
    train(training, load_split(LATENTS_DIR, "held_out"), checkpoints, samples, metadata)
    if accelerator.is_main_process:
        export(training, metadata)
        remove_old(checkpoints, 1, training.step)


def header_of(training: Training, params: Params, index: Mapping[str, Any]) -> dict[str, str]:
    """Return the adapter file's header, but for the training's result."""
    config, photos = params.train, training.data.photos
    return adapter_metadata(
        train_params=config.model_dump(exclude=ASIDE),
        base=index["base"],
        trigger_word=params.prepare.trigger_word,
        resolution=params.prepare.resolution,
        prediction_type=training.noise_scheduler.config["prediction_type"],
        cross_attention_dim=training.unet.config["cross_attention_dim"],
        photos=photos.digests,
        captions=[row["caption"] for row in index["photos"] if row["split"] == "train"],
        sizes=[(width * index["downscale"], height * index["downscale"]) for _, height, width in photos.shapes],
        author=config.author,
        raw_dir=params.prepare.raw_dir,
        versions=versions(package_of(config.optimizer)),
    )


def everything_that_counts(
    config: Train, index: Mapping[str, Any], precision: str, reason: str, processes: int
) -> dict[str, Any]:
    """Return all that can change a step's result: a checkpoint of anything else is not resumed."""
    return {
        "params": config.model_dump(exclude=ASIDE),
        "index": index,
        "precision": [precision, reason, processes],
        "versions": versions(package_of(config.optimizer)),
        "code": code_digest(Path(gentra_lora.__file__).parent),
    }


def find_start(config: Train, base: str) -> Start | None:
    """Return the adapter to go on from, of the shape and base that are to be trained; None from nothing."""
    if config.start_from is None:
        return None
    kept = Path(os.environ.get("GENTRA_CHECKPOINTS", "checkpoints")) / "started_from"
    start = read_start(config.start_from, OUT, kept)
    rank, lora_alpha, target_modules = config.rank, config.lora_alpha, config.target_modules
    check_start(start, base=base, rank=rank, lora_alpha=lora_alpha, target_modules=target_modules)
    return start


def code_digest(package: Path) -> str:
    """Return one sha256 over this stage and the files of its rooms, those of sub-rooms and their data too."""
    files = [path for room in ROOMS for path in sorted((package / room).rglob("*")) if path.is_file()]
    ours = [Path(__file__), *(path for path in files if path.parent.name != "__pycache__")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in ours)).hexdigest()


def load_data(config: Train, index: Mapping[str, Any]) -> TrainingData:
    """Return what training sees; the base's predictions only where they have a weight."""
    masked = [row["file_name"] for row in index["photos"] if row["split"] == "train" and row["mask_sha256"]]
    if config.background_weight < 1 and not masked:
        raise InputError(
            f"train.background_weight is {config.background_weight:g}, but no photo that is trained on has a mask; put "
            "masks into masks/ beside images/, or set it to 1"
        )
    prior = load_predictions(LATENTS_DIR) if config.prior_weight else None
    photos, empty_prompt = load_split(LATENTS_DIR, "train"), read_empty_prompt(LATENTS_DIR)
    return TrainingData(photos, empty_prompt, index["scaling_factor"], prior)


def make_samples(
    training: Training, params: Params, source: BaseSource, dtype: torch.dtype, checkpoints: Path
) -> Samples | None:
    """Return the samples of the main process, or None where none are wanted; a prompt that is too long is refused."""
    config = params.train
    if config.sample_every is None or not training.accelerator.is_main_process:
        return None
    pipeline = load_sampler(source, dtype, training.device, training.unet)
    check_notation(config.sample_prompts)
    check_prompts(pipeline.tokenizer, config.sample_prompts)
    settings = Settings(params.prepare.resolution, NUM_INFERENCE_STEPS, config.sample_guidance_scale)
    folders = checkpoints / "samples", LOG_DIR / "samples", LOG_DIR / "adapters"
    return Samples(config.sample_every, pipeline, config.sample_prompts, config.seed, settings, *folders)


def first_line_of(training: Training, reason: str) -> str:
    """Return what is trained, on what, and why in this precision."""
    config, photos = training.config, len(training.data.photos)
    weights = sum(parameter.numel() for parameter in training.trainable)
    masked = config.background_weight < 1
    background = f"; what is outside of the masks counts {config.background_weight:g}" if masked else ""
    return f"training {weights:,} weights of rank {config.rank} on {photos} photos{background}; {reason}"


def resume(training: Training, checkpoints: Path, samples: Samples | None, values: Mapping[str, Any]) -> None:
    """Restore the newest checkpoint of this very run or a shorter one, and say what was found, and what not and why."""
    steps = training.config.steps
    saved, noted = newest_checkpoint(checkpoints, steps), noted_values(checkpoints)
    if saved:
        training.restore(saved)
        advice = "; all steps are done, remove the folder to train again" if training.step == steps else ""
        shorter = training.step < steps and noted is not None and noted["params"]["steps"] == training.step
        whose = ", the last of the run that is made longer" if shorter else ""
        line = f"going on from step {training.step} of {steps}{whose} ({checkpoints}){advice}"
    else:
        reason = why_fresh(checkpoints, values)
        line = f"starting fresh; checkpoints go to {checkpoints}" + (f"\n{reason}" if reason else "")
    if samples:
        samples.show_earlier(training.step)
    if training.accelerator.is_main_process:
        note_values(checkpoints, values)
        print(line, flush=True)


def train(
    training: Training, held_out: CachedPhotos, checkpoints: Path, samples: Samples | None, metadata: dict[str, str]
) -> None:
    """Run the steps that are left; end the process where SIGTERM or Ctrl-C asked to stop, after a save."""
    steps = training.config.steps
    with Interruption() as interruption:
        training.stop_asked = lambda: interruption.number
        if training.accelerator.is_main_process:
            with Progress(training, LOG_DIR) as progress:
                duties = BetweenSteps(training, held_out, checkpoints, samples, metadata, progress)
                duties.measure_base()
                while training.step < steps and not training.stop:
                    duties.after(training.run_step())
        while training.step < steps and not training.stop:
            training.run_step()
        if training.step < steps:
            number = interruption.number or signal.SIGTERM  # another process was asked
            name = signal.Signals(number).name
            if training.accelerator.is_main_process:
                print(f"{name}: saved step {training.step} of {steps}; `dvc repro` goes on from it")
            sys.exit(128 + number)


def export(training: Training, metadata: dict[str, str]) -> None:
    """Check the names for other programs, write the file, read it back, and compare it with what was trained.

    A file that fails is not left where it would be taken for a result, nor is one of a training that went astray.
    """
    check_result(training)
    modules, lora_alpha = training.kept.final(), training.config.lora_alpha
    tensors = kohya_tensors(modules, lora_alpha)
    check_effect(tensors)
    check_keys(tensors, training.unet)
    header = result_of(training, metadata)
    unchecked = OUT.with_name(f"unchecked_{OUT.name}")
    try:
        write_adapter(unchecked, tensors, header | hashes_of(tensors, header))
        check_written(unchecked, modules, lora_alpha, training.unet.config)
        unchecked.replace(OUT)
    finally:
        unchecked.unlink(missing_ok=True)
    best, left_out = training.kept.best, training.skipped
    print(
        f"wrote {OUT}: {OUT.stat().st_size / 1e6:.1f} MB after {training.step} steps, weights of the "
        f"{training.config.keep} step"
        + (f"; the lowest held-out loss was {best['held_out']:.4f} at step {best['step']}" if best else "")
        + (f"; {listed(left_out, 'update')} left out as not finite" if left_out else "")
    )
    measured, base = (float(header[f"gentra.held_out_loss{part}"]) for part in ("", "_base"))
    if measured > base:
        print(
            f"its held-out loss, {measured:.4f}, is above the base's own {base:.4f}: for unseen photos this is worse "
            f"than no adapter; lower train.learning_rate, now {training.config.learning_rate:g}"
        )


if __name__ == "__main__":
    run("train", main)
