import pytest
import torch

from gentra_lora.base_model import BaseSource, load_text_encoder, load_vae
from gentra_lora.latents import (
    LatentsError,
    content_key,
    crop_boxes,
    draw_latents,
    encode_photo,
    encode_prompt,
    load_split,
    write_index,
    write_latents,
)


def test_first_crop_is_the_largest_centred_square():
    assert crop_boxes("a", (100, 60), 3, 0.5, 30)[0] == (20, 0, 60)


def test_crops_lie_inside_the_photo_and_keep_the_smallest_scale():
    for left, top, side in crop_boxes("a", (100, 60), 50, 0.5, 30):
        assert 30 <= side <= 60
        assert 0 <= left <= 100 - side
        assert 0 <= top <= 60 - side


def test_no_crop_is_smaller_than_the_resolution():
    assert min(side for _, _, side in crop_boxes("a", (100, 60), 50, 0.1, 48)) == 48
    assert {side for _, _, side in crop_boxes("a", (100, 60), 50, 0.1, 64)} == {60}


def test_crops_depend_on_the_photo_alone():
    assert crop_boxes("a", (100, 60), 4, 0.5, 30) == crop_boxes("a", (100, 60), 4, 0.5, 30)
    assert crop_boxes("a", (100, 60), 4, 0.5, 30)[1:] != crop_boxes("b", (100, 60), 4, 0.5, 30)[1:]


@pytest.mark.parametrize("place", range(5))
def test_key_changes_with_everything_that_changes_the_latents(place):
    parts = ["sha", [(0, 0, 64)], 64, "a caption", "base@1"]
    changed = ["other", [(1, 0, 64)], 128, "another", "base@2"]
    assert content_key(*parts) != content_key(*parts[:place], changed[place], *parts[place + 1 :])


def test_posterior_of_a_crop_does_not_depend_on_the_other_crops(tiny_base):
    vae = load_vae(BaseSource(str(tiny_base)))
    crops = torch.rand(3, 3, 64, 64) * 2 - 1
    mean, std = encode_photo(vae, crops, "a.png")
    assert mean.shape == std.shape == (3, 4, 16, 16)
    alone, _ = encode_photo(vae, crops[1:2], "a.png")
    torch.testing.assert_close(alone[0], mean[1], rtol=1e-4, atol=1e-5)


def test_value_that_is_not_finite_is_an_error_that_names_the_photo(tiny_base):
    vae = load_vae(BaseSource(str(tiny_base)))
    with pytest.raises(LatentsError, match=r"a\.png: the VAE returned values that are not finite"):
        encode_photo(vae, torch.full((1, 3, 64, 64), float("nan")), "a.png")


def test_prompt_embeds_fill_the_tokenizers_length(tiny_base, tokenizer):
    text_encoder = load_text_encoder(BaseSource(str(tiny_base)))
    assert encode_prompt(tokenizer, text_encoder, "a car").shape == (40, 32)
    assert encode_prompt(tokenizer, text_encoder, "").shape == (40, 32)


def test_drawn_latents_have_the_posteriors_mean_and_spread():
    mean, std = torch.full((1, 4, 64, 64), 2.0), torch.full((1, 4, 64, 64), 0.5)
    latents = draw_latents(mean, std, torch.randn(1, 4, 64, 64), 0.2)
    assert latents.mean().item() == pytest.approx(0.4, abs=0.01)
    assert latents.std().item() == pytest.approx(0.1, abs=0.005)


def test_split_is_loaded_by_key_not_by_position(tmp_path):
    rows = []
    for n, split in enumerate(("train", "held_out", "train")):
        value = torch.full((1, 4, 2, 2), float(n))
        write_latents(tmp_path / f"k{n}.safetensors", value, value.clone(), torch.full((3, 5), float(n)))
        rows.append({"file_name": f"{n}.png", "sha256": str(n), "split": split, "key": f"k{n}"})
    write_index(tmp_path, rows[::-1], 0.2, "base")
    photos = load_split(tmp_path, "train")
    assert photos.file_names == ["2.png", "0.png"]
    assert photos.mean[:, 0, 0, 0, 0].tolist() == [2, 0]
    assert photos.prompt_embeds[:, 0, 0].tolist() == [2, 0]


def test_empty_split_is_an_error(tmp_path):
    write_index(tmp_path, [], 0.2, "base")
    with pytest.raises(LatentsError, match="holds no photo of the split train"):
        load_split(tmp_path, "train")
