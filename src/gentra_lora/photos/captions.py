"""A caption as text: read from bytes, what it may hold, its trigger word, how much of it the text encoder sees."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gentra_lora.photos.notation import foreign_notation, says_nothing

if TYPE_CHECKING:  # seconds to import, and the caller has done it
    from transformers import CLIPTokenizer

# Replacement characters are what a wrong decoding leaves; a byte order mark inside a text comes of glued files.
UNWANTED = {"�": "a replacement character", "﻿": "a byte order mark"}
END_OF_LINE = re.compile(r"\r\n|\n|\r")
ENCODINGS = {  # by byte order mark; UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: None,
    codecs.BOM_UTF32_BE: None,
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
Lines = list[tuple[int, str]]  # with their numbers, from 1


@dataclass
class Captions:
    """{photo name: caption}, the form in which they were written, all problems found, and what was not read."""

    form: str
    of: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, caption: str, place: str) -> None:
        """Take a caption for a photo, or note what is wrong with it."""
        caption = unicodedata.normalize("NFC", caption)  # as trigger words are typed; both forms look the same
        problem = problem_of(caption)
        if name in self.of:
            self.problems.append(f"{place}: a second caption for {name}; keep one")
        elif problem:
            self.problems.append(f"{place}: {problem}")
        self.of.setdefault(name, caption)


def problem_of(caption: str) -> str | None:
    """Return what is wrong with a caption, with the way out, or None."""
    if says_nothing(caption):
        return "the caption is empty; describe the photo"
    for character in caption:
        code = f"U+{ord(character):04X}"
        if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
            return f"the caption {caption!r} holds the control character {code}; remove it"
        if character in UNWANTED:
            return f"the caption {caption!r} holds {UNWANTED[character]} ({code}); save the file as UTF-8"
    notation = foreign_notation(caption)
    return f"the caption {caption!r} {notation}" if notation else None


def _pattern(trigger_word: str) -> re.Pattern[str]:
    """Match the trigger word as whole words, in any case, with any white space between them."""
    words = r"\s+".join(re.escape(word) for word in trigger_word.split())
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def has_trigger(caption: str, trigger_word: str) -> bool:
    """Return whether a caption holds the trigger word, in any case, not as a part of other words."""
    return _pattern(trigger_word).search(caption) is not None


def with_trigger(caption: str, trigger_word: str) -> str:
    """Return the caption, the trigger word put in front where it is missing."""
    return caption if has_trigger(caption, trigger_word) else f"{trigger_word}, {caption}"


def without_trigger(caption: str, trigger_word: str, class_noun: str) -> str:
    """Return the caption with the trigger word replaced by the class noun, for models that never saw the word."""
    return _pattern(trigger_word).sub(lambda _: class_noun, caption)


def lost_words(caption: str, tokenizer: CLIPTokenizer) -> str:
    """Return the end of a caption that the tokenizer's limit cuts off; empty where it fits."""
    limit = tokenizer.model_max_length - 2  # begin and end tokens
    ids = tokenizer(caption, add_special_tokens=False).input_ids
    return tokenizer.decode(ids[limit:]).strip()  # type: ignore[union-attr]  # of one list of ids, one text


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
