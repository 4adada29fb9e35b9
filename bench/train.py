"""A training step against its bare computation and against a plain loop, and its cost against the number of photos.

`make bench` or `python bench/train.py [nano] [sd15]`: writes bench/train.json. What is compared runs in turns of a few
steps, so that the ratios hold on a noisy machine; `sd15` is a model of Stable Diffusion 1.5's shape with random weights
(about 12 GB of memory and five minutes).

- ours: a step as `train` does it, drawing, reading the cache, clipping, schedule and log included.
- bare: forward, backward and optimizer of the same denoiser on tensors that are ready.
- preserving: ours with one of the base's predictions beside the photos, as the profiles of these bases take: at once
  with them on the nano base, and after them, as on a GPU, on the shape of Stable Diffusion 1.5.
- plain loop: what the usual script does in a step: opens, resizes, crops and flips the photos, encodes them with the
  VAE and the captions with the text encoder, then peft's LoRA and torch's default AdamW, gradients clipped.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from peak_memory import own_peak_mb
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import mse_loss
from tqdm import tqdm
from transformers import CLIPTextConfig, CLIPTextModel

from gentra_lora.adapter.lora import attach_adapter
from gentra_lora.base.allocator import keep_freed_memory
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import (
    BaseSource,
    load_noise_scheduler,
    load_text_encoder,
    load_tokenizer,
    load_unet,
    load_vae,
)
from gentra_lora.latents.base_predictions import CachedPredictions
from gentra_lora.latents.cached_photos import CachedPhotos
from gentra_lora.latents.posteriors import token_ids
from gentra_lora.params import load_params
from gentra_lora.training.batches import TrainingData
from gentra_lora.training.optimizers import make_lr_scheduler
from gentra_lora.training.progress import Progress
from gentra_lora.training.run import Training

RESULT = Path(__file__).with_suffix(".json")
SIZES = {"160 x 160": (160, 160), "1 megapixel": (866, 1155), "12 megapixels": (3000, 4000)}  # of the photos
CONFIG = load_params().train
ROUNDS, IN_A_ROW = {"nano": 12, "sd15": 2}, {"nano": 5, "sd15": 1}
COUNTS = (50, 500, 5000)


class Parts:
    """The models of a base, its size in px and rank here, and whether its predictions go through it with photos."""

    def __init__(
        self, size, batch_size, unet, vae, text_encoder, noise_scheduler, ids, rank=CONFIG.rank, together=True
    ):
        self.size, self.batch_size, self.rank, self.together = size, batch_size, rank, together
        self.unet, self.vae, self.text_encoder = unet, vae, text_encoder
        self.noise_scheduler, self.ids = noise_scheduler, torch.tensor([ids] * batch_size)


def nano():
    """Return the Parts of the embedded base."""
    source, params = BaseSource("models/nano-sd"), load_params()
    ids = token_ids(load_tokenizer(source), "a photo of a sport gentra on a road, side view")
    models = load_unet(source, torch.float32), load_vae(source), load_text_encoder(source)
    return Parts(params.prepare.resolution, CONFIG.batch_size, *models, load_noise_scheduler(source), ids)


def sd15():
    """Return the Parts of a base of Stable Diffusion 1.5's shape with random weights, at 256 px."""
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, **blocks)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    text_encoder = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12))
    models = [model.requires_grad_(False).eval() for model in (unet, vae, text_encoder)]
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    return Parts(256, 2, *models, scheduler, [49406, *[320] * 10, *[49407] * 66], rank=16, together=False)


def write_cache(folder, count, parts, crops):
    """Write `count` files of random latents; return their CachedPhotos."""
    folder.mkdir()
    side = parts.size // (2 ** (len(parts.vae.config.block_out_channels) - 1))
    dimension = parts.text_encoder.config.hidden_size
    for n in range(count):
        latents = {name: torch.randn(crops, 4, side, side) for name in ("mean", "std")}
        save_file(latents | {"prompt_embeds": torch.randn(parts.ids.shape[1], dimension)}, folder / f"{n}.safetensors")
    files = [folder / f"{n}.safetensors" for n in range(count)]
    return CachedPhotos(
        [file.name for file in files], [file.stem for file in files], files, [(4, side, side)] * count, crops
    )


def write_predictions(folder, count, parts):
    """Write `count` files of random base predictions, eight each; return their CachedPredictions."""
    folder.mkdir()
    side, files = parts.size // (2 ** (len(parts.vae.config.block_out_channels) - 1)), []
    for n in range(count):
        tensors = {name: torch.randn(8, 4, side, side) for name in ("noisy_latents", "noise_pred")}
        tensors["timesteps"] = torch.randint(1000, (8,))
        files.append(folder / f"{n}.safetensors")
        tensors["prompt_embeds"] = torch.randn(parts.ids.shape[1], parts.text_encoder.config.hidden_size)
        save_file(tensors, files[-1])
    return CachedPredictions(files, [(4, side, side)] * count, 8)


