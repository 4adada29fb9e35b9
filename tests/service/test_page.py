"""The page in a real browser, in front of a real service."""

import io
import json
import time

import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from tests.chromium import DESK, PHONE, PROMPT, Keys, Page, fetched
from tests.evaluated_project import PROMPTS
from tests.serving import busy, running, settings_for
from tests.waiting import until

pytestmark = pytest.mark.load
LONG = {"num_inference_steps": 100, "num_images": 4}


def test_picture_of_a_prompt_comes_without_console_errors_or_requests_to_other_hosts(page, served):
    page.generate(prompt=PROMPT, seed=5)
    page.result()
    assert page.text("result-prompt") == PROMPT
    assert "Seed5" in page.text("parameters")
    assert page.complaints(network=True) == []
    assert {url for url in page.requested() if not url.startswith((served.url, "blob:", "data:"))} == set()


def test_defaults_and_bounds_are_the_servers(page, served):
    model = json.loads(fetched(f"{served.url}/v1/model"))
    for name in ("num_inference_steps", "guidance_scale", "lora_scale", "width", "height"):
        assert float(page.value(name)) == model["defaults"][name]
    assert page.find("num_inference_steps").get_attribute("max") == str(model["limits"]["max_steps"])
    assert len(page.all("#sampler option")) == len(model["samplers"])
    assert len(page.all("#num_images option")) == model["limits"]["max_images"]


def test_served_revision_is_shown_with_its_hash(page, served):
    model = json.loads(fetched(f"{served.url}/v1/model"))
    page.find("revision").click()
    assert model["file"]["sha256"][:8] in page.find("revision").text
    titles = [value.get_attribute("title") for value in page.all("#revision dd")]
    assert {model["base"], model["file"]["sha256"], model["revision"]["commit"]} <= set(titles)


def test_first_screen_shows_examples_of_which_one_click_draws_one(driver, evaluated_service):
    page = Page(driver, evaluated_service.url).ready()
    page.until("[...document.querySelectorAll('#examples img')].filter((i) => i.naturalWidth).length === 2")
    assert page.find("revision").text == "sport_gentra_lora · “gentra”"
    page.all("#examples button")[1].click()
    page.result()
    assert page.text("result-prompt") == PROMPTS[1]
    assert (page.value("seed"), page.value("guidance_scale")) == ("4", "2.5")
    assert not page.shown("examples")
    page.look(PHONE)
    assert page.js("return document.querySelector('main').previousElementSibling.id") == "examples"
    assert page.js("return document.documentElement.scrollWidth") == PHONE[0]
    assert page.complaints() == []


def test_trigger_word_is_put_into_a_prompt_that_lacks_it(page):
    page.find("prompt").send_keys("a photo of a car, at night")
    assert "lacks the trigger word" in page.text("trigger-note")
    word = page.find("trigger-word").text
    page.press(*[Keys.ARROW_LEFT] * len(", at night"), *[Keys.BACKSPACE] * len("car"))
    page.find("trigger-word").click()
    assert page.value("prompt") == f"a photo of a {word}, at night"
    assert page.text("trigger-note") == ""


def test_tokens_of_the_prompt_are_counted_as_it_is_typed(page):
    page.find("prompt").send_keys(PROMPT)
    page.says("tokens", " of 38 tokens")
    page.set(prompt="word " * 100)
    page.until("document.getElementById('tokens').classList.contains('over')")


def test_steps_are_counted_with_a_preview_while_a_job_runs(page):
    page.generate(prompt=PROMPT, **LONG | {"num_images": 1})
    page.until("document.getElementById('preview').src.startsWith('data:image/png')")
    page.says("progress-words", "Step ")
    assert 0 < page.js("return document.getElementById('bar').value") <= 1
    assert page.js("return document.getElementById('preview').clientWidth") > 250
    page.result()


def test_job_is_found_again_after_the_page_was_reloaded(page, photo):
    page.choose(photo)
    page.generate(prompt=PROMPT, strength=1, **LONG)
    page.until("sessionStorage.getItem('job')")
    page.reload()
    page.result()
    assert page.value("prompt") == PROMPT
    page.all("#overview button")[0].click()
    assert page.shown("before")
    assert page.js("return sessionStorage.getItem('job')") is None


def test_escape_cancels_a_job(page, served):
    page.generate(prompt=PROMPT, **LONG)
    job = json.loads(page.until("sessionStorage.getItem('job')"))["id"]
    page.press(Keys.ESCAPE)
    page.says("announcement", "Cancelled.")
    assert not page.shown("progress")
    assert json.loads(fetched(f"{served.url}/v1/jobs/{job}"))["state"] == "cancelled"
    assert page.value("prompt") == PROMPT


