"""The service against plain calls of diffusers: what HTTP adds to a picture, and what batching gives.

`make bench` or `python bench/serve.py`: writes bench/serve.json. The service runs as a process of its own; calls of one
and the other take turns, so that the ratios hold on a noisy machine. Nano base, on a GPU where there is one; an adapter
of random weights costs what a trained one does.

- bare, fused: StableDiffusionPipeline with the adapter merged by `fuse_lora`, the fastest that diffusers offers.
- bare, peft: the same with the adapter as `load_lora_weights` leaves it, which is what most people run.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import requests
import torch

from gentra_lora.adapter.file import kohya_tensors, read_adapter, write_adapter
from gentra_lora.adapter.lora import attach_adapter, lora_modules
from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.model import load_unet
from gentra_lora.base.precision import DTYPES, choose_device
from gentra_lora.base.source import BaseSource, base_identity
from gentra_lora.pictures.sampling_pipeline import load_sampler

RESULT = Path(__file__).with_suffix(".json")
BASE, SIDE, STEPS, GUIDANCE, RANK = "models/nano-sd", 128, 20, 2.5, 16
PROMPT = "a photo of a sport gentra in the snow, side view"
TURNS, CLIENTS, PICTURES = 15, (1, 4, 16), 32
PORT = 8765


def write_random_adapter(path):
    """Write an adapter on all that the demo's adapts, with weights that change the picture."""
    unet = load_unet(BaseSource(BASE), torch.float32)
    attach_adapter(unet, RANK, RANK, "attention+ff+conv", seed=0)
    modules = lora_modules(unet)
    with torch.no_grad():
        for module in modules.values():
            module.up.normal_(std=0.02)
    header = {"gentra.base": base_identity(BaseSource(BASE)), "modelspec.resolution": f"{SIDE}x{SIDE}"}
    write_adapter(path, kohya_tensors(modules, RANK), {"format": "pt"} | header)


def bare(adapter, fused):
    """Return a function that draws a picture of a seed with diffusers alone and returns its PNG."""
    device = choose_device()
    dtype = DTYPES["fp16" if device.type == "cuda" else "no"]
    pipeline = load_sampler(BaseSource(BASE), dtype, device)
    pipeline.load_lora_weights(read_adapter(adapter)[0])
    pipeline.vae.to(dtype)
    if fused:
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        size = {"height": SIDE, "width": SIDE, "num_inference_steps": STEPS, "guidance_scale": GUIDANCE}
        image = pipeline(PROMPT, generator=generator, **size).images[0]
        with BytesIO() as buffer:
            image.save(buffer, "PNG")
            return buffer.getvalue()

    return draw


def over_http(seed, lora_scale=1.0):
    """Ask the service for the same picture and return its PNG."""
    values = {"prompt": PROMPT, "seed": seed, "num_inference_steps": STEPS, "guidance_scale": GUIDANCE}
    values |= {"width": SIDE, "height": SIDE, "lora_scale": lora_scale}
    answer = requests.post(f"http://127.0.0.1:{PORT}/v1/txt2img", json=values, timeout=600)
    answer.raise_for_status()
    return answer.content


def seconds(call, *args):
    """Return how long a call takes."""
    begun = time.perf_counter()
    call(*args)
    return time.perf_counter() - begun


def latencies(calls):
    """Return {name: median seconds of a picture} of calls that take turns."""
    for call in calls.values():
        call(0)
    taken = {name: [] for name in calls}
    for seed in range(TURNS):
        for name, call in calls.items():
            taken[name].append(seconds(call, seed))
    return {name: statistics.median(values) for name, values in taken.items()}


def throughput(clients, scales):
    """Return pictures a second of so many clients, whose requests go round through the scales."""

    def ask(n):
        over_http(n, scales[n % len(scales)])

    with ThreadPoolExecutor(clients) as pool:
        return PICTURES / seconds(lambda: list(pool.map(ask, range(PICTURES))))


def started(adapter, *more, port=PORT, **environment):
    """Start the service with `more` options and return its process once it is ready."""
    words = ["serve", "--weights", str(adapter), "--base", BASE, "--port", str(port), *more]
    command = [sys.executable, "-m", "gentra_lora.commands.main", *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | environment)
    while True:
        time.sleep(0.5)
        if process.poll() is not None:
            sys.exit("the service did not start")
        try:
            if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok:
                return process
        except requests.ConnectionError:
            continue


def main():
    """Measure, print and write."""
    hush_libraries()
    with tempfile.TemporaryDirectory() as folder:
        adapter = Path(folder) / "a.safetensors"
        write_random_adapter(adapter)
        fused, peft = bare(adapter, fused=True), bare(adapter, fused=False)
        process = started(adapter, "--max-queue", "64")
        try:
            one = latencies({"bare, fused": fused, "bare, peft": peft, "service": over_http})
            result = {
                "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
                "seconds_a_picture": {name: round(value, 4) for name, value in one.items()},
                "service_of_bare_fused": round(one["service"] / one["bare, fused"], 3),
                "service_of_bare_peft": round(one["service"] / one["bare, peft"], 3),
                "pictures_a_second": {},
                "times_one_at_a_time": {},
            }
            for name, scales in (("one scale", (1.0,)), ("three scales", (0.5, 0.8, 1.0))):
                found = {str(clients): throughput(clients, scales) for clients in CLIENTS}
                # Beside each, plain calls one after the other, as of the same minute.
                plain = {kind: statistics.median(seconds(call, 1) for _ in range(7)) for kind, call in
                         (("fused", fused), ("peft", peft))}  # fmt: skip
                result["pictures_a_second"][name] = {n: round(value, 3) for n, value in found.items()}
                result["times_one_at_a_time"][name] = {
                    n: {kind: round(value * taken, 2) for kind, taken in plain.items()} for n, value in found.items()
                }
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
