import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gentra_lora.base.model import BaseSource, load_text_encoder, load_tokenizer, load_vae
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.latents.class_pictures import ClassPictures
from gentra_lora.latents.posteriors import encode_prompt, token_ids
from gentra_lora.pictures.sampling_pipeline import Settings, decode, generate

CPU = torch.device("cpu")


@pytest.fixture
def made(tiny_base, tmp_path):
    """A function: settings -> ClassPictures, all in one folder."""
    source = BaseSource(str(tiny_base))
    parts = load_vae(source), load_tokenizer(source), load_text_encoder(source)

    def make(**changed):
        cache = LatentCache(tmp_path, *parts, CropSettings(2, 0.9, flip=False), 2)
        settings = Settings(**({"resolution": 64, "num_inference_steps": 2, "guidance_scale": 3.0} | changed))
        return ClassPictures(cache, source, torch.float32, CPU, settings)

    return make


def test_files_hold_the_latents_of_the_pictures_that_the_base_draws(made, tmp_path):
    pictures, prompts, seeds = made(), ["a sedan", "a van"], [5, 6]
    files = [load_file(tmp_path / f"{key}.safetensors") for key in pictures.add(prompts, seeds)]
    latents = torch.cat([tensors["mean"] for tensors in files]) * pictures.cache.vae.config.scaling_factor
    drawn = np.stack(decode(pictures.cache.vae, latents, prompts, seeds))
    assert abs(drawn.astype(int) - generate(pictures.base, prompts, seeds, pictures.settings)).max() <= 1
    assert abs(drawn[0].astype(int) - drawn[1]).max() > 1
    for tensors, prompt in zip(files, prompts, strict=True):
        assert tensors["mean"].shape == (1, 4, 16, 16) and tensors["std"].abs().max() == 0
        ids = token_ids(pictures.cache.tokenizer, prompt)
        assert torch.equal(tensors["prompt_embeds"], encode_prompt(pictures.cache.text_encoder, ids))


def test_pictures_that_are_there_are_not_drawn_again_nor_is_the_base_loaded(made):
    keys = made().add(["a sedan", "a van"], [5, 6])
    again = made()
    assert again.add(["a sedan", "a van"], [5, 6]) == keys
    assert again.drawn == 0
    assert "base" not in vars(again)


def test_more_pictures_than_are_drawn_at_once_are_refused(made):
    with pytest.raises(ValueError, match="17 pictures of 64 px"):
        made().add(["a sedan"] * 17, list(range(17)))


def test_batch_of_which_one_picture_is_missing_is_drawn_again_as_it_was(made, tmp_path):
    files = [tmp_path / f"{key}.safetensors" for key in made().add(["a sedan", "a van"], [5, 6])]
    whole = [file.read_bytes() for file in files]
    files[1].unlink()
    made().add(["a sedan", "a van"], [5, 6])
    assert [file.read_bytes() for file in files] == whole


def test_other_caption_seed_settings_or_batch_are_another_picture(made):
    first = made()
    keys = [*first.add(["a sedan"], [5]), *first.add(["a van"], [5]), *first.add(["a sedan"], [6])]
    keys += first.add(["a sedan", "a sedan"], [5, 5])
    keys += [*made(guidance_scale=4.0).add(["a sedan"], [5]), *made(num_inference_steps=1).add(["a sedan"], [5])]
    assert len(set(keys)) == len(keys) == 7
