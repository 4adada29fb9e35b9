"""The query of files.list: comparisons joined by `and`, `or`, `not` and brackets, and the pages of its answer."""

import base64
import hashlib
import re

from .messages import Refused, api_error, invalid

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<word>\w+)|(?P<sign>!=|[()=]))")


def matcher(query, store, principal):
    """Return a function of an item that says whether it answers the query.

    Raises:
        Refused: 400 for a query that cannot be read, 404 for a parent that the principal cannot see.
    """
    search = Search(tokens(query), store, principal)
    matches = search.expression()
    if search.waiting:
        raise invalid("q")
    return matches


def tokens(query):
    """Return [(kind, token)] of a query, texts without quotes and escapes."""
    found, place = [], 0
    query = query.rstrip()
    while place < len(query):
        match = TOKEN.match(query, place)
        if not match:
            raise invalid("q")
        place = match.end()
        token = match[match.lastgroup]
        found.append((match.lastgroup, re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] == "'" else token))
    return found


class Search:
    def __init__(self, waiting, store, principal):
        self.waiting = waiting
        self.store = store
        self.principal = principal

    def next(self, kind, *allowed):
        """Return the next token, which must be of that kind and one of the allowed, if there are any."""
        if not self.waiting or self.waiting[0][0] != kind or (allowed and self.waiting[0][1] not in allowed):
            raise invalid("q")
        return self.waiting.pop(0)[1]

    def comes(self, kind, *allowed):
        return bool(self.waiting) and self.waiting[0][0] == kind and self.waiting[0][1] in allowed

    def expression(self):
        """Read terms; `and` and `or` bind alike, from left to right."""
        matches = self.term()
        while self.comes("word", "and", "or"):
            join = both_of if self.next("word") == "and" else either_of
            matches = join(matches, self.term())
        return matches

    def term(self):
        if self.comes("word", "not"):
            self.next("word")
            inner = self.term()
            return lambda item: not inner(item)
        if self.comes("sign", "("):
            self.next("sign")
            inner = self.expression()
            self.next("sign", ")")
            return inner
        return self.comparison()

    def comparison(self):
        if self.waiting and self.waiting[0][0] == "text":
            parent = self.next("text")
            self.next("word", "in")
            self.next("word", "parents")
            return self.in_folder(parent)
        field, sign = self.next("word", "title", "mimeType", "trashed"), self.next("sign", "=", "!=")
        value = self.next("word", "true", "false") if field == "trashed" else self.next("text")
        matches = self.equals(field, value)
        return matches if sign == "=" else lambda item: not matches(item)

    def in_folder(self, folder_id):
        folder = self.store.find(folder_id, self.principal)
        if not folder:
            place = {"locationType": "parameter", "location": "fileId"}
            raise Refused(api_error(404, "notFound", "File not found: .", **place))
        return lambda item: folder.id in item.parents

    def equals(self, field, value):
        if field == "title":
            # Drive finds Model.BIN under model.bin too; a client has to compare again.
            return lambda item: item.title.casefold() == value.casefold()
        if field == "mimeType":
            return lambda item: item.mime_type == value
        return lambda item: self.store.in_trash(item) == (value == "true")


def both_of(left, right):
    return lambda item: left(item) and right(item)


def either_of(left, right):
    return lambda item: left(item) or right(item)


def page_token(start, query):
    return base64.urlsafe_b64encode(f"{start}:{hashlib.md5(query.encode()).hexdigest()}".encode()).decode()


def read_page_token(token, query):
    """Return where the page begins, 0 without a token."""
    if not token:
        return 0
    start = base64.urlsafe_b64decode(token).decode().partition(":")[0]
    if token != page_token(start, query):
        raise invalid("pageToken")
    return int(start)
