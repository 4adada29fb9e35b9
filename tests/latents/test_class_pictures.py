import pytest
import torch
from safetensors.torch import load_file

from gentra_lora.base.model import BaseSource, load_text_encoder, load_tokenizer, load_vae
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.latents.class_pictures import ClassPictures
from gentra_lora.pictures.sampling_pipeline import Settings, decode, generate

CPU = torch.device("cpu")


@pytest.fixture
def made(tiny_base, tmp_path):
    """A function: settings -> ClassPictures in one folder."""
    source = BaseSource(str(tiny_base))
    parts = load_vae(source), load_tokenizer(source), load_text_encoder(source)

    def make(**changed):
        cache = LatentCache(tmp_path, *parts, CropSettings(2, 0.9, flip=False), 2)
        settings = Settings(**({"resolution": 64, "num_inference_steps": 2, "guidance_scale": 3.0} | changed))
        return ClassPictures(cache, source, torch.float32, CPU, settings)

    return make


def test_file_holds_the_latents_of_the_picture_that_the_base_draws(made, tmp_path):
    pictures = made()
    tensors = load_file(tmp_path / f"{pictures.add('a sedan', 5)}.safetensors")
    factor = pictures.cache.vae.config.scaling_factor
    drawn = decode(pictures.cache.vae, tensors["mean"] * factor, ["a sedan"], [5])[0]
    wanted = generate(pictures.base, ["a sedan"], [5], pictures.settings)[0]
    assert abs(drawn.astype(int) - wanted).max() <= 1
    assert tensors["std"].abs().max() == 0
    assert tensors["prompt_embeds"].shape == (40, 32)


def test_picture_that_is_there_is_not_drawn_again_nor_is_the_base_loaded(made):
    key = made().add("a sedan", 5)
    again = made()
    assert again.add("a sedan", 5) == key
    assert again.drawn == 0
    assert "base" not in vars(again)


def test_other_caption_seed_or_settings_are_another_picture(made):
    first = made()
    keys = {first.add("a sedan", 5), first.add("a van", 5), first.add("a sedan", 6)}
    keys |= {made(guidance_scale=4.0).add("a sedan", 5), made(num_inference_steps=1).add("a sedan", 5)}
    assert len(keys) == 5