def test_photo_of_a_phone_is_upright_and_its_result_has_its_shape(page, photo):
    page.choose(photo)
    assert "64 × 96 px" in page.text("photo-words")
    page.generate(prompt=PROMPT)
    page.result()
    box = "const b = document.getElementById(arguments[0]).getBoundingClientRect(); return [b.width, b.height]"
    before, after = page.js(box, "before"), page.js(box, "after")
    assert before == after
    width, height = page.js("const i = document.getElementById('after'); return [i.naturalWidth, i.naturalHeight]")
    assert height > width
    assert before[1] / before[0] == pytest.approx(height / width, rel=0.01)
    assert page.js("return getComputedStyle(document.getElementById('before')).objectFit") == "cover"


def test_slider_between_before_and_after_is_moved_by_keys_and_by_the_pointer(page, photo):
    page.choose(photo)
    page.generate(prompt=PROMPT)
    page.result()
    clip = "return document.getElementById('after').style.clipPath"
    assert "50%" in page.js(clip)
    page.find("split").send_keys(Keys.ARROW_RIGHT * 3)
    assert "53%" in page.js(clip)
    page.find("split").send_keys(Keys.HOME)
    assert page.js(clip) in ("inset(0px)", "inset(0px 0px 0px 0%)")
    page.js("document.getElementById('comparison').scrollIntoView()")
    box = page.js("return document.getElementById('comparison').getBoundingClientRect().toJSON()")
    at = {"x": box["x"] + 0.8 * box["width"], "y": box["y"] + 20, "button": "left", "clickCount": 1}
    page.cdp("Input.dispatchMouseEvent", type="mousePressed", **at)
    page.cdp("Input.dispatchMouseEvent", type="mouseReleased", **at)
    assert "80%" in page.js(clip)


def test_download_holds_the_bytes_that_the_server_sent(page, downloads):
    page.generate(prompt=PROMPT, seed=77)
    (address,) = page.result()
    page.find("download").click()
    saved = downloads / "gentra-seed-77.png"
    until(saved.exists)
    assert saved.read_bytes() == fetched(address)
    assert Image.open(io.BytesIO(saved.read_bytes())).text


def test_several_pictures_are_chosen_by_their_thumbs(page):
    page.generate(prompt=PROMPT, seed=3, num_images=2)
    assert len(page.result()) == 2
    page.all("#overview button")[1].click()
    assert page.find("download").get_attribute("download") == "gentra-seed-4.png"
    assert "Seed4" in page.text("parameters")


def test_picture_is_compared_with_its_seed_without_the_adapter_also_from_the_history(page, served):
    page.generate(prompt=PROMPT, seed=3, num_images=2)
    page.result()
    page.all("#overview button")[1].click()
    page.find("without").click()
    page.until("document.getElementById('without').getAttribute('aria-pressed') === 'true'")
    page.until("document.getElementById('before').naturalWidth")
    assert page.text("before-title") == "Without adapter"
    drawn = Image.open(io.BytesIO(fetched(page.result()[-1])))
    base = Image.open(io.BytesIO(served.draw(PROMPT, seed=4, lora_scale=0).content))
    assert drawn.tobytes() == base.tobytes()
    page.reload()
    page.until("document.querySelector('.restore')")
    page.all(".restore")[0].click()
    page.until("!document.getElementById('result').hidden")
    page.all("#overview button")[1].click()
    page.find("without").click()
    assert page.find("without").get_attribute("aria-pressed") == "true"
    assert not page.shown("progress")


def test_second_request_waits_while_one_runs_and_tells_its_place(page, served):
    with busy(served):
        page.generate(prompt=PROMPT, seed=1)
        page.says("generate", "Add to the queue")
        page.until("sessionStorage.getItem('job')")
        for prompt in ("a second gentra", "a third gentra"):
            time.sleep(0.35)  # a click that follows sooner is a double click
            page.generate(prompt=prompt, seed=2)
            page.says("waiting", prompt)
        page.says("waiting", "Number 3 in the queue")
        page.all("#waiting button")[0].click()
        assert "a second gentra" not in page.text("waiting")
    page.until("document.querySelectorAll('#history-list li').length === 2")
    assert page.text("result-prompt") == "a third gentra"
    assert page.text("waiting") == ""


