"""reports/report.html: one file with its pictures in it, for a person with a browser, a phone's too."""

import base64
import io
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from gentra_lora.errors import listed
from gentra_lora.evaluation.measures import MEASURES, interval_of, mean_of

SIDE, QUALITY = 224, 85  # px and JPEG quality of a picture in the page
MOST_SHOWN = 12  # pictures of a list
TEMPLATE = Path(__file__).with_suffix(".html")
LITTLE_DRIFT = 0.05  # pictures of one prompt and two seeds lie further apart
REAL = {"subject_similarity": "subject_similarity_real", "prompt_match": "prompt_match_real"}


def write_report(path, **content):
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
    path.write_text(environment.get_template(TEMPLATE.name).render(content), encoding="utf-8")


def data_uri(picture):
    """Return a picture as a data: address of a JPEG of at most SIDE px."""
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def measured(rows, metrics, noise):
    """Return a dict for each measure: base, adapter, its difference from the base with an interval, real, noise, n.

    Args:
        noise: NoiseFloor or None.
    """
    found = []
    for measure in MEASURES:
        values, base = measure.values(rows), measure.values(rows, adapter=False)
        if not values:
            continue
        interval = interval_of({pair: value - base.get(pair, 0.0) for pair, value in values.items()})
        threshold = noise.threshold(measure.key) if noise else None
        found.append(
            {
                "measure": measure,
                "base": mean_of(base),
                "adapter": mean_of(values),
                "real": metrics.get(REAL.get(measure.key)),
                "interval": interval,
                "noise": threshold,
                "inside": not interval.exceeds(threshold),
                "rows": len(values),
            }
        )
    return found


def verdict(metrics, found):
    """Return (headline, sentences) on an adapter beside its base, for a person; see `measured`."""
    of = {entry["measure"].key: entry for entry in found}
    learnt, loss = _sure(of.get("subject_similarity"), +1), _sure(of.get("val_loss"), -1)
    headline = (
        "The adapter has learnt the subject."
        if learnt and loss
        else "The adapter draws the subject, but does not know unseen photos of it better than the base."
        if learnt
        else "The adapter knows unseen photos of the subject better than the base, but its pictures are not more alike."
        if loss
        else "It cannot be shown that the adapter has learnt the subject."
    )
    if (moved := of.get("drift")) and moved["interval"].low is not None and moved["interval"].low > LITTLE_DRIFT:
        headline += " Pictures that have nothing to do with it change as well."
    lines = [f"Held-out loss: {metrics['val_loss_relative']:.0%} of the base's."]
    if metrics["gap_closed"] is not None:
        lines.append(f"Likeness: {metrics['gap_closed']:.0%} of the way from the base's pictures to real photos.")
    lines.append(
        f"Prompts: a match of {metrics['prompt_match']:.2f}, the base {metrics['prompt_match_base']:.2f}, "
        f"real photos and their captions {metrics['prompt_match_real']:.2f}."
    )
    lines.append(
        f"Other things: pictures without the subject move by {metrics['drift']:.2f} (0 is not at all, 1 wholly)."
    )
    if metrics["class_leak"] is not None:
        lines.append(f"The plain class noun has gone {max(metrics['class_leak'], 0):.0%} of the way to the subject.")
    lines.append(
        f"{metrics['copy_rate']:.0%} of the pictures of the subject are nearer to a training photo than 95 % of other "
        "real photos are."
    )
    if metrics["bad_images"]:
        lines.append(f"Blank or clipped: {listed(metrics['bad_images'], 'picture')}.")
    return headline, lines


def _sure(entry, sign):
    return bool(entry and entry["interval"].excludes_zero and entry["interval"].mean * sign > 0)


def most_copied(shown):
    """Return the pictures nearest to a training photo, at most MOST_SHOWN.

    Args:
        shown: (row, picture) pairs of the adapter.
    """
    near = [pair for pair in shown if "nearest_train" in pair[0]]
    return sorted(near, key=lambda pair: -pair[0]["nearest_train"])[:MOST_SHOWN]


def worst(shown):
    """Return the worst pictures: those with a fault, then in turn the least alike and the least as the prompt says."""
    faulty = [pair for pair in shown if pair[0]["fault"]]
    ranked = []
    for field, group in (("subject_similarity", "likeness"), ("prompt_match", "prompt")):
        of = [pair for pair in shown if pair[0]["group"] == group and not pair[0]["fault"]]
        ranked.append(sorted(of, key=lambda pair: pair[0][field])[: MOST_SHOWN // 2])
    return (faulty + [pair for part in ranked for pair in part])[:MOST_SHOWN]
