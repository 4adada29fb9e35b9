"""Forms, read strictly: whole, in UTF-8, their files in memory."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gentra_lora.service.bodies.kinds import FORM, arrived, kind_of
from gentra_lora.service.bodies.sentences import invalid
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.settings import ServiceSettings

TEXT_BYTES = 64 * 1024  # of one field that is no file
Body = TypeVar("Body", bound=BaseModel)


class StrictForm(MultiPartParser):
    """Takes a form that is whole and in UTF-8, where its parent guesses.

    It keeps files in memory, however large: the guard has bounded them, and a full disk then harms nobody.
    """

    spool_max_size = 2**31
    whole = False

    def on_headers_finished(self) -> None:
        _decoded(self._current_part.content_disposition or b"", "the name of a field")
        super().on_headers_finished()

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            _decoded(bytes(self._current_part.data), self._current_part.field_name)
        super().on_part_end()

    def on_end(self) -> None:
        self.whole = True

    async def parse(self) -> FormData:
        """Return the form.

        Raises:
            MultiPartException: it ends before its last boundary, or is not in UTF-8.
        """
        form = await super().parse()
        problem = None if self.whole else "it ends before its last boundary"
        if self._charset != "utf-8":
            problem = f"its charset is {self._charset}; send UTF-8"
        if problem:
            await form.close()
            raise MultiPartException(problem)
        return form


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MultiPartException(f"{name} is not UTF-8 at byte {error.start} (0x{data[error.start]:02X})") from error


def from_texts(values: Mapping[str, str], schema: type[Body]) -> Body:
    """Return the texts of a form as `schema`.

    Raises:
        ServiceError: 422, it does not hold what it must.
    """
    try:
        return schema.model_validate_strings(values)
    except ValidationError as error:
        raise invalid(error) from error


async def form_of(request: Request, settings: ServiceSettings, most_files: int) -> FormData:
    """Return a form, which the caller closes.

    Raises:
        ServiceError: 415, none; 408, it does not arrive; 400, it cannot be read.
    """
    if kind_of(request) != FORM:
        raise ServiceError(415, "unsupported_media_type", f"the body must be {FORM} with a file named image")
    parser = StrictForm(Headers(scope=request.scope), request.stream(), max_files=most_files, max_fields=32)
    parser.max_part_size = TEXT_BYTES
    try:
        return await arrived(parser.parse(), settings.upload_seconds)
    except (MultiPartException, KeyError, UnicodeDecodeError, ValueError) as error:
        message = getattr(error, "message", "it cannot be read")
        raise ServiceError(400, "invalid_request", f"the form is damaged: {message}") from error
