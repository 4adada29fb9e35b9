"""Who gives wrong keys waits."""

import pytest

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.http import guesses as module
from gentra_lora.service.http.guesses import CLIENTS_KEPT, FORGIVEN, FREE, LONGEST, Guesses


@pytest.fixture
def clock(monkeypatch):
    """A list with the time in seconds, which tests move."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def waits(guesses, client="a"):
    try:
        guesses.check(client)
    except ServiceError as error:
        return int(error.headers["Retry-After"])
    return 0


def test_wait_doubles_up_to_its_longest_and_is_the_guessers_alone(clock):
    guesses, told = Guesses(), []
    for _ in range(FREE + 9):
        guesses.wrong("a", "key")
        told.append(waits(guesses))
        clock[0] += told[-1]
        assert waits(guesses) == 0
    assert told == [0] * FREE + [1, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]
    guesses.wrong("a", "key")
    assert (waits(guesses), waits(guesses, "b")) == (LONGEST, 0)


def test_old_guesses_are_forgiven(clock):
    guesses = Guesses()
    for _ in range(FREE + 3):
        guesses.wrong("a", "key")
    clock[0] += FORGIVEN + 1
    guesses.wrong("a", "key")
    assert waits(guesses) == 0


def test_many_clients_do_not_fill_the_memory(clock):
    guesses = Guesses()
    for client in range(CLIENTS_KEPT + 100):
        guesses.wrong(str(client), "key")
    assert len(guesses._wrong) == CLIENTS_KEPT
