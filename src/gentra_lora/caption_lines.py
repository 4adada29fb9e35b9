"""captions.txt: a photo's file name and its caption on each line, or captions alone in the photos' order."""

import codecs
import difflib
import re

from gentra_lora.captions import Captions
from gentra_lora.errors import listed
from gentra_lora.photo_folder import normal, stem_of

SEPARATORS = {"\t": "tab", ",": "comma", "|": "bar"}
PICTURE_NAME = re.compile(r"\.(jpe?g|jfif|png|webp|tiff?|bmp|gif|avif|hei[cf])\s*([\t,|]|$)", re.IGNORECASE)
WRITE_ONE = "write captions.txt: on each line a photo's file name, a tab, its caption"
ENCODINGS = {  # by byte order mark; UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: None,
    codecs.BOM_UTF32_BE: None,
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_lines(data, source, names):
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
    named = {number: found for number, line in lines if (found := _named(line, names))}
    looks_named = [number for number, line in lines if number not in named and PICTURE_NAME.search(line)]
    if named:
        return _by_name(source, lines, named, names)
    if looks_named:
        number = looks_named[0]
        line = dict(lines)[number]
        return Captions(
            "unclear",
            problems=[
                f"{source}: line {number} names no photo that is there: {line!r}{nearest(line, names)}; {WRITE_ONE}"
            ],
        )
    stems = {stem_of(name): name for name in names}
    starts = [stem for _, line in lines if (stem := normal(re.split(r"\s*[\t,|]", line)[0].strip())) in stems]
    if len(set(starts)) >= max(2, len(lines) / 2):
        return Captions(
            "unclear",
            problems=[
                f"{source}: lines begin with photos' names without their endings ({starts[0]!r}); "
                f"write {stems[starts[0]]!r}, a tab, the caption"
            ],
        )
    return _by_order(source, lines, names)


def _named(line, names):
    """Return (name, separator, caption) where a line begins with a photo's name and a separator, else None."""
    line = normal(line)
    for name in sorted((n for n in names if line.lstrip().startswith((n, f'"{n}"'))), key=len, reverse=True):
        rest = line.lstrip().removeprefix(f'"{name}"').removeprefix(name)
        separator = rest.lstrip(" ")[:1]
        if separator in SEPARATORS:
            return name, separator, rest.lstrip(" ")[1:].strip(" ")
    return None


def _by_name(source, lines, named, names):
    separators = sorted({SEPARATORS[separator] for _, separator, _ in named.values()})
    captions = Captions(f"file name, {' or '.join(separators)}, caption")
    for number, line in lines:
        place = f"{source}: line {number}"
        if number in named:
            name, separator, caption = named[number]
            captions.add(name, _unquoted(caption) if separator in "\t," else caption, place)
        elif line.strip():
            captions.problems.append(
                f"{place} begins with no photo's name: {line!r}{nearest(line, names)}; "
                "begin it with a file name and a tab, or remove it"
            )
    return captions


def _unquoted(caption):
    """Return the text of a field as spreadsheets quote it."""
    if len(caption) > 1 and caption[0] == caption[-1] == '"':
        return caption[1:-1].replace('""', '"')
    return caption


def nearest(line, names):
    """Return a hint at the photo whose name is nearest to a line's first field, or nothing."""
    head = re.split(r"[\t,|]", normal(line))[0].strip()
    found = difflib.get_close_matches(head, names, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _by_order(source, lines, names):
    captions = Captions("one caption a line, in the natural order of the file names")
    glued = [n for n, line in lines if any(normal(line).startswith(name) for name in names)]
    for number in glued:
        captions.problems.append(
            f"{source}: line {number} begins with a photo's name, but no tab, comma or bar "
            f"follows it: {dict(lines)[number]!r}; write: file name, tab, caption"
        )
    if len(lines) != len(names):
        captions.problems.append(
            f"{source}: {listed(len(lines), 'line')} for {listed(len(names), 'photo')}; "
            "write one line a photo, best as: file name, tab, caption"
        )
    if captions.problems:
        return captions
    for name, (number, line) in zip(names, lines, strict=True):
        captions.add(name, line.strip(" "), f"{source}: line {number} ({name})")
    return captions


def decode(data, source):
    """Return (text, None), or (None, problem) where bytes are neither UTF-8 nor UTF-16 with a byte order mark."""
    mark = next((mark for mark in ENCODINGS if data.startswith(mark)), None)
    encoding = ENCODINGS[mark] if mark else "utf-8"
    if encoding is None:
        return None, f"{source}: is UTF-32; save the file as UTF-8"
    try:
        return data.decode(encoding), None
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\n|\r", data[: error.start])) + 1
        return None, f"{source}: line {line} is not {encoding.removesuffix('-sig').upper()}; save the file as UTF-8"


def split_lines(data, source):
    """Return ([(line number, line)], None) or ([], problem); only real line ends split, not U+2028 and the like."""
    text, problem = decode(data, source)
    if problem:
        return [], problem
    lines = re.split(r"\r\n|\n|\r", text)
    while lines and not lines[-1].strip():
        lines.pop()
    return list(enumerate(lines, 1)), None
