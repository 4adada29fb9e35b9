"""reports/report.html as a person sees it: in Chromium, at a desk and on a phone."""

import json

import pytest

from gentra_lora.stages import cache_latents, evaluate, prepare, train
from tests.chromium import DESK, PHONE, open_chromium

pytestmark = pytest.mark.load

BROKEN = "return [...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.alt)"
COUNT = "return document.images.length"
# What lies outside of the screen's width, but for what stands in a box that can be moved sideways.
WIDE = """
return [...document.body.querySelectorAll('*')].filter(e => !e.closest('.scroll') &&
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))
"""
FINE = """
return [...document.querySelectorAll('p, li, td, figcaption, dd, text')]
  .filter(e => parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement ?
    e.ownerSVGElement.getBoundingClientRect().width / 640 : 1) < 9).map(e => e.outerHTML.slice(0, 80))
"""


@pytest.fixture
def report(workspace):
    for stage in (prepare, cache_latents, train, evaluate):
        stage.main()
    return workspace / "reports/report.html"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_picture_loads_nothing_is_fetched_and_all_fits_the_width(report, tmp_path, size):
    driver = open_chromium(tmp_path)
    try:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(report.as_uri())
        assert driver.execute_script(COUNT) > 50
        assert driver.execute_script(BROKEN) == []
        assert driver.execute_script(WIDE) == []
        assert driver.execute_script(FINE) == []
        messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        assert {url for url in sent if not url.startswith("data:")} == {report.as_uri()}
        assert driver.get_log("browser") == []
        assert driver.find_element("tag name", "h1").location["y"] < 100
    finally:
        driver.quit()