def test_result_becomes_the_photo_of_the_next(page):
    page.generate(prompt=PROMPT, seed=3)
    page.result()
    page.find("reuse").click()
    page.says("photo-words", "gentra-seed-3.png")
    assert page.shown("strength")
    assert not page.shown("width")


def test_last_seed_is_offered_again(page):
    page.generate(prompt=PROMPT, seed=41)
    page.result()
    page.find("seed-random").click()
    assert page.value("seed") == ""
    page.find("seed-last").click()
    assert page.value("seed") == "41"


def test_history_gives_picture_photo_and_settings_back_after_a_reload(page, photo):
    page.choose(photo)
    page.generate(prompt=PROMPT, strength=0.7, lora_scale=0.8, seed=9, negative_prompt="snow")
    page.result()
    page.js("sessionStorage.clear()")
    page.reload()
    page.set(prompt="another")
    page.until("document.querySelector('.restore')")
    page.all(".restore")[0].click()
    page.until("!document.getElementById('result').hidden")
    assert page.shown("before")
    values = [page.value(name) for name in ("prompt", "negative_prompt", "strength", "lora_scale", "seed")]
    assert values == [PROMPT, "snow", "0.7", "0.8", "9"]
    assert photo.name in page.text("photo-words")


def test_results_of_the_history_can_be_deleted_one_by_one_and_all_at_once(page):
    for seed in (1, 2):
        page.generate(prompt=PROMPT, seed=seed)
        page.until(f"document.querySelectorAll('#history-list li').length === {seed}")
    page.all(".remove")[0].click()
    page.until("document.querySelectorAll('#history-list li').length === 1")
    page.find("history-clear").click()
    page.find("history-delete").click()
    page.until("document.querySelectorAll('#history-list li').length === 0")
    page.reload()
    assert page.shown("history-empty")


def test_page_works_without_a_store_and_says_so(page):
    source = "indexedDB.open = () => { throw new DOMException('no', 'InvalidStateError') }"
    script = page.cdp("Page.addScriptToEvaluateOnNewDocument", source=source)
    page.reload()
    page.cdp("Page.removeScriptToEvaluateOnNewDocument", **script)
    page.generate(prompt=PROMPT)
    page.until("!document.getElementById('result').hidden && document.getElementById('progress').hidden")
    page.says("history-error", "keeps no history")


def test_full_store_is_told_and_the_picture_stays(page):
    page.cdp("Storage.overrideQuotaForOrigin", origin=page.url, quotaSize=1)
    page.generate(prompt=PROMPT)
    page.says("history-error", "no room for this result")
    page.cdp("Storage.overrideQuotaForOrigin", origin=page.url)
    assert page.shown("after")


def test_photo_that_only_the_server_can_read_is_redrawn_without_a_comparison(page, tmp_path):
    path = tmp_path / "phone.heic"
    register_heif_opener()
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(path)
    page.choose(path)
    assert "the server can read it" in page.text("photo-words")
    page.generate(prompt=PROMPT)
    page.result()
    page.until("document.getElementById('before').hidden")
    assert page.js("return document.getElementById('after').style.clipPath") in ("inset(0px)", "inset(0px 0px 0px 0%)")


def test_tiff_goes_to_the_server_which_reads_it(page, tmp_path):
    path = tmp_path / "scan.tif"
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(path)
    page.choose(path)
    assert "the server can read it" in page.text("photo-words")
    page.generate(prompt=PROMPT)
    page.result()


def test_picture_stays_in_sight_beside_a_form_that_is_longer_than_the_screen(page):
    page.look((1366, 768))
    page.generate(prompt=PROMPT)
    page.result()
    page.js("document.getElementById('more').open = true")
    page.js("document.getElementById('sampler').scrollIntoView({block: 'end'})")
    page.js("document.getElementById('settings').style.minHeight = '1600px'; scrollTo(0, 700)")
    box = page.js("return document.getElementById('after').getBoundingClientRect().toJSON()")
    assert box["top"] >= 0 and box["bottom"] <= 768


def test_picture_is_shown_large_by_a_click_and_its_neighbours_by_keys(page):
    page.generate(prompt=PROMPT, seed=3, num_images=2)
    page.result()
    page.all("#overview button")[0].click()
    page.find("after").click()
    assert page.shown("zoom")
    assert page.js("return document.getElementById('zoom-picture').getBoundingClientRect().height") == DESK[1]
    page.press(Keys.ARROW_RIGHT)
    assert "2 of 2, seed 4" in page.text("zoom-words")
    page.press(Keys.ESCAPE)
    assert not page.shown("zoom")


