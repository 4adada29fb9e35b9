"""Photos' names as people write them in lists -> the photo that is meant, or the one that may be."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable

from gentra_lora.photos.folder import normal

# A list may name paths from its own place or from the root; a folder above or below may be called images as well.
FOLDERS = tuple(re.compile(rf"\A(?:[^\t,;|]{many}images/", re.IGNORECASE) for many in ("*?/)??", "*/)?"))


def key_of(name: str) -> str:
    """Return what names that differ in case, in Unicode form or in the spaces around them alone have in common."""
    return normal(normal(name).casefold()).strip()


class WrittenNames:
    """The photos of a folder by their written names."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self._exact = {normal(name): name for name in self.names}
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            self._by_key[key_of(name)].append(name)
        self._starts = tuple({*self._by_key, *(key.replace('"', '""') for key in self._by_key)})

    def find(self, written: str) -> str | None:
        """Return the photo that a written name can only mean, or None.

        Case, Unicode form, the direction of slashes and a path that ends in images/ do not matter.
        """
        for form in (written, written.replace("\\", "/").removeprefix("./")):
            for name in (form, *(folder.sub("", form) for folder in FOLDERS)):
                if normal(name) in self._exact:
                    return self._exact[normal(name)]
                if len(found := self._by_key.get(key_of(name), [])) == 1:
                    return found[0]
        return None

    def begins(self, line: str) -> bool:
        """Return whether a line begins with a photo's name, whatever follows it."""
        return FOLDERS[0].sub("", key_of(line).removeprefix('"')).startswith(self._starts)

    def nearest(self, written: str) -> str | None:
        """Return the photo of the same name in another folder, or the one whose name is most alike, or None."""
        key = key_of(written)
        for known, found in self._by_key.items():
            if known.rpartition("/")[2] == key.replace("\\", "/").rpartition("/")[2]:
                return found[0]
        near = difflib.get_close_matches(key, self._by_key, n=1)
        return self._by_key[near[0]][0] if near else None

    def hint(self, written: str) -> str:
        """Return the nearest photo as a question, or nothing."""
        near = self.nearest(written)
        return f" (did you mean {near!r}?)" if near else ""
