import pytest

from tests.service.openai.clients import client_of


@pytest.fixture(scope="session")
def client(served):
    """OpenAI's own client of the shared service."""
    with client_of(served.url) as found:
        yield found
