"""What an evaluation left for later comparisons: its rows, its metrics, and how it was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from gentra_lora.errors import InputError, first_line

SCORES, SETUP, METRICS = "reports/scores.jsonl", "reports/evaluation.json", "reports/metrics.json"
REPORT, NOISE = "reports/report.html", "reports/noise.json"
RULER = "2: drift in the base's seeds, diversity in real photos"  # changed with what a measure means
# What must be equal for two evaluations to be paired, with the words for it.
COMPARED = {
    "ruler": "another ruler",
    "prompts": "the prompts",
    "drift_prompts": "the drift prompts",
    "captions": "the captions of the held-out photos",
    "class_prompts": "the class prompts",
    "seeds": "the seeds",
    "held_out": "the held-out photos",
    "likeness_model": "the likeness model",
    "prompt_model": "the prompt model",
    "judge": "the judge",
    "resolution": "the resolution",
    "num_inference_steps": "the denoising steps",
    "guidance_scale": "the guidance scale",
}
TOLD = {"device": "hardware", "precision": "precision"}  # and each of the versions


Metrics = dict[str, float | None]  # metrics.json; None where a run has nothing to measure it by
Params = Mapping[str, Mapping[str, object]]  # params.yaml of whatever version: {block: {key: value}}


class ScoreRow(TypedDict, total=False):
    """A line of scores.jsonl: a picture, a real photo or a held-out error; see score_rows.py."""

    group: str  # not of held-out errors
    photo: str
    prompt: str
    seed: int
    adapter: bool  # else by the base; not of real photos
    distance: float | None
    fault: str | None
    subject_similarity: float
    nearest_train: float
    nearest_train_photo: str
    copied: bool
    nn_gap: float
    prompt_match: float
    features_shown: int  # of the subject's, by the judge, where there is one
    diversity: float | None  # in units of real photos of one scene, see score_rows.py
    drift: float | None  # in units of the base's own seeds, see score_rows.py
    timestep: int
    noise: int
    band: str
    loss: float


class Setup(TypedDict):
    """evaluation.json: how an evaluation was made."""

    ruler: str  # RULER
    weights_sha256: str
    base: str
    likeness_model: str
    prompt_model: str
    judge: str | None  # sha256
    held_out: dict[str, str]  # {file name: sha256}
    captions: list[str]
    class_prompts: list[str]
    prompts: list[str]
    drift_prompts: list[str]
    seeds: list[int]
    resolution: int
    num_inference_steps: int
    guidance_scale: float
    device: str
    precision: str
    versions: dict[str, str]


class RunError(InputError):
    """A revision whose evaluation cannot be had or read."""


@dataclass(frozen=True)
class ScoredRun:
    """One evaluation."""

    name: str  # as a person reads it: "slower (1a2b3c4)"
    setup: Setup
    rows: list[ScoreRow]
    metrics: Metrics
    params: Params


def parsed_run(name: str, setup: str, scores: str, metrics: str, params: Params) -> ScoredRun:
    """Return the run of the texts of evaluation.json, scores.jsonl and metrics.json.

    Raises:
        RunError: one of them cannot be read.
    """
    try:
        rows = [json.loads(line) for line in scores.splitlines()]
        return ScoredRun(name, json.loads(setup), rows, json.loads(metrics), params)
    except ValueError as error:
        raise RunError(f"{name}: its evaluation cannot be read ({first_line(error)}); evaluate it again") from error


def differing(setup: Setup, other: Setup) -> list[str]:
    """Return the keys of COMPARED in which two set-ups differ."""
    return [key for key in COMPARED if setup.get(key) != other.get(key)]


def told_differences(setup: Setup, other: Setup) -> list[str]:
    """Return lines on what differs and may have moved a score by itself: hardware, precision, versions."""
    pairs = {words: (setup.get(key), other.get(key)) for key, words in TOLD.items()}
    ours, theirs = setup["versions"], other["versions"]
    pairs |= {name: (ours.get(name), theirs.get(name)) for name in ours | theirs}
    return [f"{words}: {one} and {two}" for words, (one, two) in pairs.items() if one != two]
