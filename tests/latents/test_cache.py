import os
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gentra_lora.base.model import BaseSource, load_text_encoder, load_tokenizer, load_vae
from gentra_lora.latents.cache import CropSettings, LatentCache, content_of
from gentra_lora.latents.posteriors import LatentsError
from gentra_lora.photos.manifest import Row
from gentra_lora.photos.photo import sha256_of

SETTINGS = CropSettings(variants=3, min_scale=0.5, flip=False)


@pytest.fixture
def models(tiny_base):
    source = BaseSource(str(tiny_base))
    return {
        "vae": load_vae(source),
        "tokenizer": load_tokenizer(source),
        "text_encoder": load_text_encoder(source),
    }


@pytest.fixture
def rows(tmp_path):
    """Five photos, the last one held out."""
    made = []
    for n in range(5):
        path = tmp_path / f"{n}.png"
        Image.linear_gradient("L").resize((96, 80)).rotate(30 * n).convert("RGB").save(path)
        made.append(Row(path.name, sha256_of(path), f"car {n}", "held_out" if n == 4 else "train", 64, 64))
    return made


def filled(tmp_path, rows, models, settings=SETTINGS):
    """Return a LatentCache after a whole run over rows."""
    cache = LatentCache(tmp_path / "latents", settings=settings, batch_size=2, **models)
    keys = [cache.add_photo(row, tmp_path / row.file_name) for row in rows]
    cache.prune([*keys, cache.add_prompt("")])
    return cache


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def paint(tmp_path, row, pixel=(1, 2, 3)):
    """Change one pixel of a photo, as prepare would after a change of the photo itself."""
    path = tmp_path / row.file_name
    with Image.open(path) as image:
        image.load()
    image.putpixel((5, 5), pixel)
    image.save(path)
    return replace(row, sha256=sha256_of(path))


def test_first_run_encodes_every_photo_once_and_each_caption(tmp_path, rows, models):
    cache = filled(tmp_path, rows, models)
    assert (cache.encoded, cache.embedded) == (5, 6)


def test_file_holds_the_posterior_of_every_crop_and_the_prompt_embeds(tmp_path, rows, models):
    cache = filled(tmp_path, rows, models)
    for row, variants in ((rows[0], 3), (rows[4], 1)):
        tensors = load_file(cache.folder / f"{cache.add_photo(row, tmp_path / row.file_name)}.safetensors")
        assert tensors["mean"].shape == tensors["std"].shape == (variants, 4, 16, 16)
        assert tensors["prompt_embeds"].shape == (40, 32)


def again(tmp_path, rows, models, now=None, settings=SETTINGS, **other_models):
    """Return (photos encoded, captions embedded, files gone) by a second run in which something has changed."""
    before = content(filled(tmp_path, rows, models).folder)
    cache = filled(tmp_path, now or rows, models | other_models, settings)
    return cache.encoded, cache.embedded, len(before.keys() - content(cache.folder).keys())


def test_nothing_changed_encodes_nothing(tmp_path, rows, models):
    assert again(tmp_path, rows, models) == (0, 0, 0)


def test_touched_photo_is_not_encoded_again(tmp_path, rows, models):
    filled(tmp_path, rows, models)
    for row in rows:
        os.utime(tmp_path / row.file_name, (1, 1))
    assert again(tmp_path, rows, models) == (0, 0, 0)


def test_renamed_photo_is_not_encoded_again(tmp_path, rows, models):
    filled(tmp_path, rows, models)
    (tmp_path / "0.png").rename(tmp_path / "other.png")
    assert filled(tmp_path, [replace(rows[0], file_name="other.png"), *rows[1:]], models).encoded == 0


def test_one_pixel_encodes_exactly_one_photo(tmp_path, rows, models):
    filled(tmp_path, rows, models)
    changed = [paint(tmp_path, rows[0]), *rows[1:]]
    cache = filled(tmp_path, changed, models)
    assert (cache.encoded, cache.embedded) == (1, 1)


def test_changed_caption_embeds_one_caption_and_encodes_no_photo(tmp_path, rows, models):
    changed = [replace(rows[0], caption="another"), *rows[1:]]
    assert again(tmp_path, rows, models, now=changed) == (0, 1, 1)


def test_latents_of_a_photo_survive_its_caption(tmp_path, rows, models):
    cache = filled(tmp_path, rows, models)
    before = load_file(cache.folder / f"{cache.add_photo(rows[0], tmp_path / '0.png')}.safetensors")
    after_row = replace(rows[0], caption="another")
    after = load_file(cache.folder / f"{cache.add_photo(after_row, tmp_path / '0.png')}.safetensors")
    assert torch.equal(before["mean"], after["mean"]) and torch.equal(before["std"], after["std"])
    assert not torch.equal(before["prompt_embeds"], after["prompt_embeds"])


def test_removed_photo_takes_its_file_with_it_and_encodes_nothing(tmp_path, rows, models):
    assert again(tmp_path, rows, models, now=rows[:-1]) == (0, 0, 1)


def test_other_resolution_encodes_every_photo(tmp_path, rows, models):
    changed = [replace(row, width=72, height=72) for row in rows]
    assert again(tmp_path, rows, models, now=changed)[0] == 5


@pytest.mark.parametrize(
    "settings", [replace(SETTINGS, variants=4), replace(SETTINGS, min_scale=0.95), replace(SETTINGS, flip=True)]
)
def test_other_crop_settings_encode_every_training_photo_and_no_held_out_one(tmp_path, rows, models, settings):
    assert again(tmp_path, rows, models, settings=settings)[0] == 4


