"""Several pictures on the page: sweeps, grids, variations, all at once as a zip, favourites."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.chromium import PROMPT, fetched
from tests.waiting import until

pytestmark = pytest.mark.load
PREVIEWS = "document.querySelectorAll('#previews img[src^=\"data:image/png\"]').length"


def sweep(page, scales, **columns):
    page.js("document.getElementById('sweep').open = true")
    page.set(**{"sweep-scales": scales}, **columns)
    page.js("document.getElementById('sweep-draw').click()")  # it may lie under the Generate button, until one scrolls
    return page.result()


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def test_sweep_of_scales_and_seeds_is_one_grid_and_a_cell_gives_its_settings(page, served):
    page.set(prompt=PROMPT, seed=5)
    addresses = sweep(page, "1, 0", **{"sweep-seeds": 2})
    assert [row.text for row in page.all("#overview h3")] == ["scale 0", "scale 1"]
    assert len(addresses) == len(page.all("#overview button")) == 4
    cell, alone = (pixels(png) for png in (fetched(addresses[1]), served.draw(PROMPT, seed=6, lora_scale=0).content))
    assert np.abs(cell - alone).max() <= 1  # beside others in a batch, a level may be rounded otherwise
    page.all("#overview button")[1].click()
    assert (page.value("lora_scale"), page.value("seed"), page.value("num_images")) == ("0", "6", "1")
    assert page.shown("after")
    page.find("show-all").click()
    assert page.shown("overview")


def test_all_pictures_have_a_preview_where_they_will_be(page, served):
    page.generate(prompt=PROMPT, seed=5, num_images=3, num_inference_steps=100)
    page.until(f"{PREVIEWS} === 3")
    assert [node.text for node in page.all("#previews small")] == ["seed 5", "seed 6", "seed 7"]
    assert not page.shown("preview")
    assert page.result()


def test_sweep_is_one_job_with_a_preview_of_each_cell_and_one_way_out(page, served):
    page.set(prompt=PROMPT, seed=5, num_inference_steps=100)
    page.js("document.getElementById('sweep').open = true")
    page.set(**{"sweep-scales": "0, 0.5, 1", "sweep-seeds": 2})
    page.js("document.getElementById('sweep-draw').click()")
    page.until(f"{PREVIEWS} === 6")
    assert [row.text for row in page.all("#previews h3")] == ["scale 0", "scale 0.5", "scale 1"]
    job = json.loads(page.until("sessionStorage.getItem('job')"))["id"]
    page.find("cancel").click()
    page.says("announcement", "Cancelled.")
    assert json.loads(fetched(f"{served.url}/v1/jobs/{job}"))["state"] == "cancelled"
    assert not served.service.busy


def test_sweep_of_a_photo_is_over_strengths_and_stays_in_the_history(page, photo):
    page.choose(photo)
    page.set(prompt=PROMPT)
    sweep(page, "0.5 1", **{"sweep-strengths": "0.4, 1"})
    page.reload()
    page.until("document.querySelector('.restore')")
    page.all(".restore")[0].click()
    page.until("document.querySelectorAll('#overview button').length === 4")
    page.all("#overview button")[2].click()
    assert (page.value("lora_scale"), page.value("strength")) == ("1", "0.4")


def test_wrong_axis_of_a_sweep_is_told_there(page):
    page.set(prompt=PROMPT)
    page.js("document.getElementById('sweep').open = true")
    page.set(**{"sweep-scales": "0, 7"})
    page.js("document.getElementById('sweep-draw').click()")  # it may lie under the Generate button, until one scrolls
    assert "from 0 to 2" in page.text("sweep-error")
    assert page.js("return document.activeElement.id") == "sweep-scales"


def test_all_pictures_are_one_zip_and_one_of_them_has_variations(page, downloads):
    page.generate(prompt=PROMPT, seed=90, num_images=2)
    addresses = page.result()
    page.find("download-all").click()
    saved = downloads / "gentra-seed-90.zip"
    until(saved.exists)
    with zipfile.ZipFile(saved) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["1-gentra-seed-90.png", "2-gentra-seed-91.png"]
        assert [opened.read(name) for name in opened.namelist()] == [fetched(address) for address in addresses]
    page.all("#overview button")[1].click()
    page.find("variations").click()
    page.until("document.querySelectorAll('#overview button').length === 4")
    page.all("#overview button")[0].click()
    assert page.text("parameters").startswith("Seed92")
    assert page.text("before-title") == "Photo"


def test_favourite_stays_when_the_others_are_cleared(page):
    for seed in (1, 2):
        page.generate(prompt=PROMPT, seed=seed)
        page.until(f"document.querySelectorAll('#history-list li').length === {seed}")
    page.all(".star")[1].click()
    page.until("document.querySelector('.star').getAttribute('aria-pressed') === 'true'")
    page.find("history-clear").click()
    page.find("history-delete").click()
    page.until("document.querySelectorAll('#history-list li').length === 1")
    assert "seed 1" in page.find("history-list").text


def test_shapes_keep_the_trained_area_within_the_limits(page):
    page.js("document.getElementById('more').open = true")
    for button in page.all("#aspects button"):
        page.js("arguments[0].click()", button)
        width, height = int(page.value("width")), int(page.value("height"))
        assert width % 8 == height % 8 == 0
        assert width * height <= 64 * 64 or 64 in (width, height)
