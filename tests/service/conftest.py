import pytest

from tests.waiting import until


@pytest.fixture(autouse=True)
def nothing_left_at_work(request):
    """No test leaves the shared service at work, lest the next one finds its own request beside another's."""
    yield
    if "served" in request.fixturenames:
        service = request.getfixturevalue("served").service
        service.end_jobs()
        until(lambda: not service.life.worker.running)
