"""params.yaml, YAML 1.2 as DVC reads it, as typed values: a pydantic model per block, for stages and commands."""

import difflib
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import BaseModel as Model
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from gentra_lora.errors import InputError, first_line

PARAMS_FILE = Path("params.yaml")
# Prodigy's learning rate is a factor, usually 1; AdamW with as much ends in NaN, Prodigy with less hardly moves.
PRODIGYS_LEAST = 0.1
SCHEDULE_STEPS = 1000  # of every Stable Diffusion 1.x
# What YAML 1.2 reads otherwise than many a writer means.
WAYS_OUT = {"bool_type": "; write true or false", "string_type": "; quotes make a string of it"}


class ParamsError(InputError):
    """params.yaml does not describe a run; the message names every key that is wrong and the way out."""


class ParamsTextError(InputError):
    """A text that is no YAML 1.2; the message names file, line and reason."""


Float = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[Float, Field(ge=0, le=1)]
Positive = Annotated[Float, Field(gt=0)]
HalfPrecision = Annotated[Float, Field(ge=2**-14, le=65504)]  # whole numbers and fractions that float16 keeps
Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Block(Model):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Base(Block):
    """The model that learns, the same for all stages."""

    model: Text
    revision: str | None
    vae: Text | None
    vae_revision: str | None
    prediction_type: Literal["epsilon", "v_prediction"] | None
    mixed_precision: Literal["auto", "no", "fp16", "bf16"]


class Prepare(Block):
    raw_dir: Text
    resolution: Annotated[int, Field(ge=64, le=2048, multiple_of=8)]
    aspect: Literal["square", "buckets"]
    trigger_word: Text
    missing_trigger_word: Literal["add", "refuse"]
    allow_long_captions: bool
    held_out_share: Annotated[Float, Field(gt=0, le=0.5)]
    split_by: Literal["photo", "shoot"]
    alpha_as_mask: bool

    @model_validator(mode="after")
    def _buckets_exist(self) -> Self:
        if self.aspect == "buckets" and (self.resolution % 64 or self.resolution < 128):
            raise ValueError(f"aspect buckets need a resolution of 128 or more in steps of 64, not {self.resolution}")
        return self


class CacheLatents(Block):
    crop_variants: Count
    crop_min_scale: Annotated[Float, Field(gt=0, le=1)]
    flip: bool
    batch_size: Count
    class_prompts: Annotated[list[Text], Field(min_length=1)]
    class_pictures: NotNegative
    prior_draws: NotNegative


