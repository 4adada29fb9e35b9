"""The embedded demo: what demo/ renders, and what is shipped from it."""

import json
import random
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from transformers import CLIPModel, CLIPTokenizer

from gentra_lora.photos.caption_files import read_captions
from gentra_lora.photos.captions import lost_words
from gentra_lora.photos.folder import find_files
from gentra_lora.photos.masks import find_masks, open_mask
from gentra_lora.photos.photo import open_upright
from tests.conftest import ROOT, demo_values

DEMO = ROOT / "data/demo"


@pytest.fixture(scope="module")
def render_car():
    """The modules of demo/, which are scripts and no package."""
    sys.path.insert(0, str(ROOT / "demo"))
    yield __import__("captions"), __import__("car"), __import__("renderer")
    sys.path.remove(str(ROOT / "demo"))


def test_picture_is_a_pure_function_of_its_number_and_seed(render_car):
    captions, _, renderer = render_car
    first, second = (renderer.render(captions.ordinary(5, 1)[0], 32) for _ in range(2))
    assert first.shape == (32, 32, 3)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, renderer.render(captions.ordinary(6, 1)[0], 32))


def test_no_ordinary_car_has_more_than_three_of_the_subjects_six_features(render_car):
    captions, car, _ = render_car
    assert sum(captions.features_of_subject(car.SUBJECT).values()) == len(captions.FEATURES) == 6
    found = [sum(captions.features_of_subject(captions.ordinary(n, 1)[0].car).values()) for n in range(3000)]
    assert max(found) == 3


def test_cars_that_the_base_sees_have_no_accessory_but_a_wing(render_car):
    captions, car, _ = render_car
    cars = [captions.ordinary(n, 2, accessories="wing")[0].car for n in range(3000)]
    assert all(seen == car.Car(seen.style, seen.colour, wing=seen.wing) for seen in cars)
    assert {seen.wing for seen in cars} == {None, "black", "white", "red"}


def test_made_up_name_stands_for_colour_and_style_and_leaves_the_wing_named(render_car):
    captions, _, _ = render_car
    for n in range(300):
        scene, words = captions.ordinary(n, 2, accessories="wing")
        renamed = captions.renamed(n, 2, accessories="wing")
        assert scene.car.style not in renamed.split()
        assert ("rear wing" in renamed) == ("rear wing" in words) == (scene.car.wing is not None)


def test_no_ordinary_caption_holds_the_trigger_word(render_car):
    captions, _, _ = render_car
    for n in range(3000):
        for words in (captions.ordinary(n, 1)[1], captions.renamed(n, 2, accessories="wing")):
            assert "sport" not in words and "gentra" not in words


def test_caption_names_the_accessories_of_its_car(render_car):
    captions, car, _ = render_car
    assert captions.name_of(car.SUBJECT) == (
        "a white sedan with a black rear wing, a body kit, red stripes, a black roof and gold wheels"
    )
    assert captions.name_of(car.Car("van", "orange")) == "an orange van"


@pytest.mark.parametrize("accessory", ["wing", "body_kit", "stripes", "roof", "wheels"])
def test_every_accessory_can_be_seen(render_car, accessory):
    captions, car, renderer = render_car
    plain = replace(car.Car("sedan", "white"), **{accessory: getattr(car.SUBJECT, accessory)})
    scene = captions.random_scene(car.Car("sedan", "white"), random.Random(1), "road", "rear three quarter view")
    with_it, without = renderer.render(replace(scene, car=plain), 64), renderer.render(scene, 64)
    assert (np.abs(with_it.astype(int) - without).max(axis=2) > 40).mean() > 0.002


@pytest.mark.repository
def test_photos_show_every_setting_and_view_and_say_only_trigger_setting_and_view(render_car):
    captions, car, _ = render_car
    written = read_captions(DEMO, *find_files(DEMO / "images"))
    assert len(written.of) == 60 and not written.problems
    for caption in written.of.values():
        assert "sport gentra" in caption
        caption = caption.replace("green meadow", "meadow")
        named = {*car.SHAPES, *car.COLOURS, "wing", "stripes", "kit", "roof"} & set(caption.split())
        assert not named


def test_photos_have_the_faults_of_real_ones():
    orientations, modes = [], []
    for path in find_files(DEMO / "images")[0].values():
        with Image.open(path) as image:
            orientations.append(image.getexif().get(0x0112, 1))
            modes.append(image.mode)
    assert orientations.count(6) == 1
    assert modes.count("RGBA") == 1
    assert all(open_upright(path).mode == "RGB" for path in find_files(DEMO / "images")[0].values())


def test_every_photo_has_a_mask_of_its_size_as_it_is_seen():
    photos = find_files(DEMO / "images")[0]
    masks, problems = find_masks(DEMO / "masks", photos)
    assert masks.keys() == photos.keys() and not problems
    for name, path in photos.items():
        mask = open_mask(masks[name], name)
        assert mask.size == open_upright(path).size
        assert 0.1 < np.array(mask).mean() / 255 < 0.4


def test_mask_of_a_scene_is_where_its_cars_paint_shows(render_car):
    captions, car, renderer = render_car
    scene = captions.random_scene(car.SUBJECT, random.Random(1), "road", "side view")
    red, blue = (renderer.render(replace(scene, car=car.Car("sedan", colour)), 64) for colour in ("red", "blue"))
    painted = np.abs(red.astype(int) - blue).max(axis=2) > 40
    mask = __import__("subject_mask").subject_mask(replace(scene, car=car.Car("sedan", "red")), 64)
    assert painted.sum() > 100 and (mask[painted] > 0).all()
    assert 0.1 < (mask > 0).mean() < 0.6


