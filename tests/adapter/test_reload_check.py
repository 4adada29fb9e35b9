import pytest
import torch

from gentra_lora.adapter.file import kohya_tensors, write_adapter
from gentra_lora.adapter.lora import TARGET_MODULES, AdapterError
from gentra_lora.adapter.reload_check import check_written, reloaded_modules
from tests.adapter.test_lora import trained
from tests.conftest import make_unet

CONFIG = make_unet().config


def written(path, modules, lora_alpha=2, change=lambda tensors: None):
    tensors = kohya_tensors(modules, lora_alpha)
    change(tensors)
    write_adapter(path, tensors, {"format": "pt"})
    return path


@pytest.mark.parametrize("target_modules", TARGET_MODULES)
def test_file_that_reads_back_as_trained_passes(tiny_unet, tmp_path, target_modules):
    modules = trained(tiny_unet, target_modules=target_modules)
    check_written(written(tmp_path / "a.safetensors", modules), modules, 2, CONFIG)


def test_factors_too_small_for_float16_pass_as_what_it_can_hold(tiny_unet, tmp_path):
    modules = trained(tiny_unet)
    with torch.no_grad():
        for module in modules.values():
            module.up.mul_(1e-7)
    check_written(written(tmp_path / "a.safetensors", modules), modules, 2, CONFIG)


def test_other_strength_is_refused(tiny_unet, tmp_path):
    modules = trained(tiny_unet)
    with pytest.raises(AdapterError, match="does not read back as it was trained"):
        check_written(written(tmp_path / "a.safetensors", modules), modules, 4, CONFIG)


@pytest.mark.parametrize("part", ["lora_down", "lora_up"])
def test_one_weight_that_differs_in_one_module_is_refused_by_its_name(tiny_unet, tmp_path, part):
    modules = trained(tiny_unet)
    name = list(modules)[3]

    def change(tensors):
        tensors[f"lora_unet_{name.replace('.', '_')}.{part}.weight"].view(-1)[0] += 0.25

    path = written(tmp_path / "a.safetensors", modules, change=change)
    with pytest.raises(AdapterError, match=f"{name} does not read back"):
        check_written(path, modules, 2, CONFIG)


def test_module_that_is_missing_in_the_file_is_refused_by_its_name(tiny_unet, tmp_path):
    modules = trained(tiny_unet)
    lost = list(modules)[3]
    rest = {name: module for name, module in modules.items() if name != lost}
    with pytest.raises(AdapterError, match=f"{lost} is not both trained and read back"):
        check_written(written(tmp_path / "a.safetensors", rest), modules, 2, CONFIG)


def test_fresh_denoiser_takes_no_memory_for_its_weights(tiny_unet, tmp_path):
    path = written(tmp_path / "a.safetensors", trained(tiny_unet))
    for module in reloaded_modules(path, CONFIG).values():
        assert module.get_base_layer().weight.untyped_storage().nbytes() == 4