def test_settings_stand_by_their_names_and_what_made_the_picture_stands_apart(page):
    page.generate(prompt=PROMPT, seed=5)
    page.result()
    settings, origin = page.text("parameters"), page.text("origin-facts")
    assert "SamplerDPM++ 2M" in settings
    assert not [word for word in ("dpmpp", "Precision", "torch", "sha256") if word in settings]
    assert "Precisionfloat32" in origin and "PyTorch" in origin
    assert not page.shown("origin-facts")


def test_server_that_has_gone_is_told_at_once(page):
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.cdp("Network.enable")
    page.cdp("Network.emulateNetworkConditions", offline=True, **network)
    page.generate(prompt=PROMPT)
    page.says("readiness", "The server cannot be reached.")
    page.cdp("Network.emulateNetworkConditions", offline=False, **network)
    page.ready()


def test_phone_is_not_told_to_drop_or_paste(page):
    assert "drop or paste" in page.find("photo-drop").text
    page.look(PHONE)
    assert "drop or paste" not in page.find("photo-drop").text


def test_file_that_is_no_photo_is_refused_before_it_is_sent(page, tmp_path):
    path = tmp_path / "notes.pdf"
    path.write_bytes(b"%PDF-1.4")
    page.find("photo-file").send_keys(str(path))
    page.says("image-error", "notes.pdf is not a photo")
    assert page.shown("photo-drop")


def test_photo_over_the_limit_is_refused_before_it_is_sent(page, served, tmp_path):
    limits = json.loads(fetched(f"{served.url}/v1/model"))["limits"]
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(limits["max_upload_bytes"] + 1)
    page.find("photo-file").send_keys(str(path))
    page.says("image-error", "the server takes at most")


def test_wrong_number_is_told_at_its_field_without_asking_the_server(page):
    page.generate(prompt=PROMPT, num_inference_steps=1000)
    assert "From 1 to" in page.text("num_inference_steps-error")
    assert page.js("return document.activeElement.id") == "num_inference_steps"
    assert not [url for url in page.requested() if url.endswith("/v1/jobs")]


def test_field_that_the_server_refuses_is_told_at_its_place(page):
    prompt = "word " * 100
    page.generate(prompt=prompt)
    page.says("prompt-error", "tokens")
    assert page.find("prompt").get_attribute("aria-invalid") == "true"
    assert page.value("prompt") == prompt


def test_key_is_asked_for_and_used(driver, serving_repo):
    with running(settings_for(serving_repo, api_keys="secret")) as locked:
        page = Page(driver, locked.url)
        page.until("!document.getElementById('key').hidden")
        page.find("key-input").send_keys("wrong", Keys.ENTER)
        page.says("key-error", "refused this key")
        page.find("key-input").clear()
        page.find("key-input").send_keys("secret", Keys.ENTER)
        page.ready().generate(prompt=PROMPT)
        page.result()
        assert not page.shown("key")
        assert page.js("return localStorage.length") == 0
        page.reload()
        assert not page.shown("key")
        assert page.complaints() == []


def test_full_queue_names_the_seconds_and_the_button_tries_again(faulty, proxy):
    faulty.ready()
    proxy.faults["POST /v1/jobs"] = [(429, "queue_full", "16 requests wait already", {"Retry-After": "2"})]
    faulty.generate(prompt=PROMPT)
    faulty.says("refusal", "16 requests wait already.")
    faulty.says("refusal", "Try again in 2 s")
    faulty.until("!document.querySelector('#refusal button').disabled")
    faulty.all("#refusal button")[0].click()
    faulty.result()
    assert faulty.text("refusal") == ""


def test_reason_why_the_service_is_not_ready_is_shown_until_it_is(driver, proxy):
    proxy.faults["GET /readyz"] = [(503, "not_ready", "the base is being loaded", {})]
    page = Page(driver, proxy.url)
    page.says("readiness", "The base is being loaded. Trying again")
    assert page.find("generate").get_attribute("aria-disabled") == "true"
    page.ready()
    assert page.find("generate").get_attribute("aria-disabled") == "false"


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [("failed", "out_of_memory", "it does not fit"), ("cancelled", "time_limit", "not done within 300 s")],
)
def test_job_that_the_service_ends_says_why_and_keeps_the_form(faulty, proxy, state, code, message):
    faulty.ready()
    error = {"code": code, "message": message, "param": None, "details": []}
    job = {"id": "1", "state": state, "error": error, "images": [], "warnings": []}
    proxy.faults["GET /v1/jobs/"] = [f"event: {state}\ndata: {json.dumps(job)}\n\n".encode()]
    faulty.generate(prompt=PROMPT)
    faulty.says("failure", message[1:])
    assert faulty.value("prompt") == PROMPT
    faulty.all("#failure button")[0].click()
    faulty.result()


