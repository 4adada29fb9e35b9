"""data/latents -> models/sport_gentra_lora.safetensors: the adapter, trained on the frozen denoiser."""

import hashlib
import sys
import time
from pathlib import Path

from accelerate import Accelerator
from dvclive import Live

import gentra_lora
from gentra_lora.adapter import check_written, kohya_tensors, write_adapter
from gentra_lora.base_model import (
    DTYPES,
    BaseSource,
    check_base,
    choose_device,
    choose_precision,
    load_noise_scheduler,
    load_unet,
)
from gentra_lora.checkpoint import check_writable, checkpoint_folder, newest_checkpoint, save_checkpoint
from gentra_lora.held_out import held_out_errors
from gentra_lora.interruption import Interruption
from gentra_lora.latents import load_split, read_empty_prompt, read_index
from gentra_lora.params import load_params
from gentra_lora.provenance import adapter_metadata, versions
from gentra_lora.stages import run
from gentra_lora.training import Training, TrainingData

LATENTS_DIR, OUT, LOG_DIR = Path("data/latents"), Path("models/sport_gentra_lora.safetensors"), Path("reports/train")
SAVING_ONLY = {"checkpoint_every", "checkpoint_minutes", "checkpoints_kept"}  # parameters that cannot change the result


def main():
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.train
    check_base(source)
    index = read_index(LATENTS_DIR)
    data = TrainingData(load_split(LATENTS_DIR, "train"), read_empty_prompt(LATENTS_DIR), index["scaling_factor"])
    held_out = load_split(LATENTS_DIR, "held_out")
    device = choose_device()
    precision, reason = choose_precision(source.mixed_precision, device)
    checkpoints = checkpoint_folder(everything_that_counts(config, index, precision, reason))
    for folder in (checkpoints, OUT.parent, LOG_DIR):
        check_writable(folder)
    unet = load_unet(source, DTYPES[precision])
    if config.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=precision)
    training = Training(unet, load_noise_scheduler(source), data, config, accelerator)
    weights = sum(parameter.numel() for parameter in training.trainable)
    print(f"training {weights:,} weights of rank {config.rank} on {len(data.photos)} photos; {reason}", flush=True)

    resume(training, checkpoints)
    train(training, held_out, checkpoints)
    metadata = adapter_metadata(
        train_params=config.model_dump(exclude=SAVING_ONLY),
        base=index["base"],
        trigger_word=params.prepare.trigger_word,
        resolution=params.prepare.resolution,
        prediction_type=training.noise_scheduler.config.prediction_type,
        photos=data.photos.digests,
        steps=training.step,
    )
    write_adapter(OUT, kohya_tensors(training.modules(), config.lora_alpha), metadata)
    check_written(OUT, training.modules(), config.lora_alpha)
    for path in sorted(checkpoints.glob("step-*.pt"))[:-1]:
        path.unlink()
    print(f"wrote {OUT}: {OUT.stat().st_size / 1e6:.1f} MB after {training.step} steps")


def everything_that_counts(config, index, precision, reason):
    """Return all that can change a step's result: a checkpoint of anything else is not resumed."""
    ours = {m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == gentra_lora.__name__} | {__file__}
    code = hashlib.sha256(b"".join(Path(path).read_bytes() for path in sorted(ours))).hexdigest()
    params = config.model_dump(exclude=SAVING_ONLY)
    return {"params": params, "index": index, "precision": [precision, reason], "versions": versions(), "code": code}


def resume(training, checkpoints):
    """Restore the newest checkpoint of this very run, and say what was found."""
    saved = newest_checkpoint(checkpoints)
    if saved:
        training.restore(saved)
        done = training.step == training.config.steps
        advice = "; all steps are done, remove the folder to train again" if done else ""
        print(f"going on from step {training.step} of {training.config.steps} ({checkpoints}){advice}", flush=True)
    else:
        print(f"starting fresh; checkpoints go to {checkpoints}", flush=True)


def train(training, held_out, checkpoints):
    """Run the steps that are left, logging each and measuring the held-out loss now and then.

    Checkpoints are saved every so many steps and minutes, at the end, and when SIGTERM or Ctrl-C asks to stop.
    """
    config, started, first = training.config, time.monotonic(), training.step
    saved, live = started, Live(str(LOG_DIR), dvcyaml=None, save_dvc_exp=False, report=None, monitor_system=False)
    with live, Interruption() as interruption:
        for step, entry in enumerate(training.history):
            log(live, step, entry)
        while training.step < config.steps:
            if training.step == 0:
                base_loss = measure(training, held_out)
                print(f"step 0: held-out loss {base_loss:.4f}, the base's own", flush=True)
            entry = training.run_step()
            if training.step == 1:
                entry["held_out_base"] = base_loss
            if training.step % config.held_out_every == 0 or training.step == config.steps:
                entry["held_out"] = measure(training, held_out)
                pace = (time.monotonic() - started) / (training.step - first)
                print(progress(training, entry["held_out"], pace), flush=True)
            log(live, training.step - 1, entry)
            due = time.monotonic() - saved > 60 * config.checkpoint_minutes or interruption.number
            if due or training.step % config.checkpoint_every == 0 or training.step == config.steps:
                save_checkpoint(checkpoints, training.step, training.state(), config.checkpoints_kept)
                saved = time.monotonic()
            if interruption.number and training.step < config.steps:
                print(f"{interruption.name}: saved step {training.step} of {config.steps}; `dvc repro` goes on from it")
                sys.exit(128 + interruption.number)


def measure(training, held_out):
    """Return the mean held-out loss."""
    errors = held_out_errors(training.unet, training.noise_scheduler, held_out, training.data.scaling_factor)
    return float(errors.mean())


def progress(training, held_out_loss, pace):
    """Return a line that says how far training is and how well it does."""
    history, steps = training.history, training.config.steps
    recent = [entry["loss"] for entry in history[-training.config.held_out_every :]]
    share = held_out_loss / history[0]["held_out_base"]
    left = pace * (steps - training.step)
    return (
        f"step {training.step} of {steps}: loss {sum(recent) / len(recent):.4f}, held-out loss {held_out_loss:.4f} "
        f"({share:.0%} of the base's), {pace:.2f} s a step, {left:.0f} s left"
    )


def log(live, step, entry):
    """Write one step's values as DVCLive curves."""
    live.step = step + 1
    for name, value in entry.items():
        if name != "held_out_base":
            live.log_metric(f"train/{name}", value)
    live.make_summary()


if __name__ == "__main__":
    run("train", main)
