"""Values set in the text of params.yaml, and files named in that of dvc.yaml; comments are kept."""

import difflib
import io
from collections.abc import Iterable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarfloat import ScalarFloat

from gentra_lora.errors import InputError
from gentra_lora.params import ParamsTextError, parse_params

FLOAT, NULL = "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"


class EditError(InputError):
    """An edit that names no value of the file."""


def with_values(text: str, edits: Mapping[str, str]) -> str:
    """Return a YAML text with values set; comments, order and the other lines stay.

    Args:
        edits: {"block.key": text of the value, read as params.yaml is: 5e-05, null, [1, 2] or plain words}.

    Raises:
        EditError: a key that the text does not have, or a value that is no YAML.
        ParamsTextError: the text is no YAML.
    """
    if not _is_blocks(parse_params(text, "params.yaml")):
        raise EditError(
            "params.yaml: is not blocks of keys; `git checkout params.yaml` or `gentra-lora profile` mends it"
        )
    ruamel = _ruamel()
    data = ruamel.load(text)
    known = [f"{block}.{key}" for block, values in data.items() for key in values]
    for key, value in edits.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise EditError(f"{key}: unknown key; {f'did you mean {near[0]}?' if near else 'see params.yaml'}")
        block, name = key.split(".")
        data[block][name] = _value(key, value)
    return _dumped(ruamel, data)


def _is_blocks(data: Any) -> bool:
    return isinstance(data, dict) and all(isinstance(values, dict) for values in data.values())


def with_deps(text: str, paths: Iterable[str]) -> str:
    """Return dvc.yaml's text with paths among the deps of every stage, so that DVC sees when they change."""
    ruamel = _ruamel()
    data = ruamel.load(text)
    for stage in data["stages"].values():
        for path in paths:
            if path not in stage["deps"]:
                stage["deps"].insert(1, path)
    return _dumped(ruamel, data)


class _Reader(RoundTripConstructor):
    """ruamel's, with the text of each number: ruamel itself may write another last digit, 4e-324 for 5e-324."""


class _Writer(RoundTripRepresenter):
    """ruamel's, with numbers as they were read, and null by that name."""


def _read_float(reader: _Reader, node: ScalarNode) -> float:
    number = reader.construct_yaml_float(node)
    if isinstance(number, ScalarFloat):
        vars(number)["text"] = node.value
    return number


def _write_float(writer: _Writer, number: ScalarFloat) -> ScalarNode:
    return writer.represent_scalar(FLOAT, vars(number)["text"], anchor=number.yaml_anchor(any=True))


_Reader.add_constructor(FLOAT, _read_float)
_Writer.add_representer(ScalarFloat, _write_float)
_Writer.add_representer(type(None), lambda writer, _: writer.represent_scalar(NULL, "null"))


def _ruamel() -> YAML:
    ruamel = YAML()
    ruamel.Constructor, ruamel.Representer = _Reader, _Writer
    ruamel.preserve_quotes, ruamel.width = True, 4096
    ruamel.indent(mapping=2, sequence=4, offset=2)
    return ruamel


def _dumped(ruamel: YAML, data: Any) -> str:
    out = io.StringIO()
    ruamel.dump(data, out)
    return out.getvalue()


def _value(key: str, text: str) -> Any:
    try:
        value = parse_params(text, key)
    except ParamsTextError as error:
        raise EditError(f"{key}: {text!r} is no value that YAML can read; quotes make a string of it") from error
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value
