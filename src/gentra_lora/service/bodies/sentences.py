"""What is wrong with a body, in words of people who fill in a field."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.schemas import TOLD

# By pydantic's type of an error.
SENTENCES = {
    "extra_forbidden": "is not known here; remove it",
    "missing": "is missing",
    "model_type": "must be a JSON object",
    "string_type": "must be a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "multiple_of": "must be a multiple of {multiple_of:g}",
    "literal_error": "must be {expected}",
    "string_too_long": "has more than {max_length} characters",
    **dict.fromkeys(("too_short", "string_too_short"), "is empty"),
    "string_pattern_mismatch": "{told}",
}
MOST_DETAILS = 20  # of one refusal


def invalid(error: ValidationError | RequestValidationError) -> ServiceError:
    """Return the 422 of a body or path that is not as it must be, without repeating what was sent."""
    details = [
        {"field": ".".join(map(str, found["loc"])) or "body", "message": _sentence(found)} for found in error.errors()
    ]
    left_out = len(details) - MOST_DETAILS
    if left_out > 0:
        details = [*details[:MOST_DETAILS], {"field": "body", "message": f"has {left_out} more faults"}]
    first = details[0]
    message = f"{first['field']}: {first['message']}"
    return ServiceError(422, "invalid_request", message, param=first["field"], details=details)


def _sentence(found: Mapping[str, Any]) -> str:
    kind, limits = found["type"], found.get("ctx", {})
    if kind in SENTENCES:
        return SENTENCES[kind].format(**limits, told=TOLD.get(limits.get("pattern", ""), "is not of the form wanted"))
    text = found["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
