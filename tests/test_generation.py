import numpy as np
import pytest
import torch
from conftest import make_unet
from PIL import Image
from test_adapter import trained

from gentra_lora.adapter_file import kohya_tensors, write_adapter
from gentra_lora.base_model import BaseSource
from gentra_lora.crops import centre_crop
from gentra_lora.generation import encode, img2img, load_generator, set_adapter_scale
from gentra_lora.pictures import GenerationError, Settings, decode, generate, load_sampler

SETTINGS = Settings(64, 2, 3.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def adapter_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("adapter") / "a.safetensors"
    write_adapter(path, kohya_tensors(trained(make_unet().requires_grad_(False)), 2), {"format": "pt"})
    return path


@pytest.fixture(scope="module")
def pipeline(tiny_base, adapter_path):
    return load_generator(BaseSource(str(tiny_base)), adapter_path, torch.float32, CPU)


def test_adapter_changes_the_picture_and_scale_zero_is_the_base(pipeline, tiny_base):
    base = load_sampler(BaseSource(str(tiny_base)), torch.float32, CPU)
    wanted = generate(base, ["a car"], [1], SETTINGS)
    set_adapter_scale(pipeline, 1.0)
    with_adapter = generate(pipeline, ["a car"], [1], SETTINGS)
    set_adapter_scale(pipeline, 0.0)
    assert np.array_equal(generate(pipeline, ["a car"], [1], SETTINGS), wanted)
    assert not np.array_equal(with_adapter, wanted)


def test_scale_is_set_again_after_the_base_was_shown(pipeline):
    pictures = []
    for scale in (1.0, 0.5, 0.0, 1.0):
        set_adapter_scale(pipeline, scale)
        pictures.append(generate(pipeline, ["a car"], [1], SETTINGS))
    assert np.array_equal(pictures[0], pictures[3])
    assert not np.array_equal(pictures[0], pictures[1])


def test_img2img_keeps_more_of_the_photo_at_low_strength(pipeline):
    photo = Image.linear_gradient("L").convert("RGB").resize((96, 64))
    set_adapter_scale(pipeline, 1.0)
    kept = decode(pipeline.vae, encode(pipeline.vae, centre_crop(photo, 64)), ["a car"], [1])[0].astype(int)
    changes = [np.abs(img2img(pipeline, photo, "a car", 1, s, SETTINGS) - kept).mean() for s in (0.02, 0.3, 1.0)]
    assert changes == sorted(changes)


def test_adapter_of_another_base_is_refused(tiny_base, tmp_path, adapter_path):
    unet = make_unet()
    other = type(unet).from_config(unet.config, block_out_channels=(16, 48)).requires_grad_(False)
    write_adapter(tmp_path / "a.safetensors", kohya_tensors(trained(other), 2), {"format": "pt"})
    with pytest.raises(GenerationError, match=r"a\.safetensors: does not fit the base"):
        load_generator(BaseSource(str(tiny_base)), tmp_path / "a.safetensors", torch.float32, CPU)


def test_half_precision_denoiser_works_with_the_float32_vae(tiny_base, adapter_path):
    half = load_generator(BaseSource(str(tiny_base)), adapter_path, torch.bfloat16, CPU)
    assert generate(half, ["a car"], [1], SETTINGS).shape == (1, 64, 64, 3)
    assert img2img(half, Image.new("RGB", (80, 64), "red"), "a car", 1, 0.5, SETTINGS).shape == (64, 64, 3)


def test_strength_too_low_for_the_schedule_is_refused(pipeline):
    with pytest.raises(GenerationError, match=r"strength 0\.001 with 2 steps needs a schedule of 2000 steps"):
        img2img(pipeline, Image.new("RGB", (64, 64)), "a car", 1, 0.001, SETTINGS)


def test_one_step_is_enough_at_any_strength(pipeline):
    picture = img2img(pipeline, Image.new("RGB", (64, 64)), "a car", 1, 0.3, Settings(64, 1, 3.0))
    assert picture.shape == (64, 64, 3)
