import os
import signal

import pytest

from gentra_lora.training.interruption import SAME, Interruption


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_is_only_noted(number):
    with Interruption() as interruption:
        assert interruption.name is None
        os.kill(os.getpid(), number)
        assert interruption.name == number.name


def test_second_signal_interrupts_at_once_when_it_comes_later_than_the_first(monkeypatch):
    times = iter([10.0, 10.0 + SAME + 0.1])
    monkeypatch.setattr("gentra_lora.training.interruption.time.monotonic", lambda: next(times))
    with Interruption(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)


def test_signal_that_a_supervisor_sends_twice_at_once_still_lets_the_state_be_saved():
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert interruption.number == signal.SIGINT


def test_handlers_of_before_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Interruption():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
