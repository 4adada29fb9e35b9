import pytest
from PIL import Image

from gentra_lora.pictures.request import steps_of
from gentra_lora.service.bodies.uploads import Upload
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.resolve import check_texts, followed, resolve, warnings_of
from gentra_lora.service.jobs.schemas import ImageToImage, TextToImage
from gentra_lora.service.settings import ServiceSettings

DEFAULTS = {
    "width": 512,
    "height": 512,
    "num_inference_steps": 25,
    "guidance_scale": 7.5,
    "lora_scale": 1.0,
    "strength": 0.5,
}
SETTINGS = ServiceSettings(max_side=768, max_pixels=768 * 512, max_images=4)


def asked(**values):
    return resolve(TextToImage(prompt="a gentra", **values), DEFAULTS, SETTINGS)


def redrawn(size=(400, 300), **values):
    upload = Upload(Image.new("RGB", size), "0" * 64)
    return resolve(ImageToImage(prompt="a gentra", **values), DEFAULTS, SETTINGS, upload)


def test_what_is_left_out_is_as_the_revision_was_evaluated():
    (request,) = asked()
    assert (request.width, request.height, request.num_inference_steps) == (512, 512, 25)
    assert (request.guidance_scale, request.lora_scale, request.sampler) == (7.5, 1.0, "dpmpp_2m")
    assert request.strength is None


def region(size, mask=(10, 10, 20, 20), **values):
    """Return the requests for a region of a photo."""
    white = Image.new("L", size)
    white.paste(255, mask)
    upload = Upload(Image.new("RGB", size), "0" * 64, white, "1" * 64)
    return resolve(ImageToImage(prompt="a gentra", mask_padding=8, **values), DEFAULTS, SETTINGS, upload)


def test_region_has_the_trained_size_and_its_photo_stays_whole():
    (request,) = region((400, 300))
    assert (request.size, request.picture_size, request.region) == ((512, 512), (400, 300), (2, 2, 28, 28))
    assert (request.photo.size, request.mask.size) == ((400, 300), (400, 300))


def test_region_of_a_photo_that_is_too_large_to_keep_is_refused():
    region((1536, 1024))
    with pytest.raises(ServiceError, match="mask_padding puts what is drawn back .* at most 1572864 pixels"):
        region((1536, 1025))
    few = SETTINGS.model_copy(update={"max_sweep": 4})
    white = Image.new("L", (1536, 1024), 255)
    upload = Upload(Image.new("RGB", white.size), "0" * 64, white, "1" * 64)
    with pytest.raises(ServiceError, match="in 2 pictures; ask for fewer at once"):
        resolve(ImageToImage(prompt="a", mask_padding=0, num_images=2), DEFAULTS, few, upload)


def test_drawn_seeds_differ_and_fit_what_browsers_count_exactly():
    seeds = {asked()[0].seed for _ in range(20)}
    assert len(seeds) == 20
    assert max(seeds) < 2**53


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"width": 776}, "width"),
        ({"height": 776}, "height"),
        ({"width": 768, "height": 520}, "width"),
        ({"num_images": 5}, "num_images"),
        ({"seed": 2**53 - 2, "num_images": 3}, "seed"),
    ],
)
def test_more_than_this_service_makes_is_refused_with_its_limit(values, field):
    with pytest.raises(ServiceError, match="at most|above") as refused:
        asked(**values)
    assert (refused.value.status, refused.value.param) == (422, field)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 50, 100])
@pytest.mark.parametrize("strength", [0.001, 0.04, 0.29, 0.3, 0.5, 0.99, 1.0])
def test_strength_that_leaves_no_step_is_refused_and_the_minimum_that_is_told_is_taken(steps, strength):
    if steps_of(steps, strength) >= 1:
        assert redrawn(num_inference_steps=steps, strength=strength)[0].steps_run >= 1
        return
    with pytest.raises(ServiceError, match="less than one step") as refused:
        redrawn(num_inference_steps=steps, strength=strength)
    assert refused.value.param == "strength"
    least = float(refused.value.message.split("at least ")[1].split()[0])
    assert redrawn(num_inference_steps=steps, strength=least)[0].steps_run >= 1


