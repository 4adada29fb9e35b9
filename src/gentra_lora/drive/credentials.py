"""The key files of Google Drive: which kind one is, and the one-time log-in that makes one."""

import json
import os
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httplib2
from oauth2client.client import FlowExchangeError, OAuth2WebServerFlow
from oauth2client.tools import ClientRedirectHandler, ClientRedirectServer

from gentra_lora.errors import InputError, first_line

VARIABLE = "GDRIVE_CREDENTIALS_DATA"  # dvc-gdrive reads a key's whole text from it, in place of a file
SCOPE = "https://www.googleapis.com/auth/drive"
USER, SERVICE, CLIENT = "log-in", "service account", "OAuth client"
LOG_IN = "make one with `gentra-lora drive login --client CLIENT.json --out KEY.json`"
WAYS_OUT = {
    USER: LOG_IN,
    SERVICE: "make a JSON key of a service account in Google Cloud's console",
    CLIENT: "make an OAuth client of the type Desktop app in Google Cloud's console",
}


class CredentialsError(InputError):
    """A key that cannot be used for what it was given for."""


@dataclass(frozen=True)
class Credentials:
    """A key: its kind, the fields of its JSON, and the file that holds it, None where VARIABLE does."""

    kind: str
    fields: dict[str, Any]
    path: Path | None

    @property
    def email(self) -> str | None:
        """The address that a folder is shared with; None for a log-in."""
        return self.fields.get("client_email")

    @property
    def place(self) -> str:
        """Where the key is, for messages."""
        return str(self.path or VARIABLE)


def read_credentials(path: Path | str | None, *wanted: str) -> Credentials:
    """Return the key in a file, or in VARIABLE where `path` is None; it is of one of the kinds `wanted`.

    Raises:
        CredentialsError: nothing there, no JSON, or a key of another kind.
    """
    text = os.environ.get(VARIABLE) if path is None else _text_of(path)
    if path is not None and os.environ.get(VARIABLE, text) != text and CLIENT not in wanted:
        raise CredentialsError(
            f"{path}: {VARIABLE} holds another key, which would be taken; unset it or leave this out"
        )
    place = path or VARIABLE
    if not text:
        raise CredentialsError(f"--credentials: name a key file, or put its text into {VARIABLE}")
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise CredentialsError(f"{place}: is no JSON ({first_line(error)}); give the key as it was made") from error
    kind, fields = _kind_of(fields, place)
    if kind not in wanted:
        raise CredentialsError(f"{place}: is the key of a {kind}, not of a {wanted[0]}; {WAYS_OUT[wanted[0]]}")
    return Credentials(kind, fields, Path(path).resolve() if path else None)


def _text_of(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: cannot be read: {first_line(error)}") from error


def _kind_of(fields: Any, place: Path | str) -> tuple[str, dict[str, Any]]:
    """Return (kind, fields) of a key's JSON."""
    if isinstance(fields, dict):
        if fields.get("type") == "service_account":
            return SERVICE, _complete(fields, place, "client_email", "client_id", "private_key", "private_key_id")
        if client := fields.get("installed") or fields.get("web"):
            return CLIENT, _complete(client, place, "client_id", "client_secret")
        if fields.get("_class") == "OAuth2Credentials":
            _complete(fields, place, "client_id", "client_secret")
            if not fields.get("refresh_token"):
                raise CredentialsError(f"{place}: holds no refresh_token and would end within the hour; {LOG_IN}")
            return USER, fields
    raise CredentialsError(f"{place}: is no key that Drive takes; {LOG_IN}")


def _complete(fields: Any, place: Path | str, *keys: str) -> dict[str, Any]:
    """Return a key's fields.

    Raises:
        CredentialsError: one of the keys is not there.
    """
    lacking = [key for key in keys if not isinstance(fields, dict) or not fields.get(key)]
    if lacking:
        raise CredentialsError(f"{place}: holds no {', no '.join(lacking)}; give the key as it was made")
    return fields


class _Redirect(ClientRedirectHandler):
    timeout = 5  # a browser may open a connection and send nothing


def log_in(client: Credentials, ask: Callable[[str], str] | None = None, seconds: float = 300) -> str:
    """Return the JSON text of a log-in with one's own OAuth client, made in a browser.

    Args:
        client: of the kind CLIENT.
        ask: shows an address and returns the one that the browser was sent to, for machines whose browser is
            elsewhere; None waits for the browser on this machine.
        seconds: how long it is waited for.

    Raises:
        CredentialsError: refused in the browser, no code in the address, time over, or refused by Google.
    """
    flow = OAuth2WebServerFlow(
        client.fields["client_id"],
        client.fields["client_secret"],
        SCOPE,
        auth_uri=client.fields.get("auth_uri", "https://accounts.google.com/o/oauth2/auth"),
        token_uri=client.fields.get("token_uri", "https://oauth2.googleapis.com/token"),
        access_type="offline",
        prompt="consent",  # or Google leaves the refresh token out from the second time on
    )
    answer = _pasted(flow, ask) if ask else _redirected(flow, seconds)
    if "code" not in answer:
        reason = answer.get("error", "no code in the address that the browser was sent to")
        raise CredentialsError(f"{client.place}: the log-in was not given: {reason}; try again and allow the access")
    try:
        return flow.step2_exchange(answer["code"]).to_json()
    except (FlowExchangeError, httplib2.HttpLib2Error, OSError) as error:
        raise CredentialsError(f"{client.place}: Google refuses the log-in: {first_line(error)}; try again") from error


def _pasted(flow: OAuth2WebServerFlow, ask: Callable[[str], str]) -> dict[str, str]:
    flow.redirect_uri = "http://localhost:8080/"
    try:
        found = parse_qs(urlsplit(ask(flow.step1_get_authorize_url()).strip()).query)
    except EOFError:
        raise CredentialsError("nobody is there to paste the address; run the command in a terminal") from None
    return {key: values[0] for key, values in found.items()}


def _redirected(flow: OAuth2WebServerFlow, seconds: float) -> dict[str, str]:
    with ClientRedirectServer(("localhost", 0), _Redirect) as server:
        flow.redirect_uri = f"http://localhost:{server.server_address[1]}/"
        address = flow.step1_get_authorize_url()
        print(f"In the browser, allow the access; if none opened, go to\n\n    {address}\n")
        webbrowser.open(address)
        answer: dict[str, str] = {}
        server.timeout, end = 0.2, time.monotonic() + seconds
        while not {"code", "error"} & answer.keys() and time.monotonic() < end:
            server.handle_request()
            answer = server.query_params
    if not answer:
        raise CredentialsError(
            f"no log-in within {seconds} s; try again, or add --paste where the browser is elsewhere"
        )
    return answer
