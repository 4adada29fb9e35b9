"""Debian's Chromium with the page open, and what a person does there."""

import json
import shutil
import time
import urllib.request

import pytest

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
if not (shutil.which("chromium") and shutil.which("chromedriver")):
    pytest.skip("chromium and chromium-driver are not installed", allow_module_level=True)

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from tests.waiting import PATIENCE  # noqa: E402

FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking")
DESK, PHONE = (1280, 900), (360, 640)
PROMPT = "a photo of a sport gentra"


def open_chromium(downloads):
    """Return a driver that puts downloads into a folder and logs the console and the network."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def fetched(url):
    """Return the bytes that an address answers with."""
    with urllib.request.urlopen(url) as answer:
        return answer.read()


class Page:
    """The page of a service in a driver, without what an earlier test left behind."""

    def __init__(self, driver, url, size=DESK, scheme="light"):
        self.driver, self.url = driver, url
        driver.get("about:blank")
        self.cdp("Storage.clearDataForOrigin", origin=url, storageTypes="all")
        self.look(size, scheme)
        driver.get(f"{url}/page/page.css")  # the session's storage belongs to the tab: cleared where no script runs
        self.js("sessionStorage.clear()")
        for log in ("browser", "performance"):
            driver.get_log(log)
        driver.get(url)

    def cdp(self, command, **values):
        return self.driver.execute_cdp_cmd(command, values)

    def look(self, size=DESK, scheme="light"):
        """Show the page at a size in px, in a light or dark scheme, without motion that tests would wait for."""
        width, height = size
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": n, "value": v} for n, v in features.items()])

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition):
        """Wait for a script's expression to be true and return its value."""
        end = time.monotonic() + PATIENCE
        while not (value := self.js(f"return {condition}")):
            assert time.monotonic() < end, f"{condition} did not come true: {self.text('stage')}"
            time.sleep(0.02)
        return value

    def text(self, name):
        return self.js("return document.getElementById(arguments[0]).textContent.trim()", name)

    def says(self, name, words):
        """Wait for an element's text to hold some words."""
        self.until(f"document.getElementById({name!r}).textContent.includes({json.dumps(words)})")

    def ready(self):
        self.until("document.getElementById('readiness').dataset.state === 'ready'")
        return self

    def reload(self):
        self.driver.refresh()
        return self.ready()

    def set(self, **values):
        """Set controls by their names, as typing does."""
        for name, value in values.items():
            self.js(
                "const c = document.getElementById(arguments[0]); c.value = arguments[1];"
                "c.dispatchEvent(new Event('input', {bubbles: true}))",
                name,
                str(value),
            )

    def value(self, name):
        return self.js("return document.getElementById(arguments[0]).value", name)

    def choose(self, path):
        self.find("photo-file").send_keys(str(path))
        self.until("!document.getElementById('photo-chosen').hidden")

    def press(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def generate(self, **values):
        self.set(**values)
        self.find("generate").click()

    def result(self):
        """Wait for a result and return the addresses of its pictures on the server."""
        self.until("!document.getElementById('result').hidden && document.getElementById('progress').hidden")
        self.until("document.querySelector('#history-list li')")
        return self.js(
            "return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => n.includes('/images/'))"
        )

    def shown(self, name):
        return self.find(name).is_displayed()

    def requested(self):
        """Return the addresses that the browser asked for since the page was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def complaints(self, network=False):
        """Return what the console got; Chromium itself adds each answer that is no success ("network")."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if network or entry["source"] != "network"]


__all__ = ["DESK", "PHONE", "PROMPT", "Keys", "Page", "fetched", "open_chromium"]