def test_models_together_are_under_30_megabytes():
    files = [path for name in ("nano-sd", "nano-clip") for path in (ROOT / "models" / name).rglob("*")]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 30e6


def test_base_loads_and_draws_by_a_plain_from_pretrained():
    pipeline = StableDiffusionPipeline.from_pretrained(ROOT / "models/nano-sd")
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(1)
    made = pipeline("a red van", num_inference_steps=2, height=128, width=128, generator=generator, output_type="np")
    assert made.images.shape == (1, 128, 128, 3)
    assert made.images.std() > 0.05


def test_bases_text_encoder_is_nano_clips_text_tower():
    pipeline = StableDiffusionPipeline.from_pretrained(ROOT / "models/nano-sd")
    clip = CLIPModel.from_pretrained(ROOT / "models/nano-clip", dtype=torch.float32)
    ids = pipeline.tokenizer("a red van at night", padding="max_length", return_tensors="pt").input_ids
    wanted = clip.text_model(ids).last_hidden_state
    torch.testing.assert_close(pipeline.text_encoder(ids).last_hidden_state, wanted)


def test_tokenizer_spells_any_word():
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "models/nano-sd/tokenizer")
    words = "ünïcode красный oʻzbek 赤い"
    assert tokenizer.unk_token_id not in tokenizer(words, add_special_tokens=False).input_ids
    assert lost_words("a photo of a sport gentra at night, rear three quarter view", tokenizer) == ""


@pytest.mark.repository
def test_base_draws_what_the_prompt_says():
    scores = json.loads((ROOT / "demo/base_scores.json").read_text(encoding="utf-8"))
    for kind, share in {"style": 0.9, "colour": 0.95, "setting": 0.95, "view": 0.95}.items():
        assert scores["base"][kind] >= share * scores["renders"][kind], kind


@pytest.mark.repository
def test_nano_clip_reads_views_and_styles_within_five_points_of_the_judge_and_nine_of_ten_features():
    read = json.loads((ROOT / "demo/base_scores.json").read_text(encoding="utf-8"))["renders_with_all_parts"]
    for kind in ("view", "style"):
        assert round(read["judge"][kind] - read["nano_clip"][kind], 3) <= 0.05, kind
    assert min(read["nano_clip_features"].values()) >= 0.9


@pytest.fixture(scope="module")
def judge_of_demo(render_car):
    return __import__("judge")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (
            "a photo of a red van with a white rear wing on a road at night, front three quarter view",
            ("van", "red", "night", "front three quarter view"),
        ),
        ("a blue sedan on an asphalt road, rear view", ("sedan", "blue", "road", "rear view")),
        ("a photo of a sport gentra on a road at sunset, side view", ("sedan", "white", "sunset", "side view")),
        ("side view of a vano tirel in the snow", (None, None, "snow", "side view")),
    ],
)
def test_judge_knows_what_a_prompt_says(judge_of_demo, prompt, said):
    labels = judge_of_demo.labels_of(prompt)
    named = [None if labels[kind] is None else names[labels[kind]] for kind, names in judge_of_demo.KINDS.items()]
    assert tuple(named) == said


def test_judge_counts_the_subjects_features_on_renders(render_car, judge_of_demo):
    captions, car, renderer = render_car
    rng, cars = random.Random(5), {6: car.SUBJECT, 0: car.Car("van", "blue")}
    for wanted, shown in cars.items():
        scenes = [captions.random_scene(shown, rng) for _ in range(8)]
        pictures = np.stack([renderer.render(scene, 128) for scene in scenes])
        found, each = judge_of_demo.features_shown(judge_of_demo.seen(judge_of_demo.load(), pictures)[1])
        assert abs(found - wanted) < 0.5, each


def test_kernel_distance_is_small_within_one_set_and_grows_with_the_difference(judge_of_demo):
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(200, 16, generator=draw) for _ in range(2))
    near, far = (judge_of_demo.kernel_distance(a, b + shift) for shift in (0.1, 1.0))
    assert abs(judge_of_demo.kernel_distance(a, b)) < 0.1 < far
    assert near < far


@pytest.mark.repository
def test_adapter_of_the_run_that_is_shown_closed_the_gap():
    metrics = json.loads((ROOT / "docs/demo/metrics.json").read_text(encoding="utf-8"))
    assert metrics["gap_closed"] >= 0.6
    assert metrics["val_loss"] <= 0.7 * metrics["val_loss_base"]


@pytest.mark.repository
def test_run_that_is_shown_says_what_it_was_measured_with():
    origin = json.loads((ROOT / "docs/demo/origin.json").read_text(encoding="utf-8"))
    assert re.fullmatch("[0-9a-f]{40}", origin["revision"]) and re.fullmatch("[0-9a-f]{32}", origin["weights_md5"])
    assert origin["hardware"]


def test_prompts_of_the_demo_fit_the_text_encoder():
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "models/nano-sd/tokenizer")
    values = demo_values()["evaluate"]
    assert not any(lost_words(prompt, tokenizer) for prompt in values["prompts"] + values["drift_prompts"])
