"""How Drive v2 writes an item as JSON, and the part of it that `fields` asks for."""

import re

from .messages import Refused, api_error

FILES = "https://www.googleapis.com/drive/v2/files"


def file_resource(item, store, principal):
    """Return an item as a principal sees it: without parents that were not shared with it."""
    parents = [store.find(parent, principal) for parent in item.parents]
    resource = {
        "kind": "drive#file",
        "id": item.id,
        "selfLink": f"{FILES}/{item.id}",
        "title": item.title,
        "mimeType": item.mime_type,
        "createdDate": item.created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "labels": {"trashed": store.in_trash(item), "starred": False, "hidden": False, "restricted": False},
        "explicitlyTrashed": item.trashed,
        "parents": [parent_reference(parent) for parent in parents if parent],
        "owners": [{"kind": "drive#user", "emailAddress": item.owner, "isAuthenticatedUser": item.owner == principal}],
        "shared": bool(item.readers),
        "editable": item.owner == principal,
    }
    return resource if item.is_folder else resource | content_of(item)


def parent_reference(parent):
    return {"kind": "drive#parentReference", "id": parent.id, "isRoot": not parent.parents}


def content_of(item):
    """Return what only files have; Drive writes sizes as texts."""
    return {
        "fileSize": str(len(item.content)),
        "quotaBytesUsed": str(len(item.content)),
        "md5Checksum": item.md5,
        "originalFilename": item.title,
        "downloadUrl": f"{FILES}/{item.id}?alt=media&source=downloadUrl",
    }


def selected(resource, fields):
    """Return the part of a resource that `fields` names, e.g. `id,parents(id),labels/trashed` or `*`.

    Raises:
        Refused: 400 for fields that cannot be read.
    """
    if not fields:
        return resource
    words = re.findall(r"[\w*]+|[,()/]", fields)
    if "".join(words) != fields.replace(" ", ""):
        raise invalid_fields(fields)
    chosen = read_fields(words)
    if words:
        raise invalid_fields(fields)
    return pick(resource, chosen)


def read_fields(words):
    """Return {name: fields below it or None for all} of a list of words, which is used up."""
    chosen = {}
    while words and words[0] != ")":
        name, below = words.pop(0), None
        if words and words[0] == "/":
            words.pop(0)
            below = read_fields([words.pop(0)]) if words else {}
        elif words and words[0] == "(":
            words.pop(0)
            below = read_fields(words)
            words[:1] = []
        chosen[name] = below
        if words and words[0] == ",":
            words.pop(0)
    return chosen


def pick(resource, chosen):
    if chosen is None or "*" in chosen:
        return resource
    if isinstance(resource, list):
        return [pick(entry, chosen) for entry in resource]
    return {name: pick(resource[name], below) for name, below in chosen.items() if name in resource}


def invalid_fields(fields):
    place = {"locationType": "parameter", "location": "fields"}
    return Refused(api_error(400, "invalidParameter", f"Invalid field selection {fields}", **place))
