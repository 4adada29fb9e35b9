"""What is told where there is not what was asked for."""

from pydantic import BaseModel


class FieldError(BaseModel):
    """One field that is not as it must be."""

    field: str
    message: str


class Error(BaseModel):
    """What went wrong: `code` for programs, `message` for people."""

    type: str
    code: str
    message: str
    param: str | None
    details: list[FieldError]


class ErrorBody(BaseModel):
    """Every answer that is not the one asked for."""

    error: Error
    request_id: str
