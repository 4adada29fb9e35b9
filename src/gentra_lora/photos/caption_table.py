"""Captions as a table: CSV whose first line names the columns, and Hugging Face's metadata.jsonl."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gentra_lora.errors import first_line
from gentra_lora.photos.captions import Captions, Lines, split_lines
from gentra_lora.photos.names import WrittenNames

FILE = {"file_name", "filename", "file name", "file", "file_path", "filepath", "path", "image", "image_name"}
FILE |= {"image_file", "image_path", "img", "photo", "name"}
TEXT = {"text", "caption", "captions", "prompt", "description"}
WITH_HEADER = "write their names above: file_name,text and the rest"


@dataclass(frozen=True)
class Table:
    """The columns that a first line names, and the lines below it."""

    delimiter: str
    columns: list[str]
    below: Lines

    @property
    def files(self) -> list[str]:
        return [column for column in self.columns if column.casefold() in FILE]

    @property
    def texts(self) -> list[str]:
        return [column for column in self.columns if column.casefold() in TEXT]

    @property
    def is_plain(self) -> bool:
        """Whether it is a name and a caption on each line, which needs no quotes around a caption with commas."""
        return len(self.columns) == 2 and [*self.files, *self.texts] == self.columns


def find_table(lines: Lines, known: WrittenNames) -> Table | None:
    """Return the Table of lines of text, or None where the first of them does not name a file's and a text's column."""
    start = next(place for place, (_, line) in enumerate(lines) if line.strip())
    for delimiter in "\t,;|":
        row = next(csv.reader([lines[start][1]], delimiter=delimiter), [])
        table = Table(delimiter, _filled(row), lines[start + 1 :])
        if table.files and table.texts and not any(known.find(column) for column in table.columns):
            return table
    return None


def _filled(row: Sequence[str]) -> list[str]:
    """Return a row's fields without the spaces around them, and without the empty ones at its end."""
    fields = [field.strip() for field in row]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def read_table(table: Table, source: str, known: WrittenNames) -> Captions:
    """Return the Captions of a table; what its other columns hold is not read, and they are named."""
    captions = Captions(f"a table with the columns {', '.join(table.columns)}")
    for kind, found in (("the photo", table.files), ("the caption", table.texts)):
        if len(found) > 1:
            captions.problems.append(f"{source}: {' and '.join(found)} may each be {kind}; rename all but one of them")
    if captions.problems:
        return captions
    file, text = (table.columns.index(found[0]) for found in (table.files, table.texts))
    rest = [column for column in table.columns if column not in (table.columns[file], table.columns[text])]
    captions.notes += _unread(source, rest)
    for number, row in _rows(table, source, captions):
        place = f"{source}: line {number}"
        if len(row) > len(table.columns):
            captions.problems.append(
                f"{place} has {len(row)} columns, its first line names {len(table.columns)}: {row}; put quotes around "
                "a caption that holds the separator"
            )
        elif len(row) <= file:
            captions.problems.append(f"{place} has no {table.columns[file]}: {row}; write it, or remove the line")
        else:
            _add(captions, row[file], row[text] if len(row) > text else "", place, known)
    return captions


def _rows(table: Table, source: str, captions: Captions) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the numbers of their lines; a quote that is no CSV ends them and is a problem."""
    reader = csv.reader((f"{line}\n" for _, line in table.below), delimiter=table.delimiter, strict=True)
    first = table.below[0][0] if table.below else 0
    while True:
        number = first + reader.line_num
        try:
            row = _filled(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            captions.problems.append(f"{source}: line {number} is no CSV ({first_line(error)}); correct its quotes")
            return
        if row:
            yield number, row


def _add(captions: Captions, written: str, text: str, place: str, known: WrittenNames) -> None:
    if name := known.find(written):
        captions.add(name, text, place)
    else:
        captions.problems.append(f"{place}: no photo is called {written!r}{known.hint(written)}; correct it")


def _unread(source: str, columns: Iterable[str]) -> list[str]:
    found = ", ".join(column or "(without a name)" for column in dict.fromkeys(columns))
    return [f"{source}: not read, as prepare has no use for it: {found}"] if found else []


def read_metadata(data: bytes, source: str, names: Sequence[str]) -> Captions:
    """Return the Captions of a metadata.jsonl: on each line an object with `file_name` and `text` (or `caption`)."""
    lines, problem = split_lines(data, source)
    problem = problem or _not_lines(lines, source)
    if problem:
        return Captions("metadata.jsonl", problems=[problem])
    captions, known = Captions("metadata.jsonl"), WrittenNames(names)
    unread: list[str] = []
    for number, line in lines:
        place = f"{source}: line {number}"
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            captions.problems.append(f"{place} is no JSON ({first_line(error)}): {line!r}; correct it")
            continue
        values = values if isinstance(values, dict) else {}
        name, texts = values.get("file_name"), [values[key] for key in ("text", "caption") if key in values]
        if not isinstance(name, str) or len(texts) != 1:
            captions.problems.append(f"{place} needs file_name, and either text or caption: {line!r}; correct it")
        elif not isinstance(texts[0], str):
            captions.problems.append(f"{place}: the text is {texts[0]!r}, no string; correct it")
        else:
            unread += [key for key in values if key not in ("file_name", "text", "caption")]
            _add(captions, name, texts[0].strip(" "), place, known)
    captions.notes += _unread(source, unread)
    return captions


def _not_lines(lines: Lines, source: str) -> str | None:
    """Return what a text is that is one value of JSON as a whole, not one a line; None of lines."""
    text = "\n".join(line for _, line in lines)
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, dict) and "file_name" in value:  # a single line
        return None
    kind = "an array" if isinstance(value, list) else "one object" if isinstance(value, dict) else "one value"
    return f"{source}: is {kind} of JSON; write an object a line, with file_name and text, and no commas between them"
