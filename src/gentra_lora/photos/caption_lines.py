"""captions.txt: a photo's file name and its caption on each line, or captions alone in the photos' order."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from gentra_lora.errors import listed
from gentra_lora.photos.caption_table import WITH_HEADER, find_table, read_table
from gentra_lora.photos.captions import Captions, Lines, split_lines
from gentra_lora.photos.folder import normal, stem_of
from gentra_lora.photos.names import WrittenNames, key_of

SEPARATORS = {"\t": "tab", ",": "comma", "|": "bar", ";": "semicolon"}
PICTURE_NAME = re.compile(r"\.(jpe?g|jfif|png|webp|tiff?|bmp|gif|avif|hei[cf])\b", re.IGNORECASE)
WRITE_ONE = "write captions.txt: on each line a photo's file name, a tab, its caption"
SIZES = re.compile(r"\s*\d+(\.\d+)?\s*")
SPLITS = re.compile(r"\s*(train(ing)?|test(ing)?|dev|val(id(ation)?)?)\s*", re.IGNORECASE)
NUMBER = re.compile(r"\s*[(\[]?(\d+)(\s*[.):\]\t,;|](?:\s+|(?=\D))|\s+[-–—]\s+|\s+)(?=\S)")  # noqa: RUF001
BULLET = re.compile(r"\s*[-*•–—]\s+(?=\S)")  # noqa: RUF001


@dataclass(frozen=True)
class Named:
    """A line that begins with a photo's name: what follows the separator, as it stands, and as a caption."""

    name: str
    separator: str
    rest: str

    @property
    def fields(self) -> list[str]:
        """The one caption; or several texts, of which none is known to be the caption."""
        if self.separator == "|":
            return [self.rest]
        row = _csv_row(self.rest, self.separator)
        plain = self.rest.split(self.separator)
        if row is None or row == plain:
            return plain if self.separator == "\t" else [self.rest]
        return [field for field in row if field.strip()]


def read_lines(data: bytes, source: str, names: Sequence[str]) -> Captions:
    """Return the Captions of the bytes of a captions.txt, in the form that its lines give evidence of.

    Args:
        source: what messages call the file.
        names: the photos' names in natural order.
    """
    lines, problem = split_lines(data, source)
    if problem:
        return Captions("unread", problems=[problem])
    if not lines:
        return Captions("empty", problems=[f"{source}: is empty; {WRITE_ONE}"])
    known = WrittenNames(names)
    table = find_table(lines, known)
    if table and not table.is_plain:
        return read_table(table, source, known)
    lines = table.below if table else lines
    named = {number: found for number, line in lines if (found := _named(line, known))}
    if named or table:
        return _by_name(source, lines, named, known)
    doubtful = [(n, line) for n, line in lines if known.begins(line) or PICTURE_NAME.search(line)]
    if doubtful:
        return Captions("unclear", problems=[_unnamed(f"{source}: line {n}", line, known) for n, line in doubtful])
    stems = {key_of(stem_of(name)): name for name in names}
    starts = [first for _, line in lines if key_of(first := _first_field(line)) in stems]
    if len({*map(key_of, starts)}) >= max(2, len(lines) / 2):
        bare = f"{source}: lines begin with photos' names without their endings ({starts[0]!r})"
        return Captions("unclear", problems=[f"{bare}; write {stems[key_of(starts[0])]!r}, a tab, the caption"])
    return _by_order(source, lines, names)


def _named(line: str, known: WrittenNames) -> Named | None:
    """Return what a line holds that begins with a photo's name and a separator, else None."""
    line = normal(line).strip(" ")
    places = [place for place, character in enumerate(line) if character in SEPARATORS]
    for place in reversed(places):  # a name may hold separators, and another name before them
        if name := known.find(_unquoted(line[:place].strip())):
            separator, rest = line[place], line[place + 1 :].strip(" ")
            if separator != "|":  # columns that are empty to the end
                rest = rest.rstrip(f"{separator} ")
            return Named(name, separator, rest)
    return None


