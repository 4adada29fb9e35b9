"""Painting on a photo what of it may change: by mouse, touch and keys, and where the mask goes from there."""

import base64
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from selenium.webdriver.common.action_chains import ActionChains

from gentra_lora.photos.photo import open_upright
from gentra_lora.pictures.request import fitted
from tests.chromium import PHONE, PROMPT, Keys, fetched
from tests.service.test_page_settings import RUN, drop

pytestmark = pytest.mark.load

MASK = """
    const done = arguments[0];
    import('/page/mask.js').then(({ currentMask }) => currentMask()).then((mask) => {
      if (!mask) return done(null);
      const reader = new FileReader();
      reader.onload = () => done(reader.result.split(',')[1]);
      reader.readAsDataURL(mask);
    });"""
TAKE_SMALL = """
    const done = arguments[0];
    Promise.all([import('/page/mask.js'), import('/page/photo.js')]).then(async ([{ takeMask }, { currentPhoto }]) => {
      const canvas = new OffscreenCanvas(8, 8), context = canvas.getContext('2d');
      context.fillStyle = 'white';
      context.fillRect(0, 0, 8, 8);
      await takeMask(currentPhoto().file, new File([await canvas.convertToBlob()], 'mask.png'));
      done();
    });"""


def paint(page, *way):
    """Paint along points, shares of the photo, with the mouse; the window stays open."""
    if not page.shown("paint"):
        page.find("mask").click()
    surface = page.find("paint-surface")
    width, height = surface.size["width"], surface.size["height"]
    pointer = ActionChains(page.driver, duration=20)
    for n, (x, y) in enumerate(way):
        pointer.move_to_element_with_offset(surface, int((x - 0.5) * width), int((y - 0.5) * height))
        if n == 0:
            pointer.click_and_hold()
    pointer.release().perform()


def mask_of(page):
    """Return the levels of the mask that would be sent, (H, W), or None."""
    encoded = page.driver.execute_async_script(MASK)
    return None if encoded is None else np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("L"))


def record_of(address):
    return Image.open(io.BytesIO(fetched(address))).text["gentra"]


def test_painted_part_changes_and_the_rest_is_exactly_the_photos(page, photo):
    page.choose(photo)
    paint(page, (0, 0.05), (1, 0.05))
    page.find("paint-done").click()
    assert page.shown("photo-mask") and "Only the painted part" in page.text("mask-hint")
    assert "make sense" in page.text("strength-hint")
    levels = mask_of(page)
    assert levels.shape == (96, 64)  # upright, as the server sees the photo
    assert levels[4, 32] == 255 and levels[60:].max() == 0
    page.generate(prompt=PROMPT, seed=5, strength=1)
    (address,) = page.result()
    drawn = np.asarray(Image.open(io.BytesIO(fetched(address)))).astype(int)
    kept = np.asarray(fitted(open_upright(photo, photo.name), drawn.shape[1], drawn.shape[0])).astype(int)
    below = len(drawn) // 2
    assert np.array_equal(drawn[below:], kept[below:])
    assert np.abs(drawn[:4] - kept[:4]).mean() > 5
    assert "Mask sha256" in page.text("origin-facts")


def test_strokes_are_undone_erased_inverted_and_cleared_and_then_no_mask_is_sent(page, photo):
    page.choose(photo)
    paint(page, (0.5, 0.2))
    paint(page, (0.5, 0.8))
    page.press(Keys.CONTROL, "z")
    page.driver.switch_to.active_element.send_keys(Keys.NULL)
    page.find("paint-invert").click()
    page.find("paint-erase").click()
    paint(page, (0.5, 0.5))
    page.find("paint-done").click()
    levels = mask_of(page)
    assert [levels[y, 32] for y in (19, 48, 76)] == [0, 0, 255]
    page.find("mask").click()
    page.find("paint-clear").click()
    page.says("paint-words", "Nothing is painted")
    page.press(Keys.ESCAPE)
    assert mask_of(page) is None
    assert not page.shown("photo-mask")
    page.generate(prompt=PROMPT, seed=5)
    (address,) = page.result()
    assert '"photo_sha256"' in record_of(address) and "mask_sha256" not in page.text("origin-facts").replace(" ", "_")


