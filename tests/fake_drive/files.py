"""Drive's files: list, get, download, insert, patch, upload, trash and delete."""

import base64
import hashlib
import json
import re

from .messages import Refused, Response, api_error, invalid, json_response, not_found
from .query import matcher
from .resources import file_resource, selected
from .uploads import Uploads

UPLOAD_ADDRESS = "https://www.googleapis.com/upload/drive/v2/files?uploadType=resumable&upload_id="
NO_QUOTA = (
    "Service Accounts do not have storage quota. Leverage shared drives "
    "(https://developers.google.com/workspace/drive/api/guides/about-shareddrives), "
    "or use OAuth delegation (http://support.google.com/a/answer/7281227) instead."
)


class Files:
    """Each method takes the principal, the request, its body and the id in its path, and returns the response."""

    def __init__(self, store, owner, page_size):
        self.store = store
        self.owner = owner
        self.page_size = page_size
        self.uploads = Uploads()

    def _find(self, file_id, principal):
        item = self.store.find(file_id, principal)
        if not item:
            raise not_found(file_id)
        return item

    def _owned(self, file_id, principal):
        item = self._find(file_id, principal)
        if item.owner != principal:
            message = "The user does not have sufficient permissions for this file."
            raise Refused(api_error(403, "insufficientFilePermissions", message))
        return item

    def _resource(self, item, principal, request):
        return json_response(selected(file_resource(item, self.store, principal), request.query.get("fields")))

    def list(self, principal, request, _):
        """Return one page; a token leads to the next page of the same query only."""
        query, size = request.query.get("q", ""), int(request.query.get("maxResults", 100))
        matches = matcher(query, self.store, principal) if query else lambda item: True
        found = [i for i in self.store.items.values() if matches(i) and i.parents and self.store.visible(i, principal)]
        start, end = read_page_token(request.query.get("pageToken"), query), min(size, self.page_size)
        end += start
        items = [file_resource(item, self.store, principal) for item in found[start:end]]
        page = {"kind": "drive#fileList", "incompleteSearch": False, "items": items}
        if end < len(found):
            page["nextPageToken"] = page_token(end, query)
        return json_response(selected(page, request.query.get("fields")))

    def get(self, principal, request, _, file_id):
        item = self._find(file_id, principal)
        if request.query.get("alt") == "media":
            return download(item, principal, request)
        return self._resource(item, principal, request)

    def insert(self, principal, request, body):
        metadata = json.loads(body or b"{}")
        self._check_room(metadata, principal)
        return self._resource(self._add(metadata, principal, b""), principal, request)

    def _check_room(self, metadata, principal):
        """Files belong to whoever creates them: a service account cannot, wherever it may write."""
        parents = [self._find(parent["id"], principal) for parent in metadata.get("parents") or []]
        if principal != self.owner:
            raise Refused(api_error(403, "storageQuotaExceeded", NO_QUOTA, "usageLimits"))
        return parents

    def _add(self, metadata, principal, content):
        parents = [parent.id for parent in self._check_room(metadata, principal)]
        mime_type = metadata.get("mimeType") or "application/octet-stream"
        return self.store.add(metadata.get("title", "Untitled"), parents, principal, mime_type, content)

    def patch(self, principal, request, body, file_id):
        item, changes = self._owned(file_id, principal), json.loads(body or b"{}")
        if "parents" in changes:
            item.parents = [self._find(parent["id"], principal).id for parent in changes["parents"]]
        item.title = changes.get("title", item.title)
        return self._resource(item, principal, request)

    def delete(self, principal, request, _, file_id):
        self.store.remove(self._owned(file_id, principal))
        return Response(204)

    def trash(self, principal, request, _, file_id):
        return self._set_trashed(file_id, principal, request, True)

    def untrash(self, principal, request, _, file_id):
        return self._set_trashed(file_id, principal, request, False)

    def _set_trashed(self, file_id, principal, request, trashed):
        item = self._owned(file_id, principal)
        item.trashed = trashed
        return self._resource(item, principal, request)

    def start_upload(self, principal, request, body, file_id=None):
        """Open a session for a new file, or for the new content of one."""
        if request.query.get("uploadType") != "resumable":
            raise Refused(api_error(400, "badRequest", "Only uploadType=resumable is known here."))
        metadata = json.loads(body or b"{}")
        if file_id:
            self._owned(file_id, principal)
        else:
            self._check_room(metadata, principal)
        address = UPLOAD_ADDRESS + self.uploads.start(principal, metadata, file_id)
        return Response(200, headers={"Location": address})

    def continue_upload(self, principal, request, body):
        upload_id = request.query.get("upload_id")
        session = self.uploads.session(upload_id)
        if not session.take(request.headers.get("content-range"), body):
            return session.progress()
        self.uploads.end(upload_id)
        if session.file_id:
            item = self._owned(session.file_id, principal)
            item.hold(bytes(session.received))
        else:
            item = self._add(session.metadata, principal, bytes(session.received))
        return self._resource(item, principal, request)


def download(item, principal, request):
    """Return the content, or the range of it that was asked for."""
    if item.is_folder:
        message = "Only files with binary content can be downloaded. Use Export with Docs Editors files."
        raise Refused(api_error(403, "fileNotDownloadable", message))
    acknowledged = request.query.get("acknowledgeAbuse") == "true" and principal == item.owner
    if item.flagged and not acknowledged:
        message = "This file has been identified as malware or spam and cannot be downloaded."
        raise Refused(api_error(403, "cannotDownloadAbusiveFile", message))
    size, headers = len(item.content), {"Content-Type": item.mime_type}
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not match:
        return Response(200, item.content, headers)
    start, end = int(match[1]), min(int(match[2] or size), size - 1)
    if start >= size:
        return Response(416, headers={"Content-Range": f"bytes */{size}"})
    return Response(206, item.content[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{size}"})


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
