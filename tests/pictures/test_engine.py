import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.photos.photo import open_upright
from gentra_lora.pictures import engine as picture_engine
from gentra_lora.pictures.engine import NotFiniteError, most_at_once, to_uint8
from gentra_lora.pictures.sampling_pipeline import GenerationError, generators
from tests.conftest import ROOT
from tests.tiny_engine import adapter_tensors, load_engine, photo_request, put_on, request, run


@pytest.fixture(scope="module")
def tensors():
    return adapter_tensors()


@pytest.fixture(scope="module")
def engine(tiny_base, tensors):
    found = load_engine(tiny_base)
    put_on(found, tensors)
    return found


@pytest.fixture
def fresh(tiny_base):
    """An engine that a test may break."""
    return load_engine(tiny_base)


@pytest.fixture(scope="module")
def pipeline(tiny_base, tensors):
    """What a person would write with diffusers alone."""
    found = StableDiffusionPipeline.from_pretrained(tiny_base, safety_checker=None, requires_safety_checker=False)
    found.load_lora_weights(tensors, adapter_name="subject")
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def img2img(pipeline):
    found = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    found.set_progress_bar_config(disable=True)
    return found


def by_diffusers(base, pipeline, wanted, **more):
    pipeline.set_adapters("subject", wanted.lora_scale)
    sampler = SAMPLERS[wanted.sampler]
    config = DDIMScheduler.load_config(base, subfolder="scheduler")
    pipeline.scheduler = sampler.kind.from_config(config, timestep_spacing="trailing", **sampler.options)
    return pipeline(
        wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        num_inference_steps=wanted.num_inference_steps,
        guidance_scale=wanted.guidance_scale,
        generator=generators([wanted.seed])[0],
        output_type="np",
        **more,
    ).images[0]


