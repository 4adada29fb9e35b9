import pytest
import torch

from gentra_lora.base.model import BaseSource, load_text_encoder, load_vae
from gentra_lora.latents.posteriors import LatentsError, draw_latents, encode_photo, encode_prompt, token_ids


def test_posterior_of_a_crop_does_not_depend_on_the_other_crops(tiny_base):
    vae = load_vae(BaseSource(str(tiny_base)))
    crops = torch.rand(3, 3, 64, 64) * 2 - 1
    mean, std = encode_photo(vae, crops, "a.png", 2)
    assert mean.shape == std.shape == (3, 4, 16, 16)
    alone, _ = encode_photo(vae, crops[1:2], "a.png", 1)
    torch.testing.assert_close(alone[0], mean[1], rtol=1e-4, atol=1e-5)


def test_value_that_is_not_finite_is_an_error_that_names_the_photo(tiny_base):
    vae = load_vae(BaseSource(str(tiny_base)))
    with pytest.raises(LatentsError, match=r"a\.png: the VAE returned values that are not finite"):
        encode_photo(vae, torch.full((1, 3, 64, 64), float("nan")), "a.png", 1)


def test_prompt_embeds_fill_the_tokenizers_length(tiny_base, tokenizer):
    text_encoder = load_text_encoder(BaseSource(str(tiny_base)))
    for prompt in ("a car", "", "car " * 50):
        assert encode_prompt(text_encoder, token_ids(tokenizer, prompt)).shape == (40, 32)


def test_drawn_latents_have_the_posteriors_mean_and_spread():
    mean, std = torch.full((1, 4, 64, 64), 2.0), torch.full((1, 4, 64, 64), 0.5)
    latents = draw_latents(mean, std, torch.randn(1, 4, 64, 64), 0.2)
    assert latents.mean().item() == pytest.approx(0.4, abs=0.01)
    assert latents.std().item() == pytest.approx(0.1, abs=0.005)
