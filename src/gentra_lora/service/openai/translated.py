"""OpenAI's words -> ours, and refusals in the words that the client sent."""

from collections.abc import Callable

from gentra_lora.pictures.limits import LEAST_SIDE, MOST_SIDE, SIDE_UNIT
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.pace import CAN_BE_DONE
from gentra_lora.service.jobs.resolve import refusal
from gentra_lora.service.jobs.schemas import ImageToImage, TextToImage
from gentra_lora.service.openai.wishes import OpenAIEdit, OpenAIImage

MOST_STEPS = 100  # as the field itself allows
STEPS_OF_QUALITY = {"low": 0.5, "high": 2, "hd": 2}  # of the usual number: more steps are all that quality can buy here
FAITHFUL = 0.3  # strength of input_fidelity high, at which a photo is still itself


def translated(asked: OpenAIImage, usual_steps: int) -> TextToImage:
    """Return what is to be drawn.

    Args:
        usual_steps: of the served revision.

    Raises:
        ServiceError: 422, two fields that contradict each other, or a size that none is.
    """
    ours = ImageToImage if isinstance(asked, OpenAIEdit) else TextToImage
    names = set(ours.model_fields) & set(type(asked).model_fields)
    values = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    values |= _sides(asked.size) | _steps(asked, usual_steps)
    if isinstance(asked, OpenAIEdit) and asked.input_fidelity == "high":
        if asked.strength is not None:
            raise refusal("input_fidelity", f"high is strength {FAITHFUL}; give one of the two")
        values["strength"] = FAITHFUL
    return ours(**values, num_images=asked.n or 1)


def _sides(size: str | None) -> dict[str, int]:
    if size in (None, "auto"):
        return {}
    width, height = (int(side) for side in size.split("x"))
    if any(side % SIDE_UNIT or not LEAST_SIDE <= side <= MOST_SIDE for side in (width, height)):
        raise refusal("size", f"is {size}; sides are multiples of {SIDE_UNIT} from {LEAST_SIDE} to {MOST_SIDE}")
    return {"width": width, "height": height}


def _steps(asked: OpenAIImage, usual: int) -> dict[str, int]:
    if asked.quality not in STEPS_OF_QUALITY:
        return {}
    steps = max(1, min(MOST_STEPS, round(usual * STEPS_OF_QUALITY[asked.quality])))
    if asked.num_inference_steps is not None:
        raise refusal("quality", f"{asked.quality} is num_inference_steps {steps}; give one of the two")
    return {"num_inference_steps": steps}


def in_openais_words(error: ServiceError, sizes: Callable[[], str]) -> ServiceError:
    """Return a refusal by the name that the client sent.

    Args:
        sizes: tells those that can be done.
    """
    told = error.details[0]["message"] if error.details else ""
    if error.param == "num_images":
        return refusal("n", told)
    if error.param in ("width", "height"):
        more = "" if CAN_BE_DONE in told else f"; {sizes()}"
        return refusal("size", f"does not fit: {error.param} {told}{more}")
    return error


def check_form(asked: OpenAIImage) -> None:
    """Refuse an answer of a form that cannot be.

    Raises:
        ServiceError: 422, a PNG that is to lose something; a stream of addresses, or of partial images of several.
    """
    if asked.output_format in (None, "png") and asked.output_compression not in (None, 100):
        told = f"is {asked.output_compression}, and a PNG loses nothing; say output_format jpeg or webp"
        raise refusal("output_compression", told)
    if asked.stream and asked.response_format == "url":
        raise refusal("response_format", "is url, and a stream holds the pictures themselves; take b64_json")
    if asked.stream and asked.partial_images and (asked.n or 1) > 1:
        raise refusal("partial_images", f"cannot tell {asked.n} pictures apart; take 0, or n 1")