def make_training(parts, photos, prior=None):
    update = {"batch_size": parts.batch_size, "prior_batch_size": 1, "rank": parts.rank, "lora_alpha": parts.rank}
    config = CONFIG.model_copy(update=update if prior else update | {"prior_weight": 0.0})
    empty_prompt = torch.zeros_like(photos.read(0, 0)[2])
    data = TrainingData(photos, empty_prompt, parts.vae.config.scaling_factor, prior)
    return Training(parts.unet, parts.noise_scheduler, data, config, Accelerator(cpu=True))


class PlainLoop:
    """The usual script's step, on `parts` of its own.

    Args:
        captions: {file: token ids}; None gives every file those of `parts`.
        flip: the chance that a photo is mirrored.
    """

    def __init__(self, parts, files, target_modules=CONFIG.target_modules, captions=None, flip=0.5):
        self.parts, self.files, self.captions, self.flip = parts, files, captions, flip
        self.trainable = attach_adapter(parts.unet, parts.rank, parts.rank, target_modules, CONFIG.seed)
        self.optimizer = torch.optim.AdamW(self.trainable, lr=CONFIG.learning_rate, weight_decay=CONFIG.weight_decay)
        self.lr_scheduler = make_lr_scheduler("cosine", self.optimizer, CONFIG.lr_warmup_steps, CONFIG.steps, 1)
        self.bar = tqdm(disable=True)
        parts.unet.train()

    def pixel_values(self, files):
        """Return photos as the script's transforms make them: resize, crop at random, flip by chance, to [-1, 1]."""
        size, pictures = self.parts.size, []
        for file in files:
            image = Image.open(file).convert("RGB")
            scale = size / min(image.size)
            image = image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)
            left, top = (random.randint(0, side - size) for side in image.size)
            image = image.crop((left, top, left + size, top + size))
            if random.random() < self.flip:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
            pictures.append(pixels.sub(0.5).div(0.5))
        return torch.stack(pictures)

    def step(self):
        parts, files = self.parts, random.sample(self.files, self.parts.batch_size)
        ids = torch.tensor([self.captions[file] for file in files]) if self.captions else parts.ids
        with torch.no_grad():
            latents = parts.vae.encode(self.pixel_values(files)).latent_dist.sample() * parts.vae.config.scaling_factor
            prompt_embeds = parts.text_encoder(ids).last_hidden_state
        noise, timesteps = torch.randn_like(latents), torch.randint(0, 1000, (len(latents),))
        noisy_latents = parts.noise_scheduler.add_noise(latents, noise, timesteps)
        loss = mse_loss(parts.unet(noisy_latents, timesteps, prompt_embeds).sample, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trainable, CONFIG.max_grad_norm)
        self.optimizer.step()
        self.lr_scheduler.step()
        self.optimizer.zero_grad()
        self.bar.set_postfix(loss=loss.item(), lr=self.lr_scheduler.get_last_lr()[0])


def bare_step(training):
    """Return a function: forward, backward and optimizer of a training's denoiser on ready tensors."""
    photos, parts = training.data.photos, training.config.batch_size
    _, _, prompt_embeds = (torch.stack(some) for some in zip(*(photos.read(n, 0) for n in range(parts)), strict=True))
    noise = torch.randn(parts, *photos.shapes[0])
    timesteps = torch.linspace(50, 950, parts).long()
    optimizer = torch.optim.AdamW(training.trainable, lr=1e-12, fused=True)

    def step():
        mse_loss(training.unet(noise, timesteps, prompt_embeds).sample, noise).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    return step


class Worker:
    """A process with the steps of one way of training, which takes them when it is told to.

    Ours is set up as `train` sets itself up, which would change the plain loop's allocator too if they shared one.
    """

    def __init__(self, *words):
        command = [sys.executable, __file__, "worker", *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, name):
        """Take IN_A_ROW steps and return the seconds of one, or the process's peak memory in MB."""
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def work(base, way):
    """Take steps as standard input names them."""
    with tempfile.TemporaryDirectory() as folder:
        steps = {"ours": our_steps, "preserving": preserving_steps, "plain": plain_steps}[way](
            Path(folder), {"nano": nano, "sd15": sd15}[base]()
        )
        for name in map(str.strip, sys.stdin):
            if name == "memory":
                print(own_peak_mb(), flush=True)
            else:
                steps[name]()  # the first after another process's is slower
                started = time.perf_counter()
                for _ in range(IN_A_ROW[base]):
                    steps[name]()
                print((time.perf_counter() - started) / IN_A_ROW[base], flush=True)