def test_keys_paint_and_escape_keeps_it_and_gives_the_focus_back(page, photo):
    page.choose(photo)
    page.js("document.getElementById('mask').focus()")
    page.press(Keys.ENTER)
    assert page.js("return document.activeElement.id") == "paint-surface"
    page.press(Keys.ARROW_UP, " ")
    page.press(Keys.SHIFT, Keys.ARROW_DOWN * 3, Keys.NULL)
    page.press(Keys.ESCAPE)
    assert page.js("return document.activeElement.id") == "mask"
    levels = mask_of(page)
    assert (levels[[44, 60], 32] == 255).all() and levels[[5, 90]].max() == 0


def test_finger_paints_on_a_phone_without_scrolling(page, photo):
    page.look(PHONE)
    page.choose(photo)
    page.find("mask").click()
    box = page.find("paint-surface").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x, "y": y + box["height"] / 2}]),
        ("touchEnd", []),
    ):
        page.cdp("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    assert page.js("return document.getElementById('paint').scrollTop") == 0
    assert page.js("return document.documentElement.scrollWidth") == PHONE[0]
    page.find("paint-done").click()
    assert (mask_of(page)[[26, 48, 70], 32] == 255).all()


def test_mask_stays_with_its_photo_in_the_history_and_goes_with_it(page, photo):
    page.choose(photo)
    paint(page, (0.5, 0.2))
    page.find("paint-done").click()
    sent = mask_of(page)
    page.generate(prompt=PROMPT, seed=5)
    page.result()
    page.find("photo-remove").click()
    page.choose(photo)
    assert mask_of(page) is None
    page.reload()
    page.until("document.querySelector('.restore')")
    page.all(".restore")[0].click()
    page.until("!document.getElementById('photo-mask').hidden")
    assert np.array_equal(mask_of(page), sent)
    page.find("variations").click()
    page.until("document.querySelectorAll('#overview button').length === 4")
    page.all("#overview button")[0].click()
    assert "Mask sha256" in page.text("origin-facts")


def test_job_that_waits_keeps_its_mask_over_a_reload(page, photo):
    page.choose(photo)
    paint(page, (0.5, 0.2))
    page.find("paint-done").click()
    page.generate(prompt=PROMPT, seed=5, strength=1, num_inference_steps=100)
    page.until("document.getElementById('progress-words').textContent.includes('Step')")
    page.reload()
    page.until("!document.getElementById('photo-mask').hidden")
    page.result()
    assert "Mask sha256" in page.text("origin-facts")


@pytest.mark.parametrize("kind", RUN)
def test_copied_request_with_a_mask_names_the_file_that_it_needs(page, photo, downloads, tmp_path, kind):
    if kind == "copy-curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page.choose(photo)
    paint(page, (0.5, 0.2))
    page.find("paint-done").click()
    page.generate(prompt=PROMPT, seed=5, strength=0.8)
    (address,) = page.result()
    page.find("copy").click()
    page.find(kind).click()
    page.says("announcement", "Copied")
    program = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert program.startswith("# mask.png is needed as well")
    (tmp_path / "mask.png").write_bytes(base64.b64decode(page.driver.execute_async_script(MASK)))
    shutil.copy(photo, tmp_path)
    subprocess.run([*RUN[kind], program], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "gentra-seed-5.png").read_bytes() == fetched(address)


def drop_made(page, **more):
    """Drop a picture made of a photo with a mask; `more` of its record."""
    record = PngImagePlugin.PngInfo()
    record.add_text("gentra", json.dumps({"prompt": "a car", "photo_sha256": "ab", "mask_sha256": "cd"} | more))
    content = io.BytesIO()
    Image.new("RGB", (64, 64)).save(content, "PNG", pnginfo=record)
    drop(page, "masked.png", content.getvalue())


def test_restored_picture_says_that_its_mask_is_needed(page, served):
    drop_made(page)
    page.says("imported", "choose the photo and paint its mask as well")


def test_restored_picture_of_a_region_says_that_the_page_draws_none(page, served):
    drop_made(page, mask_padding=32)
    page.says("imported", "a way that this page does not have")


def test_mask_that_the_server_refuses_is_told_at_its_control(page, photo):
    page.choose(photo)
    page.driver.execute_async_script(TAKE_SMALL)
    page.generate(prompt=PROMPT)
    page.says("mask-error", "8 x 8 px, and the photo upright 64 x 96")
    assert page.js("return document.activeElement.id") == "mask"


def test_photo_that_the_browser_cannot_show_offers_no_painting_and_says_so(page, tmp_path):
    path = tmp_path / "car.tiff"
    Image.new("RGB", (64, 64)).save(path)
    page.choose(path)
    assert not page.shown("mask")
    page.says("mask-hint", "only on a photo that this browser shows")
