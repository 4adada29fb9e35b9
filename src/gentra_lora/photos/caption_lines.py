"""captions.txt: a photo's file name and its caption on each line, or captions alone in the photos' order."""

import codecs
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from gentra_lora.errors import listed
from gentra_lora.photos.captions import Captions
from gentra_lora.photos.folder import normal, stem_of

SEPARATORS = {"\t": "tab", ",": "comma", "|": "bar"}
PICTURE_NAME = re.compile(r'\.(jpe?g|jfif|png|webp|tiff?|bmp|gif|avif|hei[cf])"?\s*([\t,;|]|$)', re.IGNORECASE)
END_OF_LINE = re.compile(r"\r\n|\n|\r")
WRITE_ONE = "write captions.txt: on each line a photo's file name, a tab, its caption"
ENCODINGS = {  # by byte order mark; UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: None,
    codecs.BOM_UTF32_BE: None,
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
Lines = list[tuple[int, str]]  # with their numbers, from 1
Named = tuple[str, str, str]  # name, separator, caption


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
    forms = _forms(names)
    named = {number: found for number, line in lines if (found := _named(line, forms))}
    if named:
        return _by_name(source, lines, named, forms)
    doubtful = [(n, line) for n, line in lines if _begins(line, forms) or PICTURE_NAME.search(line)]
    if doubtful:
        return Captions("unclear", problems=[_unnamed(f"{source}: line {n}", line, forms) for n, line in doubtful])
    stems = {stem_of(name): name for name in names}
    starts = [stem for _, line in lines if (stem := _first_field(line)) in stems]
    if len(set(starts)) >= max(2, len(lines) / 2):
        bare = f"{source}: lines begin with photos' names without their endings ({starts[0]!r})"
        return Captions("unclear", problems=[f"{bare}; write {stems[starts[0]]!r}, a tab, the caption"])
    return _by_order(source, lines, names)


def _forms(names: Sequence[str]) -> dict[str, str]:
    """Return {form: name} of how names may begin a line: plain or as spreadsheets quote them, the longest first."""
    forms = {form: name for name in names for form in (name, '"' + name.replace('"', '""') + '"')}
    return dict(sorted(forms.items(), key=lambda item: len(item[0]), reverse=True))


def _begins(line: str, forms: Mapping[str, str]) -> bool:
    return normal(line).lstrip().startswith(tuple(forms))


def _named(line: str, forms: Mapping[str, str]) -> Named | None:
    """Return what a line holds that begins with a photo's name and a separator, else None."""
    line = normal(line).lstrip()
    for form, name in forms.items():
        if line.startswith(form):
            rest = line[len(form) :].lstrip(" ")
            if rest[:1] in SEPARATORS:
                return name, rest[0], rest[1:].strip(" ")
    return None


def _by_name(source: str, lines: Lines, named: Mapping[int, Named], forms: Mapping[str, str]) -> Captions:
    separators = sorted({SEPARATORS[separator] for _, separator, _ in named.values()})
    captions = Captions(f"file name, {' or '.join(separators)}, caption")
    for number, line in lines:
        place = f"{source}: line {number}"
        if number in named:
            name, separator, caption = named[number]
            captions.add(name, caption if separator == "|" else _unquoted(caption), place)
        elif line.strip():
            captions.problems.append(_unnamed(place, line, forms))
    return captions


def _unnamed(place: str, line: str, forms: Mapping[str, str]) -> str:
    """Return what is wrong with a line that should begin with a photo's name and a separator."""
    if _begins(line, forms):
        return f"{place} begins with a photo's name, but no tab, comma or bar follows it: {line!r}; put a tab there"
    hint = nearest(line, forms.values())
    return f"{place} begins with no photo's name: {line!r}{hint}; begin it with a file name and a tab, or remove it"


def _unquoted(caption: str) -> str:
    """Return the text of a field as spreadsheets quote it: quotes inside are doubled."""
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', caption)
    return quoted[1].replace('""', '"') if quoted else caption


def _first_field(line: str) -> str:
    return re.split(r"[\t,;|]", normal(line))[0].strip(' "')


def nearest(line: str, names: Iterable[str]) -> str:
    """Return a hint at the photo whose name is nearest to a line's first field, or nothing."""
    known = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(_first_field(line).casefold(), known, n=1)
    return f" (did you mean {known[found[0]]!r}?)" if found else ""


def _by_order(source: str, lines: Lines, names: Sequence[str]) -> Captions:
    captions = Captions("one caption a line, in the natural order of the file names")
    if len(lines) != len(names):
        counts = f"{listed(len(lines), 'line')} for {listed(len(names), 'photo')}"
        blank = [f"line {number} is blank" for number, line in lines if not line.strip()]
        problem = f"{source}: {', '.join([counts, *blank])}; write one line a photo, best as: file name, tab, caption"
        return Captions(captions.form, problems=[problem])
    for name, (number, line) in zip(names, lines, strict=True):
        captions.add(name, _unquoted(line.strip(" ")), f"{source}: line {number} ({name})")
    return captions


def decode(data: bytes, source: str) -> tuple[str | None, str | None]:
    """Return (text, None), or (None, problem) where bytes are neither UTF-8 nor UTF-16 with a byte order mark."""
    mark = next((mark for mark in ENCODINGS if data.startswith(mark)), None)
    encoding = ENCODINGS[mark] if mark else "utf-8"
    if encoding is None:
        return None, f"{source}: is UTF-32; save the file as UTF-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(END_OF_LINE.findall(error.object[: error.start].decode(encoding, "ignore"))) + 1
        return None, f"{source}: line {line} is not {encoding.removesuffix('-sig').upper()}; save the file as UTF-8"
    if re.search(r"\0[\r\n]|[\r\n]\0", text):
        return None, f"{source}: is UTF-16 without a byte order mark; save the file as UTF-8"
    return text, None


def split_lines(data: bytes, source: str) -> tuple[Lines, str | None]:
    """Return (lines, None) or ([], problem); only real line ends split, not U+2028 and the like."""
    text, problem = decode(data, source)
    if text is None:
        return [], problem
    lines = END_OF_LINE.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return list(enumerate(lines, 1)), None
