import pytest
import torch
from safetensors.torch import load_file

from gentra_lora.base.files.noise_schedule import load_noise_scheduler
from gentra_lora.base.model import BaseSource, load_text_encoder, load_tokenizer, load_unet, load_vae
from gentra_lora.latents.base_predictions import BasePredictions, load_predictions
from gentra_lora.latents.cache import CropSettings, LatentCache
from gentra_lora.latents.class_pictures import ClassPictures
from gentra_lora.latents.posteriors import LatentsError
from gentra_lora.pictures.sampling_pipeline import Settings

CPU = torch.device("cpu")


@pytest.fixture
def made(tiny_base, tmp_path):
    """A function: draws -> BasePredictions in one folder, which holds a picture under the key "class"."""
    source = BaseSource(str(tiny_base))
    cache = LatentCache(
        tmp_path,
        load_vae(source),
        load_tokenizer(source),
        load_text_encoder(source),
        CropSettings(2, 0.9, flip=False),
        2,
    )
    for key in ("class", "other"):
        mean = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(len(key)))
        cache.write(key, {"mean": mean, "std": torch.zeros_like(mean)}, torch.zeros(40, 32))

    def make(draws=3):
        pictures = ClassPictures(cache, source, torch.float32, CPU, Settings(64, 2, 3.0))
        return BasePredictions(pictures, load_noise_scheduler(source), draws)

    return make


def test_prediction_is_the_bases_own_for_the_noisy_latents_that_lie_beside_it(made, tiny_base, tmp_path):
    tensors = load_file(tmp_path / f"{made().add('class', 'a van')}.safetensors")
    unet = load_unet(BaseSource(str(tiny_base)), torch.float32)
    with torch.no_grad():
        embeds = tensors["prompt_embeds"].expand(3, -1, -1)
        wanted = unet(tensors["noisy_latents"], tensors["timesteps"], embeds).sample
    torch.testing.assert_close(tensors["noise_pred"], wanted)


def test_predictions_of_several_batches_are_those_of_one_and_have_a_key_of_their_own(made, tmp_path, monkeypatch):
    predictions = made()
    whole = load_file(tmp_path / f"{predictions.add('class', 'a van')}.safetensors")
    monkeypatch.setattr("gentra_lora.latents.base_predictions.pictures_at_once", lambda _: 1)
    again = load_file(tmp_path / f"{predictions.add('class', 'a van')}.safetensors")
    assert predictions.computed == 2
    with torch.no_grad():
        embeds = again["prompt_embeds"].expand(3, -1, -1)
        wanted = predictions.pictures.base.unet(again["noisy_latents"], again["timesteps"], embeds).sample
    torch.testing.assert_close(again["noise_pred"], wanted)
    assert whole["noise_pred"].shape == wanted.shape


def test_noise_is_of_its_timestep_and_timesteps_are_of_every_third(made, tmp_path):
    predictions = made()
    tensors = load_file(tmp_path / f"{predictions.add('class', 'a van')}.safetensors")
    assert [int(t) * 3 // 1000 for t in tensors["timesteps"]] == [0, 1, 2]
    factor = predictions.pictures.cache.vae.config.scaling_factor
    latents = load_file(tmp_path / "class.safetensors")["mean"] * factor
    alphas = predictions.noise_scheduler.alphas_cumprod[tensors["timesteps"]].reshape(3, 1, 1, 1)
    noise = (tensors["noisy_latents"] - alphas.sqrt() * latents) / (1 - alphas).sqrt()
    assert noise.mean().abs() < 0.1
    assert noise.std() == pytest.approx(1, abs=0.1)
    assert not torch.allclose(noise[0], noise[1], atol=0.5)


def test_what_is_there_is_not_computed_again_nor_is_the_base_loaded(made):
    key = made().add("class", "a van")
    again = made()
    assert again.add("class", "a van") == key
    assert again.computed == 0
    assert "base" not in vars(again.pictures)


def test_other_latents_prompts_or_draws_are_other_predictions(made):
    predictions = made()
    keys = {predictions.add("class", "a van"), predictions.add("other", "a van"), predictions.add("class", "a bus")}
    assert len(keys | {made(4).add("class", "a van")}) == 4


def test_prediction_that_is_not_finite_is_refused_by_its_prompt(made, tmp_path):
    predictions = made()
    with torch.no_grad():
        predictions.pictures.base.unet.conv_out.weight.fill_(float("nan"))
    with pytest.raises(LatentsError, match="prompt 'a van': the base predicts values that are not finite"):
        predictions.add("class", "a van")
    assert not list(tmp_path.glob("prior-*"))


def test_folder_without_predictions_names_the_stage_that_makes_them(made, tmp_path):
    made().pictures.cache.write_index([], "empty", "base", {"class_pictures": [], "base_predictions": []})
    with pytest.raises(LatentsError, match="run `dvc repro cache_latents`"):
        load_predictions(tmp_path)


def test_folder_gives_back_what_was_written(made, tmp_path):
    predictions = made()
    key = predictions.add("class", "a van")
    predictions.pictures.cache.write_index(
        [], "empty", "base", {"class_pictures": ["class"], "base_predictions": [key]}
    )
    tensors, prior = load_file(tmp_path / f"{key}.safetensors"), load_predictions(tmp_path)
    assert (prior.draws, prior.shapes) == (3, [(4, 16, 16)])
    noisy_latents, timestep, noise_pred, _ = prior.read(0, 2)
    assert torch.equal(noisy_latents, tensors["noisy_latents"][2]) and torch.equal(noise_pred, tensors["noise_pred"][2])
    assert timestep == tensors["timesteps"][2]