def levels_apart(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max()


def picture(engine, **values):
    return engine.pictures([request(**values)])[0]


@pytest.mark.parametrize("lora_scale", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_picture_of_a_prompt_is_the_one_that_diffusers_makes(tiny_base, engine, pipeline, sampler, lora_scale):
    wanted = request(sampler=sampler, lora_scale=lora_scale, negative_prompt="rain")
    found = by_diffusers(tiny_base, pipeline, wanted, width=wanted.width, height=wanted.height)
    assert levels_apart(engine.pictures([wanted])[0], to_uint8(found)) <= 1


@pytest.mark.parametrize("lora_scale", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_picture_of_a_photo_is_the_one_that_diffusers_makes(tiny_base, engine, img2img, sampler, lora_scale):
    wanted = photo_request(sampler=sampler, lora_scale=lora_scale)
    # Its latents, since diffusers would draw them at random from what the encoder says of a photo.
    found = by_diffusers(tiny_base, img2img, wanted, image=engine.encode(wanted), strength=wanted.strength)
    assert levels_apart(engine.pictures([wanted])[0], to_uint8(found)) <= 1


def test_picture_need_not_be_square(tiny_base, engine, pipeline):
    wanted = request(width=96, height=64)
    found = by_diffusers(tiny_base, pipeline, wanted, width=96, height=64)
    made = engine.pictures([wanted])[0]
    assert made.shape == (64, 96, 3)
    assert levels_apart(made, to_uint8(found)) <= 1


def test_scale_zero_is_bit_exactly_the_base(engine, fresh):
    assert np.array_equal(picture(engine, lora_scale=0.0), picture(fresh))
    assert levels_apart(picture(engine, lora_scale=1.0), picture(fresh)) > 10


def test_first_picture_comes_again_after_others(engine):
    first = picture(engine)
    picture(engine, lora_scale=0.3, prompt="a van", seed=5)
    engine.pictures([request(lora_scale=0.0), request(lora_scale=0.9)])
    engine.pictures([photo_request(sampler="euler_a")])
    assert np.array_equal(picture(engine), first)


def test_first_adapter_gives_its_pictures_again_after_another(fresh, tensors):
    put_on(fresh, tensors)
    first = picture(fresh)
    put_on(fresh, adapter_tensors(3.0))
    assert levels_apart(picture(fresh), first) > 10
    put_on(fresh, tensors)
    assert np.array_equal(picture(fresh), first)


def test_more_pictures_than_fit_at_once_are_made_in_turns(engine, monkeypatch):
    requests = [request(seed=seed) for seed in (1, 2, 3)]
    at_once = engine.pictures(requests)
    monkeypatch.setattr(picture_engine, "MOST_PICTURES", 2)
    in_turns = engine.pictures(requests)
    assert len(in_turns) == 3
    assert all(levels_apart(*pair) <= 1 for pair in zip(at_once, in_turns, strict=True))


def test_larger_pictures_are_fewer_at_once():
    sides = (64, 512, 768, 2048)
    assert [most_at_once(request(width=side, height=side)) for side in sides] == [16, 4, 2, 1]


def test_repeated_prompt_is_embedded_once(fresh):
    calls = []
    fresh.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    fresh.pictures([request(prompt=prompt) for prompt in ("a car", "a van", "a car")])
    picture(fresh, prompt="a van", seed=9)
    assert len(calls) == 3  # with the empty negative prompt


def test_kept_embeddings_are_bounded_and_the_latest_stay(fresh, monkeypatch):
    monkeypatch.setattr(picture_engine, "PROMPTS_KEPT", 3)
    for number in range(5):
        fresh.embed("often")
        fresh.embed(f"car {number}")
    assert list(fresh._embeds) == ["car 3", "often", "car 4"]


def test_embedding_is_the_same_when_it_is_computed_again(fresh):
    first = fresh.embed("a car")
    fresh._embeds.clear()
    assert torch.equal(fresh.embed("a car"), first)


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_text_that_would_be_cut_is_refused_with_the_lost_words(engine, name):
    with pytest.raises(GenerationError, match="the text encoder would not see 'xyz'"):
        engine.start([request(**{name: "a" * 38 + "xyz"})])


def test_white_space_beyond_the_limit_is_cut_silently(engine):
    assert engine.embed("a" * 38 + "\x1c\x1c").shape == (40, 32)


def overflowing(engine):
    """Make the autoencoder's first values too large for float16, and the same as before for float32."""
    vae = engine.vae
    with torch.no_grad():
        for parameter in vae.post_quant_conv.parameters():
            parameter *= 2.0**20
        vae.decoder.conv_in.weight /= 2.0**20
    return engine


def decodings_of(engine):
    """Return a list that grows by the dtype of each decoding."""
    dtypes = []
    engine.vae.decoder.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    return dtypes


def test_picture_that_overflows_in_half_precision_is_decoded_again(fresh):
    latents = run(fresh.start([request()]))[0]
    wanted, fresh.decoding = fresh.pixels(latents), [torch.float16, torch.float32]
    dtypes = decodings_of(overflowing(fresh))
    assert np.array_equal(fresh.pixels(latents), wanted)
    assert dtypes == [torch.float16, torch.float32]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_picture_that_half_precision_can_hold_is_decoded_once(fresh, dtype):
    latents = run(fresh.start([request()]))[0]
    wanted, fresh.decoding = fresh.pixels(latents), [dtype, torch.float32]
    dtypes = decodings_of(fresh)
    found = fresh.pixels(latents)
    assert dtypes == [dtype]
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 0.05


def test_picture_that_is_finite_in_no_precision_is_an_error_not_a_black_picture(fresh):
    torch.nn.init.constant_(fresh.vae.decoder.conv_out.bias, float("nan"))
    fresh.decoding = [torch.float16, torch.float32]
    with pytest.raises(NotFiniteError, match="not finite; try another seed"):
        fresh.pixels(torch.zeros(4, 16, 16))


def test_half_precision_denoiser_works_with_the_float32_autoencoder(tiny_base, tensors, engine):
    half = load_engine(tiny_base, "bf16")
    put_on(half, tensors)
    for sampler in SAMPLERS:
        for wanted in (request(sampler=sampler), photo_request(sampler=sampler)):
            batch = half.start([wanted, wanted])
            assert run(batch).dtype == torch.bfloat16
            assert half.pixels(batch.latents[0]).shape == (64, 64, 3)
    assert np.abs(picture(half).astype(int) - picture(engine)).mean() < 10
    assert {parameter.dtype for parameter in half.vae.parameters()} == {torch.float32}


def test_preview_is_of_the_latents_size_and_resembles_the_picture():
    nano = load_engine(ROOT / "models/nano-sd")  # an autoencoder that was trained, as random ones say nothing
    photos = [open_upright(ROOT / f"data/demo/images/gentra{number}.jpg") for number in (1, 10, 11)]
    latents = [nano.encode(photo_request(photo=photo, width=128, height=128))[0] for photo in photos]
    nano.fit_preview(latents[0], nano.pixels(latents[0]))
    for row in latents:
        found, small = nano.preview(row), nano.pixels(row).reshape(32, 4, 32, 4, 3).mean((1, 3))
        assert (found.shape, found.dtype) == ((32, 32, 3), np.uint8)
        assert np.corrcoef(found.ravel(), small.ravel())[0, 1] > 0.9


def test_preview_of_broken_latents_is_a_picture_still(engine):
    latents = torch.full((4, 16, 16), float("nan"))
    engine.fit_preview(torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(0)), np.ones((64, 64, 3)))
    assert engine.preview(latents).shape == (16, 16, 3)


def test_values_become_the_nearest_levels():
    assert to_uint8(np.array([-0.1, 0.0, 0.5, 0.9999, 1.2])).tolist() == [0, 0, 128, 255, 255]


def test_strength_without_a_photo_is_refused(engine):
    with pytest.raises(GenerationError, match="strength: 0.5 redraws a photo, and there is none"):
        engine.start([request(strength=0.5)])
