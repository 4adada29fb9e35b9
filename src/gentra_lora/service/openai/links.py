"""Addresses that open without a key, for a while: browsers and mail programs fetch pictures and send none."""

import hashlib
import hmac
import secrets
import time

MARK = "&signature="


class Links:
    """Signs addresses by a secret that ends with the process, as do the pictures that it keeps."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def signed(self, path: str, query: str, seconds: float) -> str:
        """Return a path with its query that opens for so many seconds."""
        query = f"{query}&expires={int(time.time() + seconds)}"
        return f"{path}?{query}{MARK}{self._signature(path, query)}"

    def opens(self, method: str, path: str, query: str) -> bool:
        """Return whether a request is for an address that was signed, as it was, and in time."""
        told, mark, signature = query.rpartition(MARK)
        if method not in ("GET", "HEAD") or not mark:
            return False
        expires = told.rpartition("&expires=")[2]
        right = hmac.compare_digest(signature.encode(), self._signature(path, told).encode())
        return right and int(expires) > time.time()  # a number, or it would not have been signed

    def _signature(self, path: str, query: str) -> str:
        return hmac.new(self._secret, f"{path}?{query}".encode(), hashlib.sha256).hexdigest()
