"""SIGTERM and Ctrl-C noted, so that work ends where its state can be saved."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """A context in which the first SIGTERM or SIGINT only sets `number`; a second one of them interrupts at once.

    Colab and schedulers send SIGTERM before they take a machine away; Ctrl-C sends SIGINT.
    """

    def __init__(self):
        self.number = None
        self._before = {}

    def __enter__(self):
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def name(self):
        """What was received, such as "SIGTERM"; None before."""
        return signal.Signals(self.number).name if self.number else None

    def _note(self, number, _):
        if self.number:
            raise KeyboardInterrupt
        self.number = number
