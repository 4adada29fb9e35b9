"""The endpoints: which function answers a request, and what all of Drive's have in common."""

import re

from .faults import KINDS
from .files import Files
from .messages import FORM, Refused, Response, api_error, pairs

DRIVE_FILE = "/drive/v2/files/([^/]+)"
UPLOAD = "/upload/drive/v2/files"


class Api:
    """Answers requests from the store and the accounts, one at a time."""

    def __init__(self, store, accounts, page_size):
        self.store = store
        self.accounts = accounts
        self.files = files = Files(store, accounts.owner, page_size)
        self.account_routes = {
            "POST oauth2.googleapis.com/token": accounts.token,
            "POST oauth2.googleapis.com/revoke": accounts.revoke,
            "GET oauth2.googleapis.com/revoke": lambda *_: Response(405),
            "GET accounts.google.com/o/oauth2/auth": accounts.consent,
            "GET accounts.google.com/o/oauth2/v2/auth": accounts.consent,
        }
        self.file_routes = {
            "GET /drive/v2/files": files.list,
            "POST /drive/v2/files": files.insert,
            f"GET {DRIVE_FILE}": files.get,
            f"PATCH {DRIVE_FILE}": files.patch,
            f"DELETE {DRIVE_FILE}": files.delete,
            f"POST {DRIVE_FILE}/trash": files.trash,
            f"POST {DRIVE_FILE}/untrash": files.untrash,
            f"POST {UPLOAD}": files.start_upload,
            f"PUT {UPLOAD}/([^/]+)": files.start_upload,
        }

    def answer(self, request, body):
        """Return the Response, that of the fault which the request meets before all others."""
        with self.store.lock:
            if request.fault and KINDS[request.fault][1]:
                return self._faulty(request)
            try:
                form = pairs(body.decode()) if request.headers.get("content-type", "").startswith(FORM) else {}
                route = self.account_routes.get(f"{request.method} {request.host}{request.path}")
                return route(request, form) if route else self._answer_files(request, body)
            except Refused as refusal:
                return refusal.response

    def _faulty(self, request):
        if request.fault == "unauthorized":
            self.accounts.access_tokens.pop(request.bearer, None)  # so that only a refresh helps
        return KINDS[request.fault][1]

    def _answer_files(self, request, body):
        if request.path.startswith(UPLOAD) and "upload_id" in request.query:
            return self.files.continue_upload(request, body)
        for route, function in self.file_routes.items():
            match = re.fullmatch(route, f"{request.method} {request.path}")
            if match:
                return function(self.accounts.principal(request), request, body, *match.groups())
        raise Refused(api_error(404, "notFound", f"Not Found: {request.method} {request.path}"))
