import hashlib
import io

import pytest
from PIL import Image

from tests.evaluated_project import write_reports
from tests.service.faulty_proxy import FaultyProxy
from tests.serving import running, settings_for, write_serving_adapter
from tests.waiting import until


@pytest.fixture(autouse=True)
def nothing_left_at_work(request):
    """No test leaves the shared service at work, lest the next one finds its own request beside another's."""
    yield
    if "served" in request.fixturenames:
        service = request.getfixturevalue("served").service
        service.end_jobs()
        until(lambda: not service.life.worker.running)


def png_at(place):
    """Return the PNG of a grey picture."""
    with io.BytesIO() as buffer:
        Image.new("L", (64, 64), 60 * place).save(buffer, "PNG")
        return buffer.getvalue()


@pytest.fixture(scope="session")
def evaluated_service(tiny_base, tmp_path_factory):
    """A service of a file whose evaluation lies beside it, as it does where it was trained."""
    top = tmp_path_factory.mktemp("evaluated") / "project"
    weights = top / "models/sport_gentra_lora.safetensors"
    weights.parent.mkdir(parents=True)
    write_serving_adapter(weights, tiny_base)
    write_reports(top, hashlib.sha256(weights.read_bytes()).hexdigest(), png_at)
    with running(settings_for(top, weights=weights, base=str(tiny_base))) as found:
        yield found


# Chromium is imported where it is used: without it, its tests are skipped and the others run.
@pytest.fixture(scope="session")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def driver(downloads):
    from tests.chromium import open_chromium

    driver = open_chromium(downloads)
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, served):
    from tests.chromium import Page

    page = Page(driver, served.url).ready()
    yield page
    assert page.complaints() == []


@pytest.fixture
def proxy(served):
    with FaultyProxy(served.url) as proxy:
        yield proxy


@pytest.fixture
def faulty(driver, proxy):
    from tests.chromium import Page

    page = Page(driver, proxy.url)
    yield page
    assert page.complaints() == []


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """A photo of a phone that was held upright: stored lying, with the EXIF that says so."""
    path = tmp_path_factory.mktemp("photo") / "car.jpg"
    lying = Image.linear_gradient("L").resize((96, 64)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(path, exif=exif)
    return path