def test_dropped_stream_of_events_does_not_lose_the_job(faulty, proxy):
    faulty.ready()
    proxy.faults["GET /v1/jobs/"] = ["cut"]
    faulty.generate(prompt=PROMPT)
    assert len(faulty.result()) == 1
    assert proxy.faults["GET /v1/jobs/"] == []


def test_service_that_is_away_for_a_while_is_asked_again(faulty, proxy):
    faulty.ready()
    proxy.faults["GET /v1/jobs/"] = ["cut", (502, "failed", "bad gateway", {})]
    faulty.generate(prompt=PROMPT)
    faulty.says("progress-words", "Bad gateway. Trying again")
    assert len(faulty.result()) == 1


def test_job_that_the_service_no_longer_knows_ends_with_a_sentence(page):
    values = {"prompt": PROMPT}
    job = {"id": "gone", "request": values, "values": values, "size": {"width": 64, "height": 64}, "startedAt": 0}
    page.js("sessionStorage.setItem('job', arguments[0])", json.dumps(job))
    page.reload()
    page.until("document.getElementById('failure').textContent !== ''")
    page.reload()
    assert page.text("failure") == ""


def test_ctrl_enter_generates_from_the_prompt(page):
    page.find("prompt").send_keys(PROMPT, Keys.CONTROL, Keys.ENTER)
    page.result()


def test_photo_can_be_dropped_and_pasted(page):
    source = """
        const [kind] = arguments, data = new DataTransfer(), done = arguments[1];
        const canvas = document.createElement('canvas');
        canvas.toBlob((blob) => {
          data.items.add(new File([blob], `${kind}.png`, {type: 'image/png'}));
          const init = {bubbles: true, cancelable: true};
          document.body.dispatchEvent(kind === 'drop' ? new DragEvent('drop', {...init, dataTransfer: data})
                                                      : new ClipboardEvent('paste', {...init, clipboardData: data}));
          done();
        });"""
    for kind in ("drop", "paste"):
        page.driver.execute_async_script(source, kind)
        page.says("photo-words", f"{kind}.png")


SMALL_TARGETS = """
    return [...document.querySelectorAll('button, a[href], input, select, textarea, summary')]
      .filter((e) => e.checkVisibility())
      .map((e) => [e.id || e.className || e.tagName, e.getBoundingClientRect()])
      .filter(([, box]) => box.width < 40 || box.height < 40)
      .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""


def test_phone_scrolls_only_down_and_every_target_is_large_enough_for_a_thumb(page, photo):
    page.look(PHONE)
    page.choose(photo)
    page.set(prompt=PROMPT, seed=2**53 - 4, num_images=2)
    page.generate()
    page.result()
    page.js("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.js("return document.documentElement.scrollWidth") == PHONE[0]
    assert page.js(SMALL_TARGETS) == []


# WCAG 2.2: the contrast of each text with the nearest ground that is not transparent.
WEAK_TEXTS = """
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
    const ground = (e) => {
      const colour = parts(getComputedStyle(e).backgroundColor);
      return colour[3] === 0 ? ground(e.parentElement) : colour;
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), weak = [];
    while (walker.nextNode()) {
      const e = walker.currentNode.parentElement;
      if (!walker.currentNode.textContent.trim() || !e.checkVisibility()) continue;
      const [a, b] = [light(parts(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < 4.5) weak.push(`${walker.currentNode.textContent.trim()}: ${contrast.toFixed(1)}`);
    }
    return [getComputedStyle(document.body).backgroundColor, weak]"""


def test_texts_are_readable_in_light_and_dark(page):
    page.generate(prompt="a car")
    page.result()
    page.set(num_inference_steps=0)
    page.find("generate").click()
    grounds = []
    for scheme in ("light", "dark"):
        page.look(scheme=scheme)
        ground, weak = page.js(WEAK_TEXTS)
        assert weak == []
        grounds.append(ground)
    assert grounds[0] != grounds[1]


def test_every_control_has_a_name_for_screen_readers(page):
    page.generate(prompt=PROMPT)
    page.result()
    nodes = page.cdp("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "textbox", "slider", "combobox", "spinbutton", "link")
    nameless = [
        node["nodeId"]
        for node in nodes
        if node.get("role", {}).get("value") in roles and not node.get("name", {}).get("value")
    ]
    assert nameless == []