def logged_step(training, folder):
    """Return a function: a step of a training with its log."""
    progress = Progress(training, folder / "log")

    def step():
        training.run_step()
        training.history[0]["held_out_base"] = {"whole": 1.0}
        progress.step_done(training.history[-1])

    return step


def our_steps(folder, parts):
    """Return {name: function} of our step with its log, the bare one, and ours with many photos."""
    keep_freed_memory()
    caches = {count: write_cache(folder / str(count), count, parts, 6) for count in COUNTS}
    training = make_training(parts, caches[COUNTS[0]])
    parts.vae.decoder = parts.text_encoder = None  # what training does not load

    def with_photos(count):
        def step():
            training.data = TrainingData(caches[count], training.data.empty_prompt, training.data.scaling_factor)
            training.run_step()

        return step

    return {"ours": logged_step(training, folder), "bare": bare_step(training)} | {
        str(count): with_photos(count) for count in COUNTS
    }


def preserving_steps(folder, parts):
    """Return {name: function} of our step with preservation."""
    keep_freed_memory()
    photos, prior = write_cache(folder / "photos", 50, parts, 6), write_predictions(folder / "prior", 50, parts)
    training = make_training(parts, photos, prior)
    training.together = parts.together
    parts.vae.decoder = parts.text_encoder = None
    return {"preserving": logged_step(training, folder)}


def plain_steps(folder, parts):
    """Return {name: function} of the plain loop on photos of each of SIZES."""
    loop = PlainLoop(parts, [])
    files = {name: write_photos(folder / name, size) for name, size in SIZES.items()}

    def on(photos):
        def step():
            loop.files = photos
            loop.step()

        return step

    return {name: on(photos) for name, photos in files.items()}


def in_turns(rounds, workers):
    """Return {name: seconds of each round} of {name: Worker}; the first round does not count."""
    seconds = {name: [] for name in workers}
    for _ in range(rounds + 1):
        for name, worker in workers.items():
            seconds[name].append(worker(name))
    return {name: values[1:] for name, values in seconds.items()}


def ratio(one, other):
    return round(statistics.median(a / b for a, b in zip(one, other, strict=True)), 3)


def write_photos(folder, size):
    """Write JPEGs of a size, such as 3000 x 4000 of a phone; return their paths."""
    folder.mkdir()
    for n in range(4):
        patches = np.random.default_rng(n).integers(0, 256, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC).save(folder / f"{n}.jpg", quality=92)
    return sorted(folder.glob("*.jpg"))


def speed(base, rounds):
    """Return the seconds of a step, its ratios to the bare one and to the plain loop, and the peak memory of both."""
    ours, preserving, plain = Worker(base, "ours"), Worker(base, "preserving"), Worker(base, "plain")
    ways = {"ours": ours, "bare": ours, "preserving": preserving} | dict.fromkeys(SIZES, plain)
    seconds = in_turns(rounds, ways)
    result = {
        "seconds_a_step": round(statistics.median(seconds["ours"]), 3),
        "of_the_bare_step": ratio(seconds["ours"], seconds["bare"]),
        "faster_than_plain_loop": {name: ratio(seconds[name], seconds["ours"]) for name in SIZES},
        "peak_mb": round(ours("memory")),
        "peak_mb_plain_loop": round(plain("memory")),
        "preserving_of_the_step": ratio(seconds["preserving"], seconds["ours"]),
        "peak_mb_preserving": round(preserving("memory")),
    }
    preserving.process.kill()
    plain.process.kill()
    if base == "nano":
        seconds = in_turns(2 * rounds, {str(count): ours for count in COUNTS})
        first = seconds[str(COUNTS[0])]
        result |= {f"step_with_{count}_photos": ratio(values, first) for count, values in seconds.items()}
        result["peak_mb_after_5000_photos"] = round(ours("memory"))
    ours.process.kill()
    return result


def main(bases):
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for base in bases:
        size, batch_size = {"nano": (128, CONFIG.batch_size), "sd15": (256, 2)}[base]
        result[base] = {"size": size, "batch_size": batch_size} | speed(base, ROUNDS[base])
        RESULT.write_text(json.dumps(result | {"torch_threads": torch.get_num_threads()}, indent=2) + "\n")
        print(base, json.dumps(result[base], indent=2), flush=True)


if __name__ == "__main__":
    hush_libraries()
    work(*sys.argv[2:]) if "worker" in sys.argv else main(sys.argv[1:] or ["nano", "sd15"])
