import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline
from PIL import Image, ImageDraw

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.photos.masks import open_mask
from gentra_lora.pictures.engine import to_uint8
from gentra_lora.pictures.limits import MASK_CONTENTS
from gentra_lora.pictures.masks import file_of, fitted_mask, may_change, open_holes, pasted, with_contents
from gentra_lora.pictures.request import fitted
from gentra_lora.pictures.sampling_pipeline import GenerationError
from tests.pictures.test_engine import by_diffusers, levels_apart
from tests.tiny_engine import MIXED, adapter_tensors, load_engine, photo_request, put_on, request, run

ALL = pytest.mark.parametrize("sampler", SAMPLERS)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))


def mask_of(*box, size=(96, 64), soft=None):
    """Return a mask that is white in a box, with a frame of one grey around it where `soft` says which."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    if soft is not None:
        draw.rectangle((box[0] - 4, box[1] - 4, box[2] + 3, box[3] + 3), soft)
    draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), 255)
    return mask


MASK = mask_of(32, 16, 64, 48)


@pytest.fixture(scope="module")
def engine(tiny_base):
    found = load_engine(tiny_base)
    put_on(found, adapter_tensors())
    return found


def masked(**values):
    """Return a request for a part of a photo of noise redrawn."""
    return photo_request(**{"photo": NOISE, "mask": MASK, "mask_sha256": "1" * 64, "width": 96} | values)


@pytest.mark.parametrize(("sampler", "strength"), [("dpmpp_2m", 0.5), ("ddim", 1.0)])
def test_kept_pixels_are_the_photos_byte_for_byte_and_the_others_change(engine, sampler, strength):
    made, photo = engine.pictures([masked(sampler=sampler, strength=strength)])[0], np.array(NOISE)
    kept = np.array(MASK) == 0
    assert np.array_equal(made[kept], photo[kept])
    assert np.abs(made[~kept].astype(int) - photo[~kept]).mean() > 10


def test_kept_pixels_of_another_size_are_those_of_the_photo_at_that_size(engine):
    wanted = masked(width=64, height=72)
    made, photo = engine.pictures([wanted])[0], np.array(fitted(NOISE, 64, 72))
    kept = np.array(fitted_mask(MASK, (64, 72))) == 0
    assert kept.any() and not kept.all()
    assert np.array_equal(made[kept], photo[kept])


@pytest.fixture(scope="module")
def inpaint(tiny_base):
    """What a person would write with diffusers alone."""
    parts = StableDiffusionPipeline.from_pretrained(tiny_base, safety_checker=None, requires_safety_checker=False)
    parts.load_lora_weights(adapter_tensors(), adapter_name="subject")
    pipeline = StableDiffusionInpaintPipeline(**parts.components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@ALL
def test_redrawn_part_is_the_one_that_diffusers_inpaints(tiny_base, engine, inpaint, sampler):
    wanted = masked(sampler=sampler)  # its mask lies on the borders of latents, where both round alike
    latents = engine.encode(wanted)  # diffusers would draw them at random from what the encoder says of a photo
    more = {"mask_image": MASK, "strength": wanted.strength, "width": 96, "height": 64}
    found = by_diffusers(tiny_base, inpaint, wanted, image=latents, masked_image_latents=latents, **more)
    assert levels_apart(engine.pictures([wanted])[0], pasted(to_uint8(found), NOISE, MASK)) <= 1


def mixed(sampler):
    """Return requests with another mask each, and one without."""
    masks = MASK, None, mask_of(0, 0, 50, 30, soft=100)
    rows = zip(MIXED, masks, strict=True)
    return [masked(sampler=sampler, **row, mask=mask, mask_sha256=mask and "1" * 64) for row, mask in rows]


@ALL
def test_picture_beside_others_with_and_without_a_mask_is_the_one_made_alone(engine, sampler):
    requests = mixed(sampler)
    together, alone = engine.pictures(requests), [engine.pictures([one])[0] for one in requests]
    assert max(levels_apart(*pair) for pair in zip(together, alone, strict=True)) <= 1


@ALL
def test_pictures_that_stay_of_a_batch_keep_their_own_photo_and_mask(engine, sampler):
    requests = mixed(sampler)
    whole = run(engine.start(requests))
    batch = engine.start(requests)
    run(batch, steps=1)
    batch.keep([2, 0])
    assert (run(batch) - whole[[2, 0]]).abs().max() < 1e-3


def test_picture_comes_again_bit_by_bit(engine):
    first, again = (engine.pictures([masked(sampler="euler_a")])[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_mask_that_is_white_all_over_is_as_none(engine):
    whole = masked(mask=Image.new("L", (96, 64), 255))
    assert np.array_equal(*engine.pictures([whole, replace(whole, mask=None)]))


def test_preview_shows_what_stays_as_the_photo_is(engine):
    batch = engine.start([masked()])
    batch.step()
    photo, changing = engine.encode(batch.requests[0]), may_change(MASK, (96, 64), engine.vae_factor)
    assert torch.equal(batch.guess[~changing.expand_as(photo)], photo[~changing.expand_as(photo)])
    assert not torch.equal(batch.guess, photo)
    engine.fit_preview(photo[0], engine.pixels(photo[0]))
    assert engine.preview(batch.guess[0]).shape == (16, 24, 3)


def test_grey_mixes_the_photo_with_what_is_drawn(engine):
    soft = mask_of(32, 16, 64, 48, soft=128)
    made = engine.pictures([masked(mask=soft)])[0].astype(int)
    drawn = engine.pictures([masked(mask=soft.point(lambda level: 255 if level else 0))])[0].astype(int)
    frame = np.array(soft) == 128
    assert np.abs(made[frame] - (drawn[frame] * 128 + np.array(NOISE, int)[frame] * 127) / 255).max() <= 1


def test_latent_may_change_where_any_of_its_pixels_may():
    stroke = Image.new("L", (64, 64))
    stroke.putpixel((13, 30), 255)
    found = may_change(stroke, (64, 64), 8)
    assert found.shape == (1, 1, 8, 8)
    assert found.nonzero().tolist() == [[0, 0, 3, 1]]
    assert may_change(None, (64, 32), 8).all()


def test_mask_is_cut_as_its_photo_is_and_pixels_take_the_mean():
    left = mask_of(0, 0, 48, 64)
    assert np.array(fitted_mask(left, (64, 64)))[:, 31:33].tolist() == [[255, 0]] * 64
    assert np.array(fitted_mask(mask_of(0, 0, 3, 4, size=(8, 4)), (4, 2))).tolist() == [[255, 128, 0, 0]] * 2


def test_what_a_jpeg_makes_of_black_and_white_is_black_and_white():
    levels = Image.fromarray(np.array([[0, 7, 8, 128, 247, 248, 255]], np.uint8))
    assert np.array(fitted_mask(levels, levels.size)).tolist() == [[0, 0, 8, 128, 247, 255, 255]]


def file_in(image, kind="PNG", **more):
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer


def test_what_can_be_seen_through_is_what_may_change_where_that_is_asked():
    seen = MASK.convert("RGB")
    seen.putalpha(MASK)
    assert np.array_equal(np.array(open_holes(file_in(seen), "mask")), 255 - np.array(MASK))
    assert not np.array(open_holes(file_in(MASK), "mask")).any()  # no part is transparent


def test_file_of_a_mask_is_read_as_that_mask():
    assert np.array_equal(np.array(open_mask(io.BytesIO(file_of(MASK)), "mask")), np.array(MASK))


def test_text_request_beside_none_needs_no_mask(engine):
    assert engine.start([request()]).kept is None
    assert engine.start([photo_request()]).kept is None


def in_region(**values):
    """Return a request for a part of the photo drawn at 64 px and put back."""
    return masked(**{"width": 64, "height": 64, "mask_padding": 4} | values)


@pytest.mark.parametrize("content", MASK_CONTENTS)
def test_region_is_put_back_into_its_photo_whose_kept_pixels_are_byte_for_byte(engine, content):
    made, photo = engine.pictures([in_region(mask_content=content)])[0], np.array(NOISE)
    kept = np.array(MASK) == 0
    assert made.shape == photo.shape
    assert np.array_equal(made[kept], photo[kept])
    assert np.abs(made[~kept].astype(int) - photo[~kept]).mean() > 10


def test_region_is_the_picture_that_is_drawn_of_its_part_of_the_photo_alone(engine):
    """40 x 40 px around the white are redrawn as they would be if they were the photo, but for what holds them."""
    box = 28, 12, 68, 52
    made = engine.pictures([in_region()])[0]
    part, mask = (image.crop(box) for image in (NOISE, MASK))
    size = 64, 64
    sized = part.resize(size, Image.Resampling.LANCZOS), mask.resize(size, Image.Resampling.BOX)
    alone = engine.pictures([masked(width=64, photo=sized[0], mask=sized[1])])[0]
    back = np.array(Image.fromarray(alone).resize((40, 40), Image.Resampling.LANCZOS)).astype(int)
    white = np.array(mask) == 255
    assert np.abs(made[12:52, 28:68].astype(int) - back)[white].max() <= 40  # their borders, scaled
    assert np.abs(made[20:44, 36:60].astype(int) - back[8:32, 8:32]).max() <= 1


def test_pictures_of_each_content_beside_one_another_are_those_made_alone(engine):
    requests = [in_region(mask_content=content, seed=3) for content in MASK_CONTENTS]
    together, alone = engine.pictures(requests), [engine.pictures([one])[0] for one in requests]
    assert max(levels_apart(*pair) for pair in zip(together, alone, strict=True)) <= 1
    assert min(levels_apart(*pair) for pair in itertools.combinations(together, 2)) > 2


def test_what_may_change_begins_as_it_is_asked_and_the_rest_as_the_photo():
    photos, noise = torch.ones(4, 4, 2, 2), torch.full((4, 4, 2, 2), 5.0)
    changing = torch.zeros(4, 1, 2, 2, dtype=torch.bool)
    changing[:, :, 0] = True
    found = with_contents(photos, noise, changing, ["original", "fill", "noise", "nothing"])
    assert found[:, :, 1].eq(1).all()
    assert found[:, 0, 0, 0].tolist() == [1, 1, 5, 0]  # a filled photo was filled before it was encoded


def test_surroundings_are_all_that_a_filled_part_begins_with(engine):
    other = NOISE.copy()
    other.paste((255, 0, 0), MASK.getbbox())
    made = [engine.pictures([masked(photo=photo, mask_content="fill")])[0] for photo in (NOISE, other)]
    assert np.array_equal(*made)


@pytest.mark.parametrize("values", [{"mask_padding": 3}, {"mask_content": "noise"}])
def test_what_is_said_of_a_mask_is_refused_without_one(values):
    with pytest.raises(GenerationError, match=f"^{next(iter(values))}: is of a mask, and there is none"):
        photo_request(**values)
