"""What the numbers of an evaluation mean, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gentra_lora.errors import listed
from gentra_lora.evaluation.scored_run import METRICS, Metrics

if TYPE_CHECKING:  # seconds to import, and `summary` does without
    from gentra_lora.evaluation.shown.report_page import Measured

# In units of what another seed of the base changes.
ANOTHER_SEED = 1.0
DRIFT = {
    0.25: "Other things stay what they are",  # half as far: distances of cosines grow with the square
    ANOTHER_SEED: "Other things change less than by another seed",
    3.0: "Other things change more than by another seed",  # as far apart is one pair of the demo's base in twenty
    math.inf: "Other things change beyond what a seed changes",
}
# Of the way from the base's pictures of the class to real photos of the subject.
LITTLE_LEAK = 0.15  # what the demo is held to
LEAK = {
    -LITTLE_LEAK: "The class moves away from the subject",
    LITTLE_LEAK: "The class stays what it was",
    0.5: "The subject leaks into its class",
    math.inf: "The subject takes over its class",  # a plain picture of it is nearer to the subject than to what it was
}
# In units of real photos of one scene.
DIVERSITY = {
    0.7: "Pictures of one prompt are more alike than real photos are",
    1.3: "Pictures of one prompt differ as real photos do",
    math.inf: "Pictures of one prompt differ more than real photos do",
}


def verdict(metrics: Metrics, found: Iterable[Measured]) -> tuple[str, list[str]]:
    """Return (headline, sentences) on an adapter beside its base, for a person."""
    lines = [f"Held-out loss: {metrics['val_loss_relative']:.0%} of the base's."]
    if metrics["gap_closed"] is not None:
        lines.append(f"Likeness: {metrics['gap_closed']:.0%} of the way from the base's pictures to real photos.")
    lines.append(
        f"Prompts: a match of {metrics['prompt_match']:.2f}, the base {metrics['prompt_match_base']:.2f}, "
        f"real photos and their captions {metrics['prompt_match_real']:.2f}."
    )
    lines += side_effects(metrics)
    lines.append(
        f"{metrics['copy_rate']:.0%} of the pictures of the subject are nearer to a training photo than 95 % of other "
        "real photos are."
    )
    if metrics["bad_images"]:
        lines.append(f"Blank or clipped: {listed(int(metrics['bad_images']), 'picture')}.")
    return headline(metrics, {entry["measure"].key: entry for entry in found}), lines


def headline(metrics: Metrics, of: dict[str, Measured]) -> str:
    """Return what can be shown of an adapter, good and bad: a mean whose interval allows for nothing speaks of nothing.

    Args:
        of: by the measures' keys.
    """
    learnt, loss = _beyond(of.get("subject_similarity")), _below(of.get("val_loss"))
    text = (
        "The adapter has learnt the subject."
        if learnt and loss
        else "The adapter draws the subject, but does not know unseen photos of it better than the base."
        if learnt
        else "The adapter knows unseen photos of the subject better than the base, but its pictures are not more alike."
        if loss
        else "It cannot be shown that the adapter has learnt the subject."
    )
    if _beyond(leak := of.get("class_similarity"), LITTLE_LEAK * _way(metrics, leak)):
        text += " The plain class noun draws it as well."
    if _beyond(of.get("drift"), ANOTHER_SEED):
        text += " Pictures that have nothing to do with it change more than by another seed."
    return text


def side_effects(metrics: Metrics) -> list[str]:
    """Return sentences on what an adapter did to other things, to its class and to the variety of its pictures."""
    if not {"drift_in_seeds", "diversity"} <= metrics.keys():
        return [f"{METRICS} is of another ruler: drift and diversity mean something else there; run `dvc repro`"]
    drift, leak, diversity = (metrics[key] for key in ("drift_in_seeds", "class_leak", "diversity"))
    lines = []
    if drift is not None:
        words = _chosen(drift, DRIFT)
        lines.append(
            f"{words}: pictures without the subject move {drift:.2g} times as far as another seed would move them."
        )
    if (shown := metrics.get("features_shown")) is not None and (leaked := metrics.get("features_leaked")) is not None:
        lines.append(
            f"The judge sees {shown:.1f} of the subject's features on its pictures, and {leaked:.1f} on other things "
            f"(the base: {metrics['features_leaked_base']:.1f})."
        )
    if leak is not None:
        words = _chosen(leak, LEAK)
        lines.append(f"{words}: the plain class noun has gone {leak:.0%} of the way to the subject.")
    if diversity is not None:
        words = _chosen(diversity, DIVERSITY)
        lines.append(f"{words}: {diversity:.2f} times as far apart as two photos of one scene.")
    return lines


def _chosen(value: float, words: Mapping[float, str]) -> str:
    return next(text for limit, text in words.items() if value <= limit)


def _beyond(entry: Measured | None, least: float = 0.0) -> bool:
    return entry is not None and (low := entry["interval"].low) is not None and low > least


def _below(entry: Measured | None) -> bool:
    return entry is not None and (high := entry["interval"].high) is not None and high < 0


def _way(metrics: Metrics, leak: Measured | None) -> float:
    """Return the likeness that lies between the base's pictures of the class and real photos of the subject."""
    real = metrics["subject_similarity_real"]
    return real - leak["base"] if leak and leak["base"] is not None and real is not None else math.inf
