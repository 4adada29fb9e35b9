"""captions.txt -> one caption a photo; the trigger word; token counts."""

import re

from gentra_lora.errors import InputError
from gentra_lora.photo import SUFFIXES


class CaptionError(InputError):
    """captions.txt does not give each photo one caption; the message names the line or photo and the way out."""


def natural_key(name):
    """Sort key that puts img2 before img10."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", name)]


def read_captions(path, file_names):
    """Return {file name: caption} for all `file_names`.

    Two forms are read: `file name <tab or |> caption` on each line, or one caption a line in the photos' natural order.

    Raises:
        CaptionError: no such file, not UTF-8, or lines and photos that do not match; lists everything that is wrong.
    """
    if not path.exists():
        raise CaptionError(f"{path}: no such file; write one line a photo: its file name, a tab, its caption")
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise CaptionError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from error
    numbered = [(n, line.strip(" ")) for n, line in enumerate(lines, 1) if line.strip()]
    named = [_named(line, file_names) for _, line in numbered]
    if any(named):
        return _by_name(path, numbered, named, file_names)
    for number, line in numbered:
        if any(line.startswith(name) for name in file_names):
            raise CaptionError(
                f"{path}: line {number} begins with a photo's name, but no tab or | follows it: {line!r}; "
                "write: file name, tab, caption"
            )
    if len(numbered) != len(file_names):
        raise CaptionError(
            f"{path}: {len(numbered)} captions for {len(file_names)} photos; write one line a photo, "
            "best as: file name, tab, caption"
        )
    ordered = sorted(file_names, key=natural_key)
    return {name: line for name, (_, line) in zip(ordered, numbered, strict=True)}


def _named(line, file_names):
    """Return (name, caption) where a line begins with a file name and a separator, else None."""
    name, separator, caption = re.match(r"([^\t|]*)([\t|]?)(.*)", line).groups()
    name = name.strip()
    looks_like_a_photo = name in file_names or name.lower().endswith(SUFFIXES)
    return (name, caption.strip()) if separator and looks_like_a_photo else None


def _by_name(path, numbered, named, file_names):
    captions, problems = {}, []
    for (number, line), found in zip(numbered, named, strict=True):
        if found is None:
            problems.append(f"line {number}: no file name before the caption: {line!r}")
            continue
        name, caption = found
        if name not in file_names:
            problems.append(f"line {number}: no photo is called {name}")
        elif name in captions:
            problems.append(f"line {number}: a second caption for {name}")
        elif not caption:
            problems.append(f"line {number}: the caption of {name} is empty")
        captions[name] = caption
    problems += [f"{name}: has no caption" for name in file_names if name not in captions]
    if problems:
        raise CaptionError("\n  ".join([f"{path}:", *problems]))
    return captions


def with_trigger(caption, trigger_word):
    """Return the caption, the trigger word put in front where it is missing."""
    return caption if trigger_word.lower() in caption.lower() else f"{trigger_word}, {caption}"


def without_trigger(caption, trigger_word, class_noun):
    """Return the caption with the trigger word replaced by the class noun, for models that never saw the word."""
    return re.sub(re.escape(trigger_word), class_noun, caption, flags=re.IGNORECASE)


def lost_words(caption, tokenizer):
    """Return the end of a caption that the tokenizer's limit cuts off; empty where it fits."""
    limit = tokenizer.model_max_length - 2  # begin and end tokens
    ids = tokenizer(caption, add_special_tokens=False).input_ids
    return tokenizer.decode(ids[limit:]).strip()
