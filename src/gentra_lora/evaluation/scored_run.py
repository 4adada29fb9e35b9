"""What an evaluation left for later comparisons: its rows, its metrics, and how it was made."""

import json
from dataclasses import dataclass

from gentra_lora.errors import InputError, first_line

SCORES, SETUP, METRICS = "reports/scores.jsonl", "reports/evaluation.json", "reports/metrics.json"
# What must be equal for two evaluations to be paired, with the words for it.
COMPARED = {
    "prompts": "the prompts",
    "drift_prompts": "the drift prompts",
    "captions": "the captions of the held-out photos",
    "class_prompts": "the class prompts",
    "seeds": "the seeds",
    "held_out": "the held-out photos",
    "likeness_model": "the likeness model",
    "prompt_model": "the prompt model",
    "resolution": "the resolution",
    "num_inference_steps": "the denoising steps",
    "guidance_scale": "the guidance scale",
}
TOLD = {"device": "hardware", "precision": "precision"}  # and each of the versions


class RunError(InputError):
    """A revision whose evaluation cannot be had or read."""


@dataclass(frozen=True)
class ScoredRun:
    """One evaluation."""

    name: str  # as a person reads it: "slower (1a2b3c4)"
    setup: dict  # evaluation.json
    rows: list[dict]  # scores.jsonl
    metrics: dict  # metrics.json
    params: dict  # params.yaml


def parsed_run(name, setup, scores, metrics, params):
    """Return the ScoredRun of the texts of evaluation.json, scores.jsonl and metrics.json.

    Raises:
        RunError: one of them cannot be read.
    """
    try:
        rows = [json.loads(line) for line in scores.splitlines()]
        return ScoredRun(name, json.loads(setup), rows, json.loads(metrics), params)
    except ValueError as error:
        raise RunError(f"{name}: its evaluation cannot be read ({first_line(error)}); evaluate it again") from error


def differing(setup, other):
    """Return the keys of COMPARED in which two set-ups differ."""
    return [key for key in COMPARED if setup.get(key) != other.get(key)]


def told_differences(setup, other):
    """Return lines on what differs and may have moved a score by itself: hardware, precision, versions."""
    pairs = {words: (setup.get(key), other.get(key)) for key, words in TOLD.items()}
    versions = setup["versions"], other["versions"]
    pairs |= {name: tuple(found.get(name) for found in versions) for name in versions[0] | versions[1]}
    return [f"{words}: {one} and {two}" for words, (one, two) in pairs.items() if one != two]
