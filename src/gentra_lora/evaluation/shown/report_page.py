"""reports/report.html: one file with its pictures in it, for a person with a browser, a phone's too."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from gentra_lora.evaluation.intervals import Interval
from gentra_lora.evaluation.measures import MEASURES, Measure, interval_of, mean_of
from gentra_lora.evaluation.noise_floor import NoiseFloor
from gentra_lora.evaluation.scored_run import Metrics, ScoreRow
from gentra_lora.whole_file import write_whole

SIDE, QUALITY = 224, 85  # px and JPEG quality of a picture in the page
MOST_SHOWN = 12  # pictures of a list
TEMPLATE = Path(__file__).with_suffix(".html")
REAL = {"subject_similarity": "subject_similarity_real", "prompt_match": "prompt_match_real"}
REAL |= {"features_shown": "features_shown_real"}
Shown = tuple[ScoreRow, NDArray[np.uint8]]  # a picture (H, W, 3) of the adapter, with its row
RANKED: tuple[tuple[Literal["subject_similarity", "prompt_match"], str], ...] = (
    ("subject_similarity", "likeness"),
    ("prompt_match", "prompt"),
)  # what the pictures of a group are ranked by


class Measured(TypedDict):
    """A line of the page's table."""

    measure: Measure
    base: float | None
    adapter: float
    real: float | None
    interval: Interval  # of the adapter's difference from the base
    noise: float | None
    inside: bool  # the noise or zero
    rows: int


def write_report(path: Path, **content: object) -> None:
    """Write the page; see report_page.html for what it shows.

    Pictures (H, W, 3), uint8, are put in by the filter `src`.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"src": data_uri, "signed": lambda value, digits: f"{value:+.{digits}f}"}
    page = environment.get_template(TEMPLATE.name).render(content)
    write_whole(path, lambda partial: partial.write_text(page, encoding="utf-8"))


def data_uri(picture: NDArray[np.uint8]) -> str:
    """Return a picture as a data: address of a JPEG of at most SIDE px."""
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def measured(rows: Sequence[ScoreRow], metrics: Metrics, noise: NoiseFloor | None) -> list[Measured]:
    """Return the adapter beside its base by each measure that there are rows of."""
    found: list[Measured] = []
    for measure in MEASURES:
        values, base = measure.values(rows), measure.values(rows, adapter=False)
        mean = mean_of(values)
        if mean is None:
            continue
        interval = interval_of({pair: value - base.get(pair, 0.0) for pair, value in values.items()})
        threshold = noise.threshold(measure.key) if noise else None
        found.append(
            {
                "measure": measure,
                "base": mean_of(base),
                "adapter": mean,
                "real": 1.0 if measure.better == "nearer 1" else metrics.get(REAL.get(measure.key, "")),
                "interval": interval,
                "noise": threshold,
                "inside": not interval.exceeds(threshold),
                "rows": len(values),
            }
        )
    return found


def most_drifted(
    shown: Iterable[Shown], base: Iterable[NDArray[np.uint8]]
) -> list[tuple[ScoreRow, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Return (row, the adapter's picture, the base's) of what moved furthest, at most MOST_SHOWN.

    Args:
        base: its pictures for the drift prompts, in the order of the rows.
    """
    of_drift = (pair for pair in shown if pair[0]["group"] == "drift")
    found = [(row, picture, of_base) for (row, picture), of_base in zip(of_drift, base, strict=True)]
    return sorted(found, key=lambda entry: -(entry[0]["drift"] or 0))[:MOST_SHOWN]


def most_copied(shown: Iterable[Shown]) -> list[Shown]:
    """Return the pictures nearest to a training photo, at most MOST_SHOWN."""
    near = [pair for pair in shown if "nearest_train" in pair[0]]
    return sorted(near, key=lambda pair: -pair[0]["nearest_train"])[:MOST_SHOWN]


def worst(shown: Sequence[Shown]) -> list[Shown]:
    """Return the worst pictures: those with a fault, then in turn the least alike and the least as the prompt says."""
    faulty = [pair for pair in shown if pair[0]["fault"]]
    ranked = []
    for field, group in RANKED:
        of = [pair for pair in shown if pair[0]["group"] == group and not pair[0]["fault"]]
        ranked.append(sorted(of, key=lambda pair: pair[0][field])[: MOST_SHOWN // 2])
    return (faulty + [pair for part in ranked for pair in part])[:MOST_SHOWN]
