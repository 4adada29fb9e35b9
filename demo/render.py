"""Stages render and render_base: ordinary cars -> work/STAGE/NNNN.npy (shards of uint8 pictures) and captions.txt.

The base sees cars without accessories but wings. The features of nano CLIP and the latents of the VAE are learnt from
cars with all accessories, or nothing could judge and hold what makes the subject.

Resumable: a shard that is there is kept, since picture n is a pure function of (n, seed).
"""

import sys
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import yaml

from captions import ordinary
from renderer import render

SHARD = 250


def render_shard(job):
    """Write one shard and return how many pictures it holds."""
    torch.set_num_threads(1)
    first, count, params, out = job
    path = out / f"{first:06d}.npy"
    if not path.exists():
        pictures = [
            render(ordinary(first + n, params["seed"], params["accessories"])[0], params["size"]) for n in range(count)
        ]
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, np.stack(pictures))
        partial.rename(path)
    return count


def main(stage):
    params, out = yaml.safe_load(Path("params.yaml").read_text())[stage], Path("work") / stage
    out.mkdir(parents=True, exist_ok=True)
    identity = out / "params.yaml"
    if identity.exists() and yaml.safe_load(identity.read_text()) != params:
        sys.exit(f"{out}: holds pictures of other parameters ({identity.read_text().strip()}); remove the folder")
    identity.write_text(yaml.safe_dump(params))
    count = params["pictures"]
    jobs = [(first, min(SHARD, count - first), params, out) for first in range(0, count, SHARD)]
    started, done = time.monotonic(), 0
    with Pool(params["processes"]) as pool:
        for rendered in pool.imap_unordered(render_shard, jobs):
            done += rendered
            print(f"rendered {done} of {count} pictures in {time.monotonic() - started:.0f} s", flush=True)
    captions = [ordinary(n, params["seed"], params["accessories"])[1] for n in range(count)]
    (out / "captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
