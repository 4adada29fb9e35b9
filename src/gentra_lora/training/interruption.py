"""SIGTERM and Ctrl-C noted, so that work ends where its state can be saved."""

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Seconds in which another one is the first again: `timeout` sends each to its child, and to the group as well.
SAME = 1.0


class Interruption:
    """A context in which the first SIGTERM or SIGINT only sets `number`; one of them a second later interrupts at once.

    Colab and schedulers send SIGTERM before they take a machine away; Ctrl-C sends SIGINT.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._noted = 0.0
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def name(self) -> str | None:
        """What was received, such as "SIGTERM"; None before."""
        return signal.Signals(self.number).name if self.number else None

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number is None:
            self.number, self._noted = number, time.monotonic()
        elif time.monotonic() - self._noted > SAME:
            raise KeyboardInterrupt