@pytest.mark.parametrize("change", ["weight", "configuration"])
def test_other_vae_encodes_every_photo_and_embeds_nothing_new(tmp_path, rows, models, change, tiny_base):
    other = load_vae(BaseSource(str(tiny_base)))
    if change == "weight":
        other.encoder.conv_in.weight.data[0, 0, 0, 0] += 1e-3
    else:
        other.register_to_config(scaling_factor=0.5)
    encoded, embedded, gone = again(tmp_path, rows, models, vae=other)
    assert (encoded, gone) == (5, 5)


def test_other_text_encoder_embeds_every_caption_and_encodes_no_photo(tmp_path, rows, models, tiny_base):
    other = load_text_encoder(BaseSource(str(tiny_base)))
    next(other.parameters()).data.view(-1)[0] += 1
    assert again(tmp_path, rows, models, text_encoder=other) == (0, 6, 6)


def test_photo_that_is_added_is_the_only_one_encoded(tmp_path, rows, models):
    filled(tmp_path, rows[:4], models)
    assert filled(tmp_path, rows, models).encoded == 1


def test_photo_has_the_same_bytes_whatever_else_is_cached(tmp_path, rows, models):
    alone = content(filled(tmp_path, rows[1:2], models).folder)
    assert alone.items() <= content(filled(tmp_path, rows, models).folder).items()


def test_flip_adds_every_crop_mirrored(tmp_path, rows, models):
    cache = LatentCache(tmp_path / "a", settings=replace(SETTINGS, flip=True), batch_size=2, **models)
    tensors = load_file(cache.folder / f"{cache.add_photo(rows[1], tmp_path / '1.png')}.safetensors")
    assert tensors["mean"].shape[0] == 6
    assert not torch.allclose(tensors["mean"][0], tensors["mean"][3])


def test_held_out_photo_is_never_mirrored(tmp_path, rows, models):
    cache = LatentCache(tmp_path / "a", settings=replace(SETTINGS, flip=True), batch_size=2, **models)
    tensors = load_file(cache.folder / f"{cache.add_photo(rows[4], tmp_path / '4.png')}.safetensors")
    assert tensors["mean"].shape[0] == 1


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-10], lambda data: b"", lambda data: data[:4], lambda data: data[:-10] + bytes(10)],
)
def test_file_that_is_not_whole_is_made_again(tmp_path, rows, models, damage):
    cache = filled(tmp_path, rows, models)
    whole = content(cache.folder)
    path = cache.folder / f"{cache.add_photo(rows[0], tmp_path / '0.png')}.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert filled(tmp_path, rows, models).encoded == 1
    assert content(cache.folder) == whole


def test_left_over_of_a_killed_run_is_removed(tmp_path, rows, models):
    cache = filled(tmp_path, rows, models)
    whole = content(cache.folder)
    (cache.folder / "x.safetensors.partial").write_bytes(b"half")
    (cache.folder / "strange.txt").write_bytes(b"?")
    filled(tmp_path, rows, models)
    assert content(cache.folder) == whole


def test_value_that_is_not_finite_leaves_no_file_and_names_the_photo(tmp_path, rows, models):
    models["vae"].encoder.conv_in.weight.data[:] = float("nan")
    cache = LatentCache(tmp_path / "a", settings=SETTINGS, batch_size=2, **models)
    with pytest.raises(LatentsError, match=r"0\.png: the VAE returned values that are not finite"):
        cache.add_photo(rows[0], tmp_path / "0.png")
    assert not list(cache.folder.iterdir())


def test_content_of_a_model_is_its_weights_and_configuration(models, tiny_base):
    assert content_of(models["vae"]) == content_of(load_vae(BaseSource(str(tiny_base))))
    changed = load_vae(BaseSource(str(tiny_base)))
    changed.decoder.conv_out.bias.data[0] += 1
    assert content_of(changed) != content_of(models["vae"])


@pytest.fixture
def mask(tmp_path):
    """A mask of the photos: the subject is in the left half."""
    image = Image.new("L", (96, 80))
    image.paste(255, (0, 0, 48, 80))
    image.save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


@pytest.mark.parametrize("flip", [False, True])
def test_mask_is_cut_with_each_crop_and_mirrored_with_it(tmp_path, rows, models, mask, flip):
    cache = LatentCache(tmp_path / "latents", settings=replace(SETTINGS, flip=flip), batch_size=2, **models)
    tensors = load_file(cache.folder / f"{cache.add_photo(rows[0], tmp_path / '0.png', mask)}.safetensors")
    assert tensors["mask"].shape == (6 if flip else 3, 1, 16, 16)
    whole = torch.tensor([1.0] * 8 + [0.0] * 8).expand(1, 16, 16)
    assert torch.equal(tensors["mask"][0], whole)
    if flip:
        assert torch.equal(tensors["mask"][3:], tensors["mask"][:3].flip(-1))


def test_new_mask_changes_the_file_and_encodes_no_photo(tmp_path, rows, models, mask):
    cache = filled(tmp_path, rows, models)
    plain = cache.add_photo(rows[0], tmp_path / "0.png")
    masked = cache.add_photo(rows[0], tmp_path / "0.png", mask)
    Image.new("L", (96, 80), 255).save(mask)
    again = cache.add_photo(rows[0], tmp_path / "0.png", mask)
    assert len({plain, masked, again}) == 3 and cache.encoded == 5
    assert torch.equal(*(load_file(cache.folder / f"{key}.safetensors")["mean"] for key in (plain, masked)))


def test_mask_of_a_held_out_photo_is_left_aside(tmp_path, rows, models, mask):
    cache = filled(tmp_path, rows, models)
    assert cache.add_photo(rows[4], tmp_path / "4.png", mask) == cache.add_photo(rows[4], tmp_path / "4.png")
