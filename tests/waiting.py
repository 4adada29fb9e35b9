"""Waiting for states. No test has a time limit of its own: on a busy machine everything comes, but later."""

import time

PATIENCE = 120  # seconds: what takes longer hangs


def until(claim, message="did not become true"):
    """Wait until `claim()` holds and return what it returned."""
    end = time.monotonic() + PATIENCE
    while not (found := claim()):
        assert time.monotonic() < end, message
        time.sleep(0.01)
    return found
