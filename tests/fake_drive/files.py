"""Drive's files: list, get, download, insert, patch, upload, trash and delete."""

import json

from .downloads import download
from .messages import Refused, Response, api_error, json_response, not_found
from .query import matcher, page_token, read_page_token
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
        return self._resource(self._add(json.loads(body or b"{}"), principal, b""), principal, request)

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

    def continue_upload(self, request, body):
        """Take a chunk; the id of the session stands for its principal."""
        upload_id = request.query["upload_id"]
        session = self.uploads.session(upload_id)
        if not session.take(request.headers.get("content-range"), body):
            return session.progress()
        self.uploads.end(upload_id)
        if session.file_id:
            item = self._owned(session.file_id, session.principal)
            item.hold(bytes(session.received))
        else:
            item = self._add(session.metadata, session.principal, bytes(session.received))
        return self._resource(item, session.principal, request)
