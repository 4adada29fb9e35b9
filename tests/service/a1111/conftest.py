import pytest
import webuiapi


@pytest.fixture
def webui(served):
    """A1111's client from PyPI, of the shared service."""
    api = webuiapi.WebUIApi(baseurl=f"{served.url}/sdapi/v1", sampler="DPM++ 2M", steps=3)
    yield api
    api.session.close()
