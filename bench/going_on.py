"""What going on is worth: 300 steps and 300 more from the file, and 600 of a constant rate raised to 900.

`python bench/going_on.py [SEED ...]` trains the demo each way, by default with three seeds (2,100 steps each, six
minutes on two cores), without preservation, which has no part in it and would take a quarter as long again; writes
bench/going_on.json. What is done already lies in bench/going_on/ and is not done again. Run `dvc repro cache_latents`
before.
"""

import hashlib
import json
import statistics
import sys
from pathlib import Path

from variants import ADAPTER, UNATTENDED, project, stage

from gentra_lora.adapter.file import read_adapter

WORK, RESULT = Path(__file__).with_suffix(""), Path(__file__).with_suffix(".json")
WITHOUT = {"train.prior_weight": 0.0}
SHORT = {"train.steps": 300, "train.lr_warmup_steps": 15}
CONSTANT = {"train.lr_scheduler": "constant", "train.learning_rate": 0.001}  # the demo's 0.002 must fall to be stable
WAYS = {
    "300": SHORT,
    "300 + 300 from the file": SHORT,
    "600": {"train.steps": 600},
    "600, constant rate": CONSTANT | {"train.steps": 600},
    "raised to 900, constant rate": CONSTANT | {"train.steps": 900},
}
BEFORE, RAISED = list(WAYS)[-2:]


def trained(folder, values):
    """Train; return the file with its hash, as train.start_from has it, and its loss relative to the base's."""
    path = project(folder, UNATTENDED | WITHOUT | values) / ADAPTER
    stage(folder, "train")
    _, header = read_adapter(path)
    loss, base = (float(header[f"gentra.held_out_loss{part}"]) for part in ("", "_base"))
    return f"{path}@{hashlib.sha256(path.read_bytes()).hexdigest()}", round(loss / base, 4)


def run(seed):
    """Return {way: held-out loss relative to the base's}."""
    noted = WORK / f"seed_{seed}.json"
    found = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    for way, values in WAYS.items():
        if way in found:
            continue
        print(f"--- {way}, seed {seed}", flush=True)
        # The raised run is in the folder of the one that it goes on from: the checkpoint is there.
        folder = WORK / f"seed_{seed}_{(BEFORE if way == RAISED else way).replace(' ', '_')}"
        more = {"train.start_from": found["300"][0]} if "from" in way else {}
        found[way] = trained(folder, values | more | {"train.seed": seed})
        noted.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return {way: loss for way, (_, loss) in found.items()}


def main(seeds):
    runs = {seed: run(seed) for seed in seeds}
    result = {way: [runs[seed][way] for seed in seeds] for way in WAYS}
    RESULT.write_text(json.dumps({"seeds": seeds, "held_out_relative": result}, indent=1) + "\n", encoding="utf-8")
    for way, losses in result.items():
        print(f"| {way} | {statistics.mean(losses):.4f} | {min(losses):.4f} to {max(losses):.4f} |")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1, 2, 3])
