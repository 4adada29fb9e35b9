"""How the text of a value is read, and refused in words that say what is wanted."""

import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import click


class Number(click.ParamType):
    """A number that a test accepts."""

    name = "number"

    def __init__(self, kind: type[int] | type[float], wanted: str, accepts: Callable[[float], bool] = math.isfinite):
        self.kind, self.wanted, self.accepts = kind, wanted, accepts

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; what is none, or not accepted, is told with the words for what is wanted."""
        try:
            number = self.kind(value)
        except ValueError:
            self.fail(f"{value} is no {'whole ' if self.kind is int else ''}number", param, ctx)
        if not self.accepts(number):
            self.fail(f"{value} is not {self.wanted}", param, ctx)
        return number


class Text(click.ParamType):
    """Words that can be kept in a picture."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; bytes that the terminal's encoding does not know arrive as half characters."""
        try:
            return str(value).encode().decode()
        except UnicodeEncodeError:
            self.fail("is not UTF-8; look at the terminal's encoding", param, ctx)


class Name(click.ParamType):
    """One of a few names."""

    name = "name"

    def __init__(self, known: tuple[str, ...]):
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; another one is told with the nearest, or with all."""
        if value not in self.known:
            near = get_close_matches(value, self.known, 1)
            way_out = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.known)}"
            self.fail(f"{value} is unknown; {way_out}", param, ctx)
        return str(value)


class Edit(click.ParamType):
    """KEY=VALUE."""

    name = "edit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return (key, value)."""
        key, equals, text = value.partition("=")
        if not equals:
            raise click.UsageError(f"{value} is not KEY=VALUE", ctx)
        return key, text


class Argument(click.Argument):
    """A word without an option's name, with what it means."""

    def __init__(self, name: str, told: str, **more: Any):
        super().__init__([name], **more)
        self.told = told


def name_of(param: click.Parameter) -> str:
    """Return what a person calls an option or a word."""
    return max(param.opts, key=len) if isinstance(param, click.Option) else param.metavar or str(param.name).upper()
