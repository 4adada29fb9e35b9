"""A1111's requests in our words, and our refusals in A1111's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from gentra_lora.service.a1111.photos import mask_values
from gentra_lora.service.a1111.samplers import check_noise, sampler_of
from gentra_lora.service.a1111.schemas import A1111ImageToImage, A1111Picture
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import TextToImage

NAMES = {  # of what is found out after the body is read
    "strength": "denoising_strength",
    "image": "init_images",
    "mask_padding": "inpaint_full_res",
}
SHOWN = 60  # characters of an option's name
Body = TypeVar("Body", bound=TextToImage)


def translated(asked: A1111Picture, schema: type[Body], options: Mapping[str, object], max_images: int) -> Body:
    """Return a request in our words.

    Args:
        options: what this service does as A1111 would call it; nothing else can be wished.

    Raises:
        ServiceError: 422, what cannot be had, by our names of the fields.
    """
    check_options(asked.override_settings or {}, options, "override_settings")
    sampler = sampler_of(asked.sampler_name or asked.sampler_index, asked.scheduler)
    check_noise(sampler, eta=asked.eta, s_noise=asked.s_noise)
    count = (asked.batch_size or 1) * (asked.n_iter or 1)
    if count > max_images:
        raise refusal("n_iter", f"times batch_size is {count}; this service makes at most {max_images} at once")
    values: dict[str, Any] = {
        "prompt": asked.prompt,
        "negative_prompt": asked.negative_prompt or "",
        "seed": None if asked.seed == -1 else asked.seed,
        "num_inference_steps": asked.steps,
        "guidance_scale": asked.cfg_scale,
        "width": asked.width,
        "height": asked.height,
        "num_images": count,
        "sampler": sampler,
    }
    if isinstance(asked, A1111ImageToImage):
        values |= {"strength": asked.denoising_strength, **mask_values(asked)}
    return schema(**values)


def check_options(wished: Mapping[str, object], options: Mapping[str, object], field: str | None = None) -> None:
    """Refuse options that this service would have to change.

    Args:
        field: in which they came; without it, each option is one.

    Raises:
        ServiceError: 422, with the first of them.
    """
    for name, value in wished.items():
        if value is not None and (name not in options or options[name] != value):
            shown = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
            what = f"holds {shown!r}, which cannot" if field else "cannot"
            raise refusal(field or shown, f"{what} be changed here; GET /sdapi/v1/options says what there is")


@contextmanager
def in_a1111s_words() -> Iterator[None]:
    """Let refusals name the fields that A1111's clients send."""
    try:
        yield
    except ServiceError as error:
        details = [found | {"field": _name(found["field"])} for found in map(dict, error.details)]
        message = error.message
        if error.param:
            message = _name(error.param) + message.removeprefix(error.param)
        param = _name(error.param) if error.param else None
        raise ServiceError(error.status, error.code, message, param, details, error.headers) from error


def _name(field: str) -> str:
    return NAMES.get(field, field)
