"""Values set in the text of params.yaml, and files named in that of dvc.yaml; comments are kept."""

import difflib
import io
import re

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from gentra_lora.errors import InputError

FLOAT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


class EditError(InputError):
    """An edit that names no value of the file."""


def with_values(text, edits):
    """Return a YAML text with values set; comments, order and the other lines stay.

    Args:
        edits: {"block.key": text of the value, read as YAML: 5e-05, null, [1, 2] or plain words}.

    Raises:
        EditError: a key that the text does not have, or a value that is no YAML.
    """
    ruamel = _ruamel()
    data = ruamel.load(text)
    if not isinstance(data, dict) or not all(isinstance(values, dict) for values in data.values()):
        raise EditError(
            "params.yaml: is not blocks of keys; `git checkout params.yaml` or `gentra-lora profile` mends it"
        )
    known = [f"{block}.{key}" for block, values in data.items() for key in values]
    for key, value in edits.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise EditError(f"{key}: unknown key; {f'did you mean {near[0]}?' if near else 'see params.yaml'}")
        block, name = key.split(".")
        data[block][name] = _value(key, value)
    return _dumped(ruamel, data)


def with_deps(text, paths):
    """Return dvc.yaml's text with paths among the deps of every stage, so that DVC sees when they change."""
    ruamel = _ruamel()
    data = ruamel.load(text)
    for stage in data["stages"].values():
        for path in paths:
            if path not in stage["deps"]:
                stage["deps"].insert(1, path)
    return _dumped(ruamel, data)


def _ruamel():
    ruamel = YAML()
    ruamel.preserve_quotes, ruamel.width = True, 4096
    ruamel.indent(mapping=2, sequence=4, offset=2)
    ruamel.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    return ruamel


def _dumped(ruamel, data):
    out = io.StringIO()
    ruamel.dump(data, out)
    return out.getvalue()


def _value(key, text):
    """Return a value as YAML 1.1 reads its text, for that is how params.yaml is read; but 5e-05 is a float."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EditError(f"{key}: {text!r} is no value that YAML can read") from error
    if isinstance(value, str):
        return float(text) if FLOAT.fullmatch(text.strip()) else _quoted(value)
    if isinstance(value, list):
        value = CommentedSeq(_quoted(item) if isinstance(item, str) else item for item in value)
        value.fa.set_flow_style()
    return value


def _quoted(text):
    """Return a text, in quotes where YAML 1.1 would read something else."""
    return text if yaml.safe_load(text) == text else DoubleQuotedScalarString(text)
