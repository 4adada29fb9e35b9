"""The items of a drive: files and folders with ids, of which several in a folder may have the same title."""

import hashlib
import random
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock

FOLDER = "application/vnd.google-apps.folder"
ID_LETTERS = string.ascii_letters + string.digits + "-_"


@dataclass
class Item:
    id: str
    title: str
    parents: list[str]
    mime_type: str
    owner: str
    created: datetime
    content: bytes = b""
    md5: str = ""
    trashed: bool = False
    flagged: bool = False  # as malware
    readers: set[str] = field(default_factory=set)

    @property
    def is_folder(self):
        return self.mime_type == FOLDER

    def hold(self, content):
        self.content, self.md5 = content, hashlib.md5(content).hexdigest()


class Store:
    """All items of all principals. Whoever calls holds `lock`."""

    def __init__(self):
        self.lock = RLock()
        self.items = {}
        self._roots = {}  # by principal
        self._random = random.Random(0)
        self._last = datetime.min.replace(tzinfo=UTC)

    def _new_id(self, first, length):
        return first + "".join(self._random.choices(ID_LETTERS, k=length - len(first)))

    def _now(self):
        """Return a time of which each comes once, to the millisecond that Drive tells."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(now, self._last + timedelta(milliseconds=1))
        return self._last

    def root(self, principal):
        """Return the id of a principal's My Drive."""
        if principal not in self._roots:
            root = Item(self._new_id("0A", 19), "My Drive", [], FOLDER, principal, self._now())
            self.items[root.id] = root
            self._roots[principal] = root.id
        return self._roots[principal]

    def add(self, title, parents, owner, mime_type=FOLDER, content=b""):
        """Return a new item in `parents` (ids), in the owner's root without any."""
        item = Item(self._new_id("1", 33), title, parents or [self.root(owner)], mime_type, owner, self._now())
        if not item.is_folder:
            item.hold(content)
        self.items[item.id] = item
        return item

    def put(self, path, owner, content):
        """Create a file at a path below the owner's root, and the folders above it that are not there."""
        *folders, title = path.split("/")
        parent = self.root(owner)
        for name in folders:
            twins = [item.id for item in self.children(parent) if item.title == name and item.is_folder]
            parent = min(twins) if twins else self.add(name, [parent], owner).id
        self.add(title, [parent], owner, "application/octet-stream", content)

    def find(self, file_id, principal):
        """Return the item of an id, or None where there is none that the principal may see."""
        item = self.items.get(self.root(principal) if file_id == "root" else file_id)
        return item if item and self.visible(item, principal) else None

    def visible(self, item, principal):
        """An item is seen by its owner, and by the readers of it or of a folder above it."""
        return principal == item.owner or any(principal in above.readers for above in self._line(item))

    def in_trash(self, item):
        return any(above.trashed for above in self._line(item))

    def _line(self, item):
        """Yield an item and the folders above it."""
        yield item
        for parent in item.parents:
            if parent in self.items:
                yield from self._line(self.items[parent])

    def children(self, folder_id):
        return [item for item in self.items.values() if folder_id in item.parents]

    def remove(self, item):
        """Delete an item and all below it, for good."""
        for child in self.children(item.id):
            self.remove(child)
        self.items.pop(item.id, None)

    def walk(self, folder_id, prefix=""):
        """Yield (relative path, item) of everything below a folder that is not in the trash."""
        for item in self.children(folder_id):
            if not self.in_trash(item):
                yield prefix + item.title, item
                yield from self.walk(item.id, f"{prefix}{item.title}/")

    def at(self, path, principal):
        """Return the item at a path below the principal's root; of several the one with the lowest id.

        Raises:
            FileNotFoundError: where there is none.
        """
        found = [item for place, item in self.walk(self.root(principal)) if place == path]
        if not found:
            raise FileNotFoundError(f"{path}: nothing of that path is in the drive of {principal}")
        return min(found, key=lambda item: item.id)
