"""What A1111 and ComfyUI write into prompts: adapter tags, weights, schedules; to a text encoder it is words."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from gentra_lora.errors import InputError

TAG = re.compile(r"<\s*(?:lora|lyco|locon|hypernet)\s*:([^<>]*)>", re.IGNORECASE)
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
KINDS = {
    "an adapter tag": TAG,
    "a weight": re.compile(rf"\([^()]*:\s*{NUMBER}\s*\)|\(\([^()]*\)\)|\[\[[^\[\]]*\]\]"),
    "a schedule": re.compile(rf"\[[^\[\]]*(?::\s*{NUMBER}\s*|\|[^\[\]]*)\]"),
    "a break": re.compile(r"(?<!\w)BREAK(?!\w)"),
    "an embedding": re.compile(r"(?<!\w)embedding:[^\s,()]+", re.IGNORECASE),
    "a wildcard": re.compile(r"\{[^{}]*\|[^{}]*\}|(?<!\w)__[\w/-]+?__(?!\w)"),
}
# Letters, marks and signs of Unicode that are drawn as nothing.
BLANKS = "\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f"
BUT_FOR_TAG = " but for the adapter's tag"
EMPHASIS = re.compile(r"(?<!\\)\([^()]+\)|(?<!\\)\[[^\[\]]+\]")


class NotationError(InputError):
    """A prompt in a notation that would be drawn as words."""


@dataclass(frozen=True)
class Prompt:
    """A prompt without its adapter's own tags, and the strength that they say, or None."""

    text: str
    lora_scale: float | None

    def scale_beside(self, said: float | None) -> float | None:
        """Return the strength that the prompt or a field beside it says, None where none does.

        Raises:
            NotationError: both say one, and not the same.
        """
        if said is not None and self.lora_scale is not None and said != self.lora_scale:
            raise NotationError(f"is {said:g}, and the prompt's tag says {self.lora_scale:g}; say one of them")
        return said if self.lora_scale is None else self.lora_scale


def says_nothing(text: str) -> bool:
    """Return whether nobody would see a sign of a text: it is empty, or all space, some of it without width."""
    return all(
        sign.isspace() or sign in BLANKS or unicodedata.category(sign) in ("Cf", "Zs", "Zl", "Zp") for sign in text
    )


def foreign_notation(text: str) -> str | None:
    """Return what a text holds that A1111 or ComfyUI would not draw as words, with the way out, or None."""
    for kind, pattern in KINDS.items():
        found = pattern.search(text)
        if found:
            return f"holds {found[0]!r}, {kind} in other programs' notation, and here words like all others; remove it"
    return None


def check_notation(prompts: Iterable[str]) -> None:
    """Refuse prompts that say nothing, or hold other programs' notation.

    Raises:
        NotationError: names the prompt and what it holds.
    """
    for prompt in prompts:
        problem = "is empty; say what to draw" if says_nothing(prompt) else foreign_notation(prompt)
        if problem:
            raise NotationError(f"prompt {prompt!r} {problem}")


def emphasis(text: str) -> str | None:
    """Return a warning of a part in single brackets, which other programs would stress and people write, or None."""
    found = EMPHASIS.search(text)
    return f"the brackets of {found[0]!r} stress nothing here; they are read as a sign like others" if found else None


def read_tags(prompt: str, *names: str) -> Prompt:
    """Return a prompt without the tags of the adapter of those names: its file's, and the one that its header says.

    Raises:
        NotationError: another adapter's tag, a strength that is no number, or two of them; other notation; no words.
    """
    scales, own = [], [name.removesuffix(".safetensors") for name in names if name]
    for tag in TAG.finditer(prompt):
        name, *numbers = (part.strip() for part in tag[1].split(":"))
        if name.removesuffix(".safetensors").casefold() not in map(str.casefold, own):
            raise NotationError(f"holds {tag[0]!r}, and the adapter here is {' or '.join(own)}; remove the tag")
        if not all(re.fullmatch(NUMBER, number) for number in numbers) or len({float(n) for n in numbers}) > 1:
            raise NotationError(f"holds {tag[0]!r}; write one strength, such as <lora:{own[0]}:0.8>")
        scales.append(float(numbers[0]) if numbers else 1.0)
    if len(set(scales)) > 1:
        raise NotationError(f"names the adapter with strengths {' and '.join(f'{s:g}' for s in scales)}; keep one")
    text = re.sub(rf"[ \t]*{TAG.pattern}", "", prompt, flags=re.IGNORECASE).strip() if scales else prompt
    problem = foreign_notation(text)
    if problem:
        raise NotationError(problem)
    if says_nothing(text):
        raise NotationError(f"is empty{BUT_FOR_TAG if scales else ''}; say what to draw")
    return Prompt(text, scales[0] if scales else None)
