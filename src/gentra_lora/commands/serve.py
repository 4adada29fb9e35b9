"""`gentra-lora serve`: pictures by the exact weights of a revision, over HTTP."""

import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

import click

from gentra_lora.errors import InputError

KUBERNETES = re.compile("_SERVICE_(HOST|PORT)|_PORT_[0-9]")  # what it tells of services called gentra
NEEDED = ("fastapi", "uvicorn", "python_multipart", "pydantic_settings", "prometheus_client")


def flags() -> list[click.Parameter]:
    """Return an option for each setting that is no secret.

    Raises:
        InputError: the extra `serve` is not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"serve: {missing[0]} is not installed; pip install 'sport-gentra-lora[serve]'")
    from gentra_lora.service.settings import SECRETS, ServiceSettings

    options: list[click.Parameter] = []
    for name, field in ServiceSettings.model_fields.items():
        if name not in SECRETS:
            told = f"{field.description}{'' if field.default in (None, [], False) else f' ({field.default})'}"
            is_flag = field.annotation is bool
            metavar = "N" if isinstance(field.default, int | float) else "TEXT"
            flag = f"--{name.replace('_', '-')}"
            more = {"is_flag": True} if is_flag else {"metavar": metavar}
            options.append(click.Option([flag], help=told, default=None, **more))
    return options


def check_environment(fields: Iterable[str]) -> None:
    """Refuse variables of our prefix that no setting has: a misspelt key would leave the service open.

    Raises:
        InputError: names the variable and the nearest setting.
    """
    known = {f"GENTRA_{name.upper()}" for name in fields} | {"GENTRA_CHECKPOINTS"}
    for name in sorted(os.environ):
        if name.startswith("GENTRA_") and name not in known and not KUBERNETES.search(name):
            near = get_close_matches(name, known, 1)
            raise InputError(f"{name}: is no setting; " + (f"did you mean {near[0]}?" if near else "unset it"))


def serve_command(**given: Any) -> None:
    """Serve until the process is told to stop; the settings that are not given come from the environment.

    Raises:
        InputError: a setting is not as it must be.
    """
    from pydantic import ValidationError

    from gentra_lora.base.libraries import hush_libraries
    from gentra_lora.service.server import serve
    from gentra_lora.service.settings import ServiceSettings

    check_environment(ServiceSettings.model_fields)
    try:
        settings = ServiceSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        found = error.errors()[0]
        name = str(found["loc"][0]) if found["loc"] else "settings"
        raise InputError(f"--{name.replace('_', '-')}: {found['msg']} (got {found['input']!r})") from error
    hush_libraries()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"http://{host}:{settings.port}: /readyz says when it serves", file=sys.stderr)
    serve(settings)
