"""What preservation keeps of the class, and what it costs the subject: the demo at several weights and seeds.

`python bench/preservation.py` trains and evaluates the demo, whole, at each of WEIGHTS, the first and the chosen one
with three seeds (five to ten minutes each on two cores); writes bench/preservation.json and docs/demo/preservation.svg.
What is done already lies in bench/preservation/ and is not done again. Run `dvc repro cache_latents` before.
"""

import json
import math
from pathlib import Path

from variants import ROOT, UNATTENDED, project, trained_and_scored

from gentra_lora.evaluation.compare import compare
from gentra_lora.evaluation.shown.comparison_text import text_lines
from gentra_lora.params import load_params

WORK, RESULT = Path(__file__).with_suffix(""), Path(__file__).with_suffix(".json")
PLOT = ROOT / "docs/demo/preservation.svg"
CHOSEN = load_params(ROOT / "profiles/demo.yaml").train.prior_weight
COLOURS = ("#36c", "#093", "#c33", "#b70")  # of the weights
WEIGHTS, SEEDS = (0.0, 0.15, CHOSEN, 0.5), (1, 2, 3)
RUNS = [(weight, seed) for weight in WEIGHTS for seed in (SEEDS if weight in (0.0, CHOSEN) else SEEDS[:1])]


def folder_of(weight, seed):
    values = {"train.prior_weight": weight, "train.seed": seed}
    return project(WORK / f"weight_{weight:g}_seed_{seed}", UNATTENDED | values)


def run(weight, seed):
    """Train and evaluate, unless it is done; return the ScoredRun."""
    return trained_and_scored(folder_of(weight, seed), f"weight {weight:g}, seed {seed}")


def plot(points):
    """Return an SVG of likeness against drift; points: {weight: [(drift, likeness), ...]}."""
    width, height, edge = 560, 360, 60
    drifts, likenesses = zip(*(point for of in points.values() for point in of), strict=True)
    most, low, high = math.ceil(max(drifts)), math.floor(min(likenesses) * 50), math.ceil(max(likenesses) * 50)
    low, high = low / 50, high / 50  # in steps of 0.02

    def place(drift, likeness):
        across = edge + drift / most * (width - 2 * edge)
        return round(across, 1), round(height - edge - (likeness - low) / (high - low) * (height - 2 * edge), 1)

    def text(x, y, words, anchor="middle"):
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/><g font-size="12" fill="#333">')
    parts.append(f'<path d="M{edge} {edge}V{height - edge}H{width - edge}" fill="none" stroke="#888"/>')
    parts += [text(place(drift, low)[0], height - edge + 18, drift) for drift in range(most + 1)]
    ticks = [low + 0.02 * n for n in range(round((high - low) / 0.02) + 1)]
    parts += [text(edge - 8, place(0, tick)[1] + 4, f"{tick:.2f}", "end") for tick in ticks]
    below = "drift of other cars (0: as the base draws them, 1: as far as another seed)"
    parts += [text(width / 2, height - 16, below), text(edge, 20, "likeness to the subject", "start")]
    for number, ((weight, of), colour) in enumerate(zip(points.items(), COLOURS, strict=True)):
        parts += [f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>' for x, y in (place(*point) for point in of)]
        x = edge + 14 + 110 * number
        parts += [f'<circle cx="{x}" cy="40" r="5" fill="{colour}"/>', text(x + 10, 44, f"weight {weight:g}", "start")]
    return "\n".join([*parts, "</g></svg>"]) + "\n"


def main():
    runs = {key: run(*key) for key in RUNS}
    result = {f"{weight:g}": {} for weight in WEIGHTS}
    for (weight, seed), found in runs.items():
        result[f"{weight:g}"][seed] = found.metrics
    told = text_lines(compare(runs[0.0, 1], runs[CHOSEN, 1], None))
    RESULT.write_text(json.dumps({"weights": result, "compare": told}, indent=1, ensure_ascii=False) + "\n")
    keys = "drift_in_seeds", "subject_similarity"
    points = {weight: [tuple(m[key] for key in keys) for m in result[f"{weight:g}"].values()] for weight in WEIGHTS}
    PLOT.write_text(plot(points))


if __name__ == "__main__":
    main()