def _by_name(source: str, lines: Lines, named: Mapping[int, Named], known: WrittenNames) -> Captions:
    separators = sorted({SEPARATORS[found.separator] for found in named.values()})
    captions = Captions(f"file name, {' or '.join(separators)}, caption")
    columns = {number: found.fields for number, found in named.items() if len(found.fields) > 1} or _columns(named)
    for number, line in lines:
        place = f"{source}: line {number}"
        if number in columns:
            captions.of[named[number].name] = ""  # told once, below
        elif number in named:
            found = named[number]
            if found.rest.startswith('"') and found.rest.count('"') % 2 and found.separator != "|":
                captions.problems.append(f"{place}: a quote opens and does not close: {line!r}; close it on this line")
                captions.of[found.name] = ""
            else:
                captions.add(found.name, found.fields[0].strip(" ") if found.fields else "", place)
        elif line.strip():
            captions.problems.append(_unnamed(place, line, known))
    if columns:
        number, fields = next(iter(columns.items()))
        captions.problems.append(
            f"{source}: {listed(len(columns), 'line')} hold more than a name and a caption, and which column is the "
            f"caption is not clear (line {number}: {', '.join(map(repr, fields))}); put the caption in quotes, "
            f"remove the others, or {WITH_HEADER}"
        )
    return captions


def _columns(named: Mapping[int, Named]) -> dict[int, list[str]]:
    """Return the lines' fields where their first or last are no text in all of them: a width, or train and test."""
    split = {number: found.rest.split(found.separator) for number, found in named.items()}
    for end, kind in product((0, -1), (SIZES, SPLITS)):
        if split and all(len(fields) > 1 and kind.fullmatch(fields[end]) for fields in split.values()):
            return split
    return {}


def _unnamed(place: str, line: str, known: WrittenNames) -> str:
    """Return what is wrong with a line that should begin with a photo's name and a separator."""
    if known.begins(line):
        return f"{place} begins with a photo's name, but no tab, comma or bar follows it: {line!r}; put a tab there"
    hint = known.hint(_first_field(line))
    return f"{place} begins with no photo's name: {line!r}{hint}; begin it with a file name and a tab, or remove it"


def _csv_row(text: str, separator: str) -> list[str] | None:
    """Return the fields of a line of CSV, or None where its quotes are not those of CSV."""
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error:
        return None


def _unquoted(text: str) -> str:
    """Return the text of a field as spreadsheets quote it: quotes inside are doubled."""
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', text)
    return quoted[1].replace('""', '"') if quoted else text


def _first_field(line: str) -> str:
    return re.split(r"[\t,;|]", normal(line))[0].strip(' "')


def _by_order(source: str, lines: Lines, names: Sequence[str]) -> Captions:
    captions = Captions("one caption a line, in the natural order of the file names")
    if len(lines) != len(names):
        counts = f"{listed(len(lines), 'line')} for {listed(len(names), 'photo')}"
        blank = [f"line {number} is blank" for number, line in lines if not line.strip()]
        problem = f"{source}: {', '.join([counts, *blank])}; write one line a photo, best as: file name, tab, caption"
        return Captions(captions.form, problems=[problem])
    texts, unclear = _without_marks([line for _, line in lines], names)
    if unclear:
        return Captions(captions.form, problems=[f"{source}: {unclear}"])
    for name, (number, _), text in zip(names, lines, texts, strict=True):
        captions.add(name, _unquoted(text.strip(" ")), f"{source}: line {number} ({name})")
    return captions


def _without_marks(texts: list[str], names: Sequence[str]) -> tuple[list[str], str | None]:
    """Return (texts without the numbers or bullets of a list, None), or (texts, what is unclear of the numbers)."""
    if all(BULLET.match(text) for text in texts):
        return [BULLET.sub("", text, count=1) for text in texts], None
    found = [NUMBER.match(text) for text in texts]
    marks = [match for match in found if match]
    if len(marks) < len(texts):
        return texts, None
    numbers, photos = [int(mark[1]) for mark in marks], [stem_of(name) for name in names]
    called = [int(stem) for stem in photos] if all(stem.isdecimal() for stem in photos) else numbers
    marked = all(mark[2].strip(" ") for mark in marks)  # "1. a car", not "1 car"
    counted = numbers == called and numbers == [*range(numbers[0], numbers[0] + len(numbers))] and numbers[0] < 2
    if counted and (marked or len(texts) > 2):
        return [NUMBER.sub("", text, count=1) for text in texts], None
    if not marked:
        return texts, None
    return texts, f"lines begin with numbers, and not in the order of the photos ({numbers[0]} first); {WRITE_ONE}"
