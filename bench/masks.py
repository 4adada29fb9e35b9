"""What masks do to the demo, whose renderer made them: the loss outside of them counting less, against all alike.

`python bench/masks.py [SEED ...]` trains and evaluates the demo at BACKGROUND_WEIGHT, by default with three seeds (five
to ten minutes each on two cores), beside bench/preservation.py's runs of the same seeds; writes bench/masks.json. What
is done already lies in bench/masks/ and is not done again. Run `dvc repro cache_latents` before.
"""

import json
import sys
from pathlib import Path

import preservation
from preservation import CHOSEN
from variants import UNATTENDED, project, trained_and_scored

from gentra_lora.evaluation.compare import compare
from gentra_lora.evaluation.shown.comparison_text import text_lines

WORK, RESULT = Path(__file__).with_suffix(""), Path(__file__).with_suffix(".json")
BACKGROUND_WEIGHT = 0.1


def run(seed):
    values = {"train.background_weight": BACKGROUND_WEIGHT, "train.seed": seed}
    return trained_and_scored(project(WORK / f"seed_{seed}", UNATTENDED | values), f"masks, seed {seed}")


def main(seeds):
    runs = {1: {seed: preservation.run(CHOSEN, seed) for seed in seeds}}
    runs[BACKGROUND_WEIGHT] = {seed: run(seed) for seed in seeds}
    told = text_lines(compare(runs[1][seeds[0]], runs[BACKGROUND_WEIGHT][seeds[0]], None))
    result = {weight: {seed: found.metrics for seed, found in of.items()} for weight, of in runs.items()}
    RESULT.write_text(json.dumps({"weights": result, "compare": told}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [1, 2, 3])
