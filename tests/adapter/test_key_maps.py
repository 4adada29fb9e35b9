import pytest
import torch
from diffusers import UNet2DConditionModel

from gentra_lora.adapter.file import kohya_tensors
from gentra_lora.adapter.key_maps import a1111_name, check_keys, comfyui_names
from gentra_lora.adapter.lora import AdapterError, attach_adapter, lora_modules
from gentra_lora.base.files.ldm_layout import PREFIXES, original_name
from tests.conftest import make_unet


@pytest.fixture(scope="module")
def sd15():
    """The denoiser of Stable Diffusion 1.5, without data."""
    with torch.device("meta"):
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def keys(unet, target_modules="attention+ff+conv"):
    """Return the names of an adapter's modules, as its file has them, {kohya name: module path}."""
    attach_adapter(unet, 4, 4, target_modules, seed=1)
    return {f"lora_unet_{name.replace('.', '_')}": name for name in lora_modules(unet)}


def test_every_module_of_sd15_is_the_one_that_a1111_takes_it_for(sd15):
    names = keys(sd15)
    assert len(names) == 278
    for name, path in names.items():
        original = original_name("unet", f"{path}.weight", sd15.config).removeprefix(PREFIXES["unet"])
        assert a1111_name(name) == original.removesuffix(".weight").replace(".", "_"), name
    assert len({a1111_name(name) for name in names}) == len(names)


def test_name_of_no_rule_is_none():
    assert a1111_name("lora_unet_down_blocks_0") is None
    assert a1111_name("lora_unet_down_blocks_0_motion_modules_0_proj_in") is None


def test_comfyui_knows_every_module_of_an_adapter_and_attaching_it_changes_no_name():
    unet = make_unet().requires_grad_(False)
    before = comfyui_names(unet)
    names = keys(unet)
    assert set(names) <= before == comfyui_names(unet)


def test_adapter_of_this_denoiser_passes_and_a_stray_name_is_refused():
    unet = make_unet().requires_grad_(False)
    attach_adapter(unet, 4, 4, "attention+ff", seed=1)
    tensors = kohya_tensors(lora_modules(unet), 4)
    check_keys(tensors, unet)
    with pytest.raises(AdapterError, match="lora_unet_other_to_q: ComfyUI knows no such module"):
        check_keys(tensors | {"lora_unet_other_to_q.alpha": torch.tensor(1.0)}, unet)


def test_name_that_a1111_would_pass_over_is_refused_for_a_base_of_sd15s_shape(sd15):
    with pytest.raises(AdapterError, match="lora_unet_time_embedding_linear_1: A1111 knows no such module"):
        check_keys({"lora_unet_time_embedding_linear_1.alpha": torch.tensor(1.0)}, sd15)