def test_sweep_is_row_by_row_with_the_same_seeds():
    found = redrawn(lora_scales=[0, 1], strengths=[0.4, 0.8], num_images=2, seed=7)
    assert [(one.lora_scale, one.strength, one.seed) for one in found] == [
        (scale, strength, seed) for scale in (0, 1) for strength in (0.4, 0.8) for seed in (7, 8)
    ]
    assert [one.lora_scale for one in asked(lora_scales=[0.5, 0])] == [0.5, 0]


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"lora_scales": [0, 1], "lora_scale": 0.5}, "lora_scales", "stands beside lora_scale 0.5; give one"),
        ({"strengths": [0.4], "strength": 0.5}, "strengths", "stands beside strength 0.5; give one"),
        ({"strengths": [0.5, 0.001]}, "strengths", "less than one step"),
        ({"lora_scales": [1] * 13, "num_images": 2}, "lora_scales", "makes it 26 pictures; .* at most 25"),
    ],
)
def test_sweep_that_cannot_be_is_refused_by_its_axis(values, field, words):
    with pytest.raises(ServiceError, match=f"^{field} .*{words}") as refused:
        redrawn(**values)
    assert refused.value.param == field


def test_steps_are_counted_without_the_rounding_of_floats():
    assert redrawn(num_inference_steps=100, strength=0.29)[0].steps_run == 29


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (64, 64), (1, 1), (10, 9000), (9000, 10), (67, 61)])
def test_photos_size_is_snapped_to_whole_units_within_the_limits(size):
    (request,) = redrawn(size)
    assert request.photo.size == (request.width, request.height)
    for side in request.photo.size:
        assert side % 8 == 0
        assert 64 <= side <= 768


def test_size_that_was_asked_of_a_photo_is_made():
    assert redrawn(width=256, height=512)[0].photo.size == (256, 512)


def test_one_side_alone_is_refused():
    with pytest.raises(ServiceError, match="height is missing; give both sides or none"):
        redrawn(width=256)


def test_prompt_beyond_the_token_limit_is_refused_with_what_would_be_lost(tokenizer):
    with pytest.raises(ServiceError, match="more than 38 tokens: 'gentra' would not be seen") as refused:
        check_texts(TextToImage(prompt="a" * 38 + "gentra"), tokenizer)
    assert refused.value.param == "prompt"
    with pytest.raises(ServiceError, match="negative_prompt has more than"):
        check_texts(TextToImage(prompt="a", negative_prompt="a" * 60), tokenizer)
    check_texts(TextToImage(prompt="a" * 38), tokenizer)


def test_long_end_of_a_prompt_is_cut_in_the_message(tokenizer):
    with pytest.raises(ServiceError) as refused:
        check_texts(TextToImage(prompt="words and " * 100), tokenizer)
    assert len(refused.value.message) < 200
    assert "</w>" not in refused.value.message


def test_trigger_word_is_missed_as_a_whole_word_in_any_case():
    assert warnings_of(asked(), "gentra") == []
    assert warnings_of(asked(), "GENTRA") == []
    assert "lacks the trigger word 'gen'" in warnings_of(asked(), "gen")[0]


def test_adapters_own_tag_says_its_strength_and_leaves_the_prompt():
    body = followed(TextToImage(prompt="a gentra <lora:niva:0.3>, side view"), "niva")
    assert (body.prompt, body.lora_scale) == ("a gentra, side view", 0.3)
    same = TextToImage(prompt="a gentra <lora:niva:0.3>", lora_scale=0.3)
    assert followed(same, "niva").lora_scale == 0.3
    assert followed(TextToImage(prompt="a gentra"), "niva").lora_scale is None


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"prompt": "a gentra <lora:niva:0.3>", "lora_scale": 0.8}, "lora_scale", "is 0.8, and the prompt's tag says"),
        ({"prompt": "a gentra <lora:niva:3>"}, "prompt", "strength 3; from 0 to 2"),
        ({"prompt": "a gentra <lora:other:1>"}, "prompt", "the adapter here is niva"),
        ({"prompt": "<lora:niva:1>"}, "prompt", "is empty but for"),
        ({"prompt": "a (red:1.3) gentra"}, "prompt", "a weight"),
        ({"prompt": "a gentra", "negative_prompt": "(blurred:1.4)"}, "negative_prompt", "a weight"),
    ],
)
def test_notation_that_cannot_be_followed_is_refused_by_its_field(values, field, message):
    with pytest.raises(ServiceError, match=message) as refused:
        followed(TextToImage(**values), "niva")
    assert (refused.value.status, refused.value.param) == (422, field)


def test_single_brackets_are_named_in_a_warning():
    requests = resolve(TextToImage(prompt="a gentra (in snow)"), DEFAULTS, SETTINGS)
    assert "'(in snow)' stress nothing" in warnings_of(requests, "gentra")[0]
