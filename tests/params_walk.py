"""Values for every key of params.yaml, typical and nasty ones, in rounds that are valid as a whole."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any, get_type_hints

from gentra_lora.params import Params, folded

# What a reader of YAML, a shell or Hydra may take for something else than the words that it is.
WORDS = ("models/nano-sd", "no", "On", "yes", "y", "true", "null", "~", "nan", ".inf", "=", "<<", "007", "-1", "+1.")
WORDS += (".5", "1e-4", "12e4567", "0o14", "0x1F", "1_000", "1:30", "._", "2026-11-25", "2026-13-45", "#a", "-", "a:")
WORDS += ("'a'", 'a"b', "it's", "''", "C:\\a'b", "[a", "&a", "*a", "!a", "%a", "@a", "`a`", "|", "---", "a: b", "a #b")
WORDS += ("- a", "{a: 1}", "a, b", " a", "a ", "a\n\nb\n", "\ta", "gäntra, снег, 雪", "🚗", "a\u2028b", "\ufeffa")
WORDS += ("\x07", "word " * 40)
INTEGERS = (0, 1, 2, 8, 10, 64, 77, 1000, 4096, 2**31, 2**32 - 1, 10**12)
NUMBERS = (0.0, 5e-324, 1e-10, 5e-05, 1e-05, 0.0001, 0.00014, 0.1, 0.1 + 0.2, 0.5, 1, 1.0, 1.25, 2.5, 3.0, 1e16, 1e22)


def rounds() -> Iterator[dict[str, Any]]:
    """Yield {"block.key": value} with every key of Params; together they hold every candidate of every key.

    Of the words each key has a third, three keys of strings in a row have them all.
    """
    blocks = {block: get_type_hints(Params)[block].model_json_schema()["properties"] for block in Params.model_fields}
    schemas = {f"{block}.{key}": schema for block, keys in blocks.items() for key, schema in keys.items()}
    thirds = cycle([WORDS[n::3] for n in range(3)])
    found = {key: _candidates(schema, thirds) for key, schema in schemas.items()}
    for n in range(max(map(len, found.values()))):
        yield _made_valid({key: values[n % len(values)] for key, values in found.items()})


def _candidates(schema: dict[str, Any], words: Iterator[Sequence[str]]) -> list[Any]:
    """Return values that a JSON schema allows."""
    if "anyOf" in schema:
        return [value for kind in schema["anyOf"] for value in _candidates(kind, words)]
    if "enum" in schema:
        return schema["enum"]
    if schema["type"] == "array":
        items = _candidates(schema["items"], words)
        return [items[:1], *([first, last] for first, last in zip(items, items[::-1], strict=True))]
    if schema["type"] == "string":
        return [*next(words)]
    if schema["type"] in ("integer", "number"):
        return [n for n in (INTEGERS if schema["type"] == "integer" else NUMBERS) if _within(n, schema)]
    return {"boolean": [True, False], "null": [None]}[schema["type"]]


def _within(n: float, schema: dict[str, Any]) -> bool:
    above = n >= schema.get("minimum", n) and n > schema.get("exclusiveMinimum", float("-inf"))
    below = n <= schema.get("maximum", n) and n < schema.get("exclusiveMaximum", float("inf"))
    return above and below and ("multipleOf" not in schema or n % schema["multipleOf"] == 0)


def _made_valid(values: dict[str, Any]) -> dict[str, Any]:
    """Mend what two keys together must fulfil."""
    values["train.steps"] = max(values["train.steps"], values["train.lr_warmup_steps"] + 1)
    values["cache_latents.prior_draws"] = max(values["cache_latents.prior_draws"], 1)
    if (values["train.optimizer"] == "prodigy") != (values["train.learning_rate"] >= 0.1):
        values["train.optimizer"] = "prodigy" if values["train.learning_rate"] >= 0.1 else "adamw8bit"
    if values["train.keep"] == "best":
        values["train.steps"] = max(values["train.steps"], values["train.held_out_every"] + 1)
    if values["train.lr_scheduler"] == "cosine_with_restarts":
        values["train.steps"] = max(
            values["train.steps"], values["train.lr_warmup_steps"] + values["train.lr_restarts"]
        )
    least = min(values["evaluate.img2img_strengths"])
    values["evaluate.num_inference_steps"] = max(1, min(values["evaluate.num_inference_steps"], int(1000 * least)))
    if least < 0.001:
        values["evaluate.img2img_strengths"] = [1.0]
    if values["prepare.aspect"] == "buckets":
        values["prepare.resolution"] = 128
    if len(set(values["evaluate.seeds"])) < 2:
        values["evaluate.seeds"] = [1, 2]
    word = values["prepare.trigger_word"]
    others = [prompt for prompt in WORDS if word.lower() not in prompt.lower() and prompt.strip()]
    drift = {*map(folded, values["evaluate.drift_prompts"])}
    others = [prompt for prompt in others if folded(prompt) not in drift]
    asked = [prompt for prompt in values["cache_latents.class_prompts"] if prompt in others]
    values["cache_latents.class_prompts"] = asked or others[:1]
    for key in ("evaluate.prompts", "train.sample_prompts"):
        values[key] = [word, *(f"{prompt}{word}" for prompt in values[key])]
    return values


def by_key(params: Params) -> dict[str, Any]:
    """Return {"block.key": value} of Params."""
    return {f"{block}.{key}": value for block, values in params.model_dump().items() for key, value in values.items()}
