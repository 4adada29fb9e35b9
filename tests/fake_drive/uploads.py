"""Resumable uploads: a session takes the bytes of one file in chunks, in order, until it has them all."""

import re
import secrets
from dataclasses import dataclass, field

from .messages import Refused, Response, api_error

RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$")


@dataclass
class Session:
    principal: str
    metadata: dict
    file_id: str | None  # of a file that gets new content
    received: bytearray = field(default_factory=bytearray)

    def take(self, content_range, chunk):
        """Add a chunk and return whether the file is whole; without a range the chunk is all of it.

        Raises:
            Refused: 400 where the chunk does not begin at the end of what came before.
        """
        whole = f"bytes 0-{len(chunk) - 1}/{len(chunk)}" if chunk else "bytes */0"
        match = RANGE.match(content_range or whole)
        if not match or (match[1] and int(match[1]) != len(self.received)) or (not match[1] and chunk):
            raise Refused(api_error(400, "badRequest", f"Invalid Content-Range: {content_range}"))
        self.received += chunk
        return match[3] != "*" and len(self.received) == int(match[3])

    def progress(self):
        """Return the 308 that says how much has come."""
        got = {"Range": f"bytes=0-{len(self.received) - 1}"} if self.received else {}
        return Response(308, headers=got)


class Uploads:
    def __init__(self):
        self._sessions = {}

    def start(self, principal, metadata, file_id=None):
        """Return the id of a new session."""
        upload_id = secrets.token_urlsafe(32)
        self._sessions[upload_id] = Session(principal, metadata, file_id)
        return upload_id

    def session(self, upload_id):
        if upload_id not in self._sessions:
            raise Refused(api_error(404, "notFound", "Upload session not found."))
        return self._sessions[upload_id]

    def end(self, upload_id):
        del self._sessions[upload_id]
