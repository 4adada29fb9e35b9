"""Stage render: ordinary cars -> work/renders/NNNN.npy (shards of uint8 pictures) and captions.txt.

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
OUT = Path("work/renders")


def render_shard(job):
    """Write one shard and return how many pictures it holds."""
    torch.set_num_threads(1)
    first, count, params = job
    path = OUT / f"{first:06d}.npy"
    if not path.exists():
        pictures = [render(ordinary(first + n, params["seed"])[0], params["size"]) for n in range(count)]
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, np.stack(pictures))
        partial.rename(path)
    return count


def main():
    params = yaml.safe_load(Path("params.yaml").read_text())["render"]
    OUT.mkdir(parents=True, exist_ok=True)
    identity = OUT / "params.yaml"
    if identity.exists() and yaml.safe_load(identity.read_text()) != params:
        sys.exit(f"{OUT}: holds pictures of other parameters ({identity.read_text().strip()}); remove the folder")
    identity.write_text(yaml.safe_dump(params))
    count = params["pictures"]
    jobs = [(first, min(SHARD, count - first), params) for first in range(0, count, SHARD)]
    started, done = time.monotonic(), 0
    with Pool(params["processes"]) as pool:
        for rendered in pool.imap_unordered(render_shard, jobs):
            done += rendered
            print(f"rendered {done} of {count} pictures in {time.monotonic() - started:.0f} s", flush=True)
    captions = [ordinary(n, params["seed"])[1] for n in range(count)]
    (OUT / "captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
