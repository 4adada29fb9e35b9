"""The text of a params.yaml as plain values: YAML 1.2, which DVC reads and writes."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from gentra_lora.errors import InputError, first_line


class ParamsTextError(InputError):
    """A text that is no YAML 1.2; the message names file, line and reason."""


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


def _reason(error: Exception) -> str:
    if not isinstance(error, MarkedYAMLError):
        return first_line(error)
    line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
    return f"{line}{error.problem or error.context}; mend it there"
