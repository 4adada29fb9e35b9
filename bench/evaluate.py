"""Pictures a second of an evaluation, beside a plain loop of single pipeline calls over the same prompts and seeds.

`python bench/evaluate.py` writes bench/evaluate.json; it needs no training. Both draw each prompt and seed with and
without an adapter; ours with the base's pictures to be drawn, and as for every later variant, with those at hand.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from gentra_lora.adapter.file import kohya_tensors, read_adapter, write_adapter
from gentra_lora.adapter.lora import attach_adapter, lora_modules
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import BaseSource, load_unet
from gentra_lora.evaluation.base_pictures import BasePictures
from gentra_lora.evaluation.paired_pictures import PairedPictures
from gentra_lora.params import load_params
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.request import PictureRequest
from gentra_lora.pictures.sampling_pipeline import load_sampler

RESULT, CPU = Path(__file__).with_suffix(".json"), torch.device("cpu")
BASE, SIDE, TURNS = BaseSource("models/nano-sd"), 128, 3


class Silent:
    """A progress bar that shows nothing."""

    def update(self, count):
        """Take a count of pictures."""


def make_adapter(path, config):
    """Write an adapter of the demo's shape with random weights."""
    unet = load_unet(BASE, torch.float32)
    attach_adapter(unet, config.rank, config.lora_alpha, config.target_modules, 1)
    modules = lora_modules(unet)
    for module in modules.values():
        torch.nn.init.normal_(module.up, std=0.01)
    write_adapter(path, kohya_tensors(modules, config.lora_alpha), {"format": "pt"})


def plain_loop(adapter, requests):
    """Return a function that draws the requests as a plain script does: one call of diffusers' pipeline each."""
    pipeline = load_sampler(BASE, torch.float32, CPU)
    pipeline.load_lora_weights(read_adapter(adapter)[0])

    def draw():
        for use in (pipeline.enable_lora, pipeline.disable_lora):
            use()
            for request in requests:
                pipeline(
                    request.prompt,
                    generator=torch.Generator().manual_seed(request.seed),
                    height=SIDE,
                    width=SIDE,
                    num_inference_steps=request.num_inference_steps,
                    guidance_scale=request.guidance_scale,
                )

    return draw


def seconds(draw):
    """Return how long a call takes."""
    started = time.perf_counter()
    draw()
    return time.perf_counter() - started


def main():
    hush_libraries()
    config = load_params(Path("profiles/demo.yaml"))
    shape = config.evaluate.num_inference_steps, config.evaluate.guidance_scale, SIDE, SIDE
    requests = [PictureRequest(p, seed, *shape) for p in config.evaluate.prompts for seed in config.evaluate.seeds]
    with tempfile.TemporaryDirectory() as folder:
        adapter = Path(folder) / "a.safetensors"
        make_adapter(adapter, config.train)
        plain, engine = plain_loop(adapter, requests), PictureEngine(BASE, "no", CPU)
        factors = engine.adapter.fit(adapter, read_adapter(adapter)[0])
        times = {"plain loop": [], "first evaluation": [], "later variants": []}
        for turn in range(TURNS):
            paired = PairedPictures(engine, factors, BasePictures(Path(folder) / str(turn), {}), Silent())
            times["plain loop"].append(seconds(plain))
            for name in ("first evaluation", "later variants"):
                times[name].append(seconds(lambda paired=paired: paired.draw(requests)))
    # Ratios within a turn: between turns a machine may be as busy as it likes.
    result = {"pictures": 2 * len(requests)}
    result["times_as_fast_as_the_plain_loop"] = {
        name: round(statistics.median(a / b for a, b in zip(times["plain loop"], times[name], strict=True)), 2)
        for name in ("first evaluation", "later variants")
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
