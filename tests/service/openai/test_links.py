import pytest

from gentra_lora.service.openai import links
from gentra_lora.service.openai.links import Links


@pytest.fixture
def made():
    """Links and (path, query) of an address of theirs."""
    found = Links()
    path, _, query = found.signed("/v1/images/j/0", "output_format=png", 60).partition("?")
    return found, path, query


def test_signed_address_opens_for_reading_alone(made):
    found, *address = made
    assert found.opens("GET", *address) and found.opens("HEAD", *address)
    assert not any(found.opens(method, *address) for method in ("POST", "DELETE", "OPTIONS"))


def test_address_that_was_changed_opens_nothing(made):
    found, path, query = made
    for other in (
        ("/v1/images/k/0", query),
        ("/v1/images/j/1", query),
        (path, query.replace("png", "webp")),
        (path, query.replace("expires=", "expires=9")),
        (path, query[:-1]),
        (path, query + "0"),
        (path, query + "&output_format=webp"),
        (path, query.partition("&signature")[0]),
        (path, "&signature=é"),
        (path, ""),
    ):
        assert not found.opens("GET", *other), other


def test_address_of_another_process_opens_nothing(made):
    assert not Links().opens("GET", *made[1:])


def test_address_closes_when_its_time_is_over(made, monkeypatch):
    found, *address = made
    now = links.time.time()
    monkeypatch.setattr(links.time, "time", lambda: now + 61)
    assert not found.opens("GET", *address)
