"""Who gives wrong keys has to wait, longer each time."""

import hmac
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gentra_lora.service.errors import ServiceError

log = logging.getLogger("gentra_lora.service.access")
FREE, LONGEST, FORGIVEN = 10, 60.0, 600.0  # wrong ones; seconds
CLIENTS_KEPT = 10_000


@dataclass
class Wrong:
    """What a client has given."""

    count: int = 0
    last: float = -math.inf
    until: float = -math.inf  # it is not listened to


class Guesses:
    """Wrong keys by client address. After FREE of them a client waits 1 s, 2 s, 4 s and so on, right key or not."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, Wrong] = OrderedDict()

    def check(self, client: str) -> None:
        """Refuse a client that has to wait.

        Raises:
            ServiceError: 429, with the seconds.
        """
        left = self._wrong[client].until - time.monotonic() if client in self._wrong else 0.0
        if left > 0:
            seconds = math.ceil(left)
            raise ServiceError(
                429,
                "too_many_wrong_keys",
                f"too many wrong keys came from this address; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )

    def admits(self, client: str, given: str, secrets: Iterable[bytes], what: str) -> bool:
        """Return whether a client has given one of the secrets; a wrong `what` counts, none at all does not.

        Raises:
            ServiceError: 429, the client has to wait.
        """
        self.check(client)
        same = [hmac.compare_digest(given.encode(), secret) for secret in secrets]  # all of them: in constant time
        if given and True not in same:
            self.wrong(client, what)
        return True in same

    def wrong(self, client: str, what: str) -> None:
        """Count a wrong `what` of a client, and log it."""
        now, found = time.monotonic(), self._wrong.pop(client, Wrong())
        if now - found.last > FORGIVEN:
            found = Wrong()
        found.count, found.last = found.count + 1, now
        found.until = now + min(LONGEST, 2.0 ** (found.count - FREE - 1)) if found.count > FREE else now
        self._wrong[client] = found
        if len(self._wrong) > CLIENTS_KEPT:
            self._wrong.popitem(last=False)
        log.warning(f"wrong {what}", extra={"values": {"client": client, "count": found.count}})