class Train(Block):
    rank: Count
    lora_alpha: HalfPrecision  # which the file holds it in
    lora_dropout: Annotated[Float, Field(ge=0, lt=1)]
    target_modules: Literal["attention", "attention+ff", "attention+ff+conv"]
    steps: Count
    batch_size: Count
    gradient_accumulation_steps: Count
    optimizer: Literal["adamw", "adamw8bit", "prodigy"]
    learning_rate: Positive
    lr_scheduler: Literal["constant", "linear", "cosine", "cosine_with_restarts"]
    lr_restarts: Count
    lr_warmup_steps: NotNegative
    weight_decay: Annotated[Float, Field(ge=0)]
    max_grad_norm: Positive
    timesteps: Literal["uniform", "stratified"]
    loss_weighting: Literal["none", "min_snr"]
    min_snr_gamma: Positive
    noise_offset: Annotated[Float, Field(ge=0, le=1)]
    caption_dropout: Fraction
    prior_weight: Annotated[Float, Field(ge=0)]
    prior_batch_size: Count
    background_weight: Fraction
    ema_decay: Annotated[Float, Field(gt=0, lt=1)] | None
    gradient_checkpointing: bool
    keep: Literal["last", "best"]
    held_out_every: Count
    sample_every: Count | None
    sample_prompts: Annotated[list[Text], Field(min_length=1)]
    sample_guidance_scale: Annotated[Float, Field(ge=1)]
    start_from: Text | None
    checkpoint_every: Count
    checkpoint_minutes: Positive
    checkpoints_kept: Count
    author: Text | None
    seed: Seed

    @model_validator(mode="after")
    def _rate_is_the_optimizers(self) -> Self:
        rate, factor = self.learning_rate, self.optimizer == "prodigy"
        if factor and rate < PRODIGYS_LEAST:
            raise ValueError(
                f"learning_rate is {rate:g}, a rate of AdamW, but optimizer is prodigy, which finds its rate by itself "
                "and multiplies it by this; set learning_rate to 1.0, or optimizer to adamw"
            )
        if not factor and rate >= PRODIGYS_LEAST:
            raise ValueError(
                f"learning_rate is {rate:g}, a factor of Prodigy, but optimizer is {self.optimizer}, which goes astray "
                "above 0.01 or so; set learning_rate to 0.0001, say, or optimizer to prodigy"
            )
        return self

    @model_validator(mode="after")
    def _best_is_chosen_among_several(self) -> Self:
        if self.keep == "best" and self.held_out_every >= self.steps:
            raise ValueError(
                f"keep is best, but held_out_every is {self.held_out_every} of {self.steps} steps, so that the last is "
                f"the only one measured; lower held_out_every, or set keep to last"
            )
        return self

    @model_validator(mode="after")
    def _restarts_fit(self) -> Self:
        left = self.steps - self.lr_warmup_steps
        if self.lr_scheduler == "cosine_with_restarts" and self.lr_restarts > left > 0:
            raise ValueError(
                f"lr_restarts is {self.lr_restarts}, but only {left} steps are left after the warmup; lower lr_restarts"
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.lr_warmup_steps >= self.steps:
            raise ValueError(f"lr_warmup_steps is {self.lr_warmup_steps}, but steps is {self.steps}; lower the warmup")
        return self


class Evaluate(Block):
    likeness_model: Text
    likeness_revision: str | None
    prompt_model: Text
    prompt_revision: str | None
    judge: Text | None
    class_noun: Text
    prompts: Annotated[list[Text], Field(min_length=1)]
    drift_prompts: Annotated[list[Text], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=2)]
    num_inference_steps: Count
    guidance_scale: Annotated[Float, Field(ge=1)]
    img2img_strengths: Annotated[list[Annotated[Float, Field(gt=0, le=1)]], Field(min_length=1)]
    adapter_scales: Annotated[list[Annotated[Float, Field(ge=0, le=3)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {self.seeds}; drift and diversity are measured between different ones")
        return self

    @model_validator(mode="after")
    def _schedules_are_long_enough(self) -> Self:
        for strength in (1.0, *self.img2img_strengths):
            if math.ceil(self.num_inference_steps / strength) > SCHEDULE_STEPS:
                raise ValueError(
                    f"num_inference_steps is {self.num_inference_steps}, at strength {strength:g} of a picture's "
                    f"{SCHEDULE_STEPS} steps of noise; lower it, or raise img2img_strengths"
                )
        return self


class Params(Block):
    base: Base
    prepare: Prepare
    cache_latents: CacheLatents
    train: Train
    evaluate: Evaluate

    @model_validator(mode="after")
    def _prior_is_there(self) -> Self:
        if self.train.prior_weight and not self.cache_latents.prior_draws:
            weight = self.train.prior_weight
            raise ValueError(f"train.prior_weight is {weight:g}, but cache_latents.prior_draws is 0; set it to 8, say")
        return self

    @model_validator(mode="after")
    def _class_prompts_are_of_others(self) -> Self:
        trigger_word, drift_prompts = self.prepare.trigger_word, {*map(folded, self.evaluate.drift_prompts)}
        for prompt in self.cache_latents.class_prompts:
            if trigger_word.lower() in prompt.lower():
                raise ValueError(
                    f"cache_latents.class_prompts: {prompt!r} holds the trigger word {trigger_word!r}, "
                    "which is to be learnt, not kept; name another of the class"
                )
            if folded(prompt) in drift_prompts:
                raise ValueError(
                    f"cache_latents.class_prompts: {prompt!r} is one of evaluate.drift_prompts, which would then "
                    "measure what was trained on; put another there"
                )
        return self

    @model_validator(mode="after")
    def _prompts_name_the_subject(self) -> Self:
        trigger_word = self.prepare.trigger_word
        lists = {"evaluate.prompts": self.evaluate.prompts, "train.sample_prompts": self.train.sample_prompts}
        for key, prompts in lists.items():
            for prompt in prompts:
                if trigger_word.lower() not in prompt.lower():
                    raise ValueError(f"{key}: {prompt!r} lacks the trigger word {trigger_word!r}; put it in")
        return self


def params_text(path: Path = PARAMS_FILE) -> str:
    """Return the text of a file that a person edits, UTF-8 as DVC reads it.

    Raises:
        ParamsTextError: there is no such file, it cannot be read, or it has another encoding.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        way_out = "run from the repository's root, or `gentra-lora profile demo`"
        raise ParamsTextError(f"{path}: no such file; {way_out}") from error
    except OSError as error:
        raise ParamsTextError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ParamsTextError(f"{path}: line {line} is not UTF-8; save the file as UTF-8 in your editor") from error


def parse_params(text: str, source: str) -> Any:
    """Return what DVC's own loader returns: dicts, lists and scalars.

    PyYAML reads YAML 1.1, where `no` and `on` are booleans, 1:30 is 90 and 5e-05 a string.

    Raises:
        ParamsTextError: no YAML, a key that stands twice, or a number or date that there is not.
    """
    try:
        # pure: the same scanner whether or not ruamel's C extension is installed.
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, LookupError, AssertionError) as error:  # it checks numbers, dates and tags by these
        raise ParamsTextError(f"{source}: not readable as YAML 1.2: {_reason(error)}") from error


def read_params(text: str, source: str = "params.yaml") -> Params:
    """Return the Params of a YAML text.

    Raises:
        ParamsError: not YAML, or unknown, missing, wrongly typed or impossible values: all of them at once.
    """
    try:
        values = parse_params(text, source)
    except ParamsTextError as error:
        raise ParamsError(str(error)) from error
    if not isinstance(values, dict):
        raise ParamsError(f"{source}: must hold the blocks {', '.join(Params.model_fields)}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise ParamsError("\n".join([f"{source}:", *(f"  {problem}" for problem in problems)])) from error


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Return the Params of a file. Every block is checked, so that a late stage's typo stops the first one."""
    try:
        text = params_text(path)
    except ParamsTextError as error:
        raise ParamsError(str(error)) from error
    return read_params(text, source=str(path))


def folded(prompt: str) -> str:
    """Return what a text encoder makes the same of: without case, double blanks and a last dot."""
    return " ".join(prompt.lower().split()).removesuffix(".")


def _explain(problem: ErrorDetails) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(key, problem['loc'])}"
    if problem["type"] == "missing":
        return f"{key}: missing; profiles/ has whole files to copy it from"
    reason = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict):
        return ": ".join(filter(None, (key, reason)))
    return f"{key}: {reason}, not {problem['input']!r}{WAYS_OUT.get(problem['type'], '')}"


def _nearest(key: str, loc: tuple[int | str, ...]) -> str:
    block: type[Model] = Params
    for part in loc[:-1]:
        block = get_type_hints(block)[str(part)]
    names = [".".join([*map(str, loc[:-1]), name]) for name in block.model_fields]
    found = difflib.get_close_matches(key, names, n=1)
    return f"; did you mean {found[0]}?" if found else f"; known: {', '.join(names)}"


def _reason(error: Exception) -> str:
    if not isinstance(error, MarkedYAMLError):
        return first_line(error)
    line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
    return f"{line}{error.problem or error.context}; mend it there"
