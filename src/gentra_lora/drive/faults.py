"""What goes wrong with Google Drive, each in one sentence that says what to do."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import httplib2
from googleapiclient.errors import HttpError
from oauth2client.client import AccessTokenRefreshError
from pydrive2.auth import AuthenticationError, RefreshError
from pydrive2.files import ApiRequestError

from gentra_lora.drive.remotes import DriveError
from gentra_lora.errors import first_line

NEW_LOG_IN = (
    "the log-in has ended or was withdrawn; make a new one with `gentra-lora drive login` (a client whose publishing "
    "status is Testing ends its log-ins after 7 days: set it to In production)"
)
REASONS = {
    "storageQuotaExceeded": "the Drive is full; free space there, or push from an account that has some",
    "quotaExceeded": "the Drive is full; free space there, or push from an account that has some",
    "userRateLimitExceeded": "Drive's limit of requests is reached; wait some minutes and run the same command again",
    "rateLimitExceeded": "Drive's limit of requests is reached; wait some minutes and run the same command again",
    "429": "Drive's limit of requests is reached; wait some minutes and run the same command again",
    "dailyLimitExceeded": "the OAuth client's requests of this day are used up; go on tomorrow",
    "cannotDownloadAbusiveFile": (
        "Google flagged a file as abusive, and only its owner can get it: by log-in, after "
        "`dvc remote modify --local drive gdrive_acknowledge_abuse true`"
    ),
    "insufficientFilePermissions": "the folder may only be read; let its owner share it with the role Editor",
    "insufficientPermissions": "the log-in does not allow it; make a new one with `gentra-lora drive login`",
    "accessNotConfigured": "the Google Drive API is off in the key's Google Cloud project; switch it on there",
    "authError": NEW_LOG_IN,
}


UNREACHED = (
    httplib2.HttpLib2Error,
    HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    socket.gaierror,
    json.JSONDecodeError,  # a page of some proxy in place of Drive's answer
)


def chain(error: BaseException | None) -> list[BaseException]:
    """Return an error with its causes, the outermost first."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def reason_of(error: BaseException) -> str | None:
    """Return the reason that Drive gives in an error, or its HTTP status as a string, or None."""
    if isinstance(error, ApiRequestError):
        fields = error.error
    elif isinstance(error, HttpError):
        try:
            fields = json.loads(error.content)["error"]
        except (ValueError, KeyError, TypeError):
            return str(error.resp.status)
    else:
        return None
    details = fields.get("errors") or [{}]
    return details[0].get("reason") or str(fields.get("code"))


def sentence(error: BaseException, url: str, email: str | None) -> str | None:
    """Return what to do about an error of Drive's client, or None where it is none of the known ones.

    Args:
        url: the remote's address.
        email: the service account's, None for a log-in.
    """
    for cause in chain(error):
        if email and reason_of(cause) == "storageQuotaExceeded":
            return f"{url}: a service account has no storage of its own; push by log-in (`gentra-lora drive oauth`)"
        if text := REASONS.get(reason_of(cause) or ""):
            return f"{url}: {text}"
        if text := _sentence_of_kind(cause, url, email):
            return text
    return None


def _sentence_of_kind(cause: BaseException, url: str, email: str | None) -> str | None:
    if isinstance(cause, PermissionError) or reason_of(cause) in ("notFound", "404"):
        shared = f"share it with {email} (Viewer)" if email else "share it with the account of the log-in"
        return f"{url}: there is no such folder for this key; {shared}, or correct the address"
    if isinstance(cause, FileNotFoundError) and "Confirm" in str(cause):  # so the client says it, of the remote
        return f"{url}: the sub-folder is not there; make it in Drive, or set up the folder above it"
    if isinstance(cause, (AccessTokenRefreshError, RefreshError)):
        return f"{url}: {NEW_LOG_IN}"
    if isinstance(cause, AuthenticationError):
        return f"{url}: no log-in on this machine; `gentra-lora drive oauth --credentials KEY.json` names one"
    if isinstance(cause, AttributeError) and "sign" in str(cause):
        return (
            f"{url}: this Python's pyOpenSSL cannot sign for a service account; use a log-in or a mounted folder here, "
            f"or a fresh virtual environment"
        )
    if isinstance(cause, UNREACHED) or (reason_of(cause) or "").startswith("5"):
        return f"{url}: Drive cannot be reached ({first_line(cause)}); look at the connection and run it again"
    return None


@contextmanager
def told(url: str, email: str | None) -> Iterator[None]:
    """Turn an error of Drive's client inside into a DriveError with what to do; others go on as they are."""
    try:
        yield
    except DriveError:
        raise
    except Exception as error:
        text = sentence(error, url, email)
        if text is None:
            raise
        raise DriveError(text) from error
