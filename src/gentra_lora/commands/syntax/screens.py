"""The command line as click reads it, and what help shows of it: commands in groups, an example for each."""

from difflib import get_close_matches
from typing import Any

import click

from gentra_lora.commands.syntax.kinds import Argument, name_of
from gentra_lora.commands.syntax.options import parameters
from gentra_lora.commands.syntax.table import ENTRIES, HEADINGS, PROGRAM, names_in

ABOUT = (
    "Teach a Stable Diffusion 1.5 model one subject, such as a car, from 50 to 100 photos: compare the trainings, draw "
    "with them, and hand on the exact weights of each. `dvc repro` trains and evaluates what params.yaml says."
)
WIDEST = 120  # columns; longer lines are hard to read
HELP = ["-h", "--help"]

Row = tuple[str, str]


class OneCommand(click.Command):
    """A command: words in, its path and values out. Its work is not imported."""

    allow_extra_args = True  # refused below, with what is mostly meant

    def __init__(self, path: str):
        given = parameters(path)
        options = "[options]" if any(isinstance(param, click.Option) for param in given) else None
        super().__init__(path.split()[-1], params=given, options_metavar=options)
        self.path = path

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words.

        Raises:
            click.UsageError: with the context of this command.
        """
        try:
            left = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = ctx
            raise
        if left:
            raise click.UsageError(
                f"{' '.join(left)}: more words than it takes; those of one prompt go into quotes", ctx
            )
        return left

    def invoke(self, ctx: click.Context) -> tuple[str, dict[str, Any]]:
        """Return what was asked for."""
        return self.path, ctx.params

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, what it is for, its words and options, and an example."""
        _write_head(self, ctx, formatter, _sentences(self.path))
        words = [(name_of(param), param.told) for param in self.params if isinstance(param, Argument)]
        _write_rows(formatter, "Arguments:", words)
        records = [param.get_help_record(ctx) for param in self.params if isinstance(param, click.Option)]
        _write_rows(formatter, "Options:", [record for record in records if record])
        _write_example(formatter, self.path)


class Family(click.Group):
    """Commands under one name, or all of them where `path` is empty."""

    def __init__(self, path: str = ""):
        super().__init__(path or PROGRAM, subcommand_metavar="COMMAND ...", options_metavar=None)
        self.path, self.names = path, names_in(path)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order."""
        return self.names

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command or a family, or None."""
        if name not in self.names:
            return None
        path = f"{self.path} {name}".strip()
        return OneCommand(path) if ENTRIES[path].work else Family(path)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return (name, command, the other words).

        Raises:
            click.UsageError: no such command, with the nearest, or with all.
        """
        command = self.get_command(ctx, args[0])
        if command is None:
            near = _nearest(args[0], self.path)
            way_out = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.names)}"
            raise click.UsageError(f"{ctx.command_path} has no command {args[0]!r}; {way_out}", ctx)
        return args[0], command, args[1:]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; where there are none, help is what is wanted, and nothing was done."""
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, what the tool is for, and the commands: at the top in groups, each by an example."""
        if self.path:
            _write_head(self, ctx, formatter, _sentences(self.path))
            _write_rows(formatter, "Commands:", [(name, ENTRIES[f"{self.path} {name}"].told) for name in self.names])
            _write_example(formatter, self.path)
        else:
            _write_head(self, ctx, formatter, ABOUT)
            entries = [ENTRIES[name] for name in self.names]
            width = max(len(entry.example) for entry in entries)  # one column through all groups
            for heading in HEADINGS:
                rows = [(f"{e.example:{width}}", e.told) for e in entries if e.heading == heading]
                _write_rows(formatter, heading, rows)
        formatter.write_paragraph()
        formatter.write_text(f"`{ctx.command_path} COMMAND --help` lists a command's options.")


def _write_head(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter, told: str) -> None:
    formatter.write_text(" ".join(["usage:", ctx.command_path, *command.collect_usage_pieces(ctx)]))
    formatter.write_paragraph()
    formatter.write_text(told)


def _write_rows(formatter: click.HelpFormatter, heading: str, rows: list[Row]) -> None:
    if rows:
        formatter.write_paragraph()
        formatter.write(f"{heading}\n")
        with formatter.indentation():
            formatter.write_dl(rows, col_max=36)


def _write_example(formatter: click.HelpFormatter, path: str) -> None:
    formatter.write_paragraph()
    formatter.write(f"Example:\n  {PROGRAM} {ENTRIES[path].example}\n")  # not wrapped, to be copied


def _sentences(path: str) -> str:
    entry = ENTRIES[path]
    return f"{entry.told[0].upper()}{entry.told[1:]}. {entry.more}".strip()


def _nearest(word: str, family: str) -> list[str]:
    """Return the commands that a wrong word may have meant, of any family where it is none of the top's."""
    near = get_close_matches(word, names_in(family))
    if near or family:
        return near
    last = {path.split()[-1] for path in ENTRIES}
    return [path for name in get_close_matches(word, last, 1) for path in ENTRIES if path.split()[-1] == name]
