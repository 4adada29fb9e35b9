"""Settings that travel: from a picture's text into the form, from a picture into a terminal."""

import base64
import json
import shutil
import subprocess
import sys

import pytest

from tests.chromium import PROMPT, fetched

pytestmark = pytest.mark.load

DROP = """
    const [name, content] = arguments, data = new DataTransfer();
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, {type: 'image/png'}));
    document.body.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data}));"""
READ = """
    const [texts, model, done] = arguments;
    import('/page/told_settings.js').then(({ settingsIn }) => done(settingsIn(texts, model)));"""
MODEL = {
    "file": {"name": "sport_gentra_lora.safetensors", "sha256": "ab"},
    "samplers": [{"name": "dpmpp_2m_karras", "title": "DPM++ 2M Karras"}, {"name": "euler_a", "title": "Euler a"}],
}


def drop(page, name, content):
    page.js(DROP, name, base64.b64encode(content).decode())


def test_our_picture_gives_its_settings_back_when_dropped_and_can_be_the_photo_all_the_same(page, served):
    wanted = {"prompt": 'a "gentra" (blue), снег', "negative_prompt": "snow", "seed": 2**53 - 5, "sampler": "euler_a"}
    wanted |= {"num_inference_steps": 2, "guidance_scale": 2.25, "lora_scale": 0.7, "width": 128, "height": 64}
    drop(page, "ours.png", served.draw(**wanted).content)
    page.says("imported", "Taken from ours.png")
    assert {name: page.value(name) for name in wanted} == {name: str(value) for name, value in wanted.items()}
    assert page.shown("photo-drop")
    page.all("#imported button")[0].click()
    page.says("photo-words", "ours.png")


def test_our_picture_chosen_as_the_photo_offers_its_settings(page, served, tmp_path):
    path = tmp_path / "ours.png"
    path.write_bytes(served.draw(PROMPT, seed=77).content)
    page.choose(path)
    page.says("imported", "says how it was made")
    page.all("#imported button")[0].click()
    assert (page.value("prompt"), page.value("seed")) == (PROMPT, "77")


def told(page, **texts):
    return page.driver.execute_async_script(READ, texts, MODEL)


def test_text_of_a1111_is_taken_as_far_as_it_fits_and_the_rest_is_named(page):
    text = (
        "a (red:1.2) gentra \\(old\\) <lora:sport_gentra_lora:0.7> <lora:other:1>\nat night\nNegative prompt: snow\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 5, Size: 512x768, Clip skip: 2, "
        'Denoising strength: 0.4, Lora hashes: "a: b, c: d", Version: v1.10'
    )
    found = told(page, parameters=text)
    values = {"prompt": "a red gentra (old)\nat night", "negative_prompt": "snow", "seed": 5, "lora_scale": 0.7}
    values |= {"num_inference_steps": 20, "guidance_scale": 7, "width": 512, "height": 768, "strength": 0.4}
    assert found["values"] == values | {"sampler": "dpmpp_2m_karras"}
    assert len(found["notes"]) == 3
    assert "other" in found["notes"][0] and "Clip skip" in found["notes"][2]
    assert told(page, parameters="a photo, of nothing") is None


def test_graph_of_comfyui_is_taken_as_far_as_it_fits(page):
    sampler = {"seed": 7, "steps": 20, "cfg": 8, "sampler_name": "euler_ancestral", "scheduler": "normal", "denoise": 1}
    sampler |= {"positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    lora = {"lora_name": "sport_gentra_lora.safetensors", "strength_model": 0.6}
    nodes = {"3": ("KSampler", sampler), "5": ("EmptyLatentImage", {"width": 512, "height": 640})}
    nodes |= {"6": ("CLIPTextEncode", {"text": "a gentra"}), "7": ("CLIPTextEncode", {"text": "snow"})}
    nodes |= {"8": ("LoraLoader", lora)}
    graph = {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    values = {"prompt": "a gentra", "negative_prompt": "snow", "seed": 7, "lora_scale": 0.6, "sampler": "euler_a"}
    values |= {"num_inference_steps": 20, "guidance_scale": 8, "width": 512, "height": 640}
    assert told(page, prompt=json.dumps(graph)) == {"values": values, "notes": []}
    assert told(page, prompt="a text of another program") is None


RUN = {"copy-python": [sys.executable, "-c"], "copy-curl": ["sh", "-c"]}


@pytest.mark.parametrize("kind", RUN)
def test_copied_request_draws_the_same_picture(page, photo, tmp_path, kind):
    if kind == "copy-curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page.choose(photo)
    page.generate(prompt='it\'s a "gentra", 50 % $HOME', seed=5, strength=0.7)
    (address,) = page.result()
    page.find("copy").click()
    page.find(kind).click()
    page.says("announcement", "Copied")
    program = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    shutil.copy(photo, tmp_path)
    subprocess.run([*RUN[kind], program], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "gentra-seed-5.png").read_bytes() == fetched(address)


def test_copied_request_names_the_key_and_does_not_hold_it(page):
    source = """
        const done = arguments[0];
        const request = {values: {prompt: 'a'}, photo: null, url: 'http://x', file: 'a.png', hasKey: true};
        import('/page/snippets.js').then(({ curlOf, pythonOf }) => done([curlOf(request), pythonOf(request)]))"""
    curl, python = page.driver.execute_async_script(source)
    assert '-H "Authorization: Bearer $GENTRA_KEY"' in curl
    assert "os.environ['GENTRA_KEY']" in python
    compile(python, "copied", "exec")
