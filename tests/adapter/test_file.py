import subprocess
import sys

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from gentra_lora.adapter.file import (
    check_effect,
    kohya_tensors,
    read_adapter,
    write_adapter,
)
from gentra_lora.adapter.lora import TARGET_MODULES, AdapterError, attach_adapter, lora_modules
from tests.adapter.test_lora import inputs, trained
from tests.reference import module_deltas

METADATA = {f"key{n}": str(n) for n in range(12)}


@pytest.mark.parametrize("target_modules", TARGET_MODULES)
def test_file_reloads_to_every_modules_trained_delta_when_rank_and_alpha_differ(
    tiny_base, tiny_unet, tmp_path, target_modules
):
    modules = trained(tiny_unet, 4, 2, target_modules)
    write_adapter(tmp_path / "a.safetensors", kohya_tensors(modules, 2), METADATA)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_base)
    pipeline.load_lora_weights(str(tmp_path), weight_name="a.safetensors")
    loaded = {name: m for name, m in pipeline.unet.named_modules() if hasattr(m, "lora_A")}
    assert loaded.keys() == modules.keys()
    for name, module in loaded.items():
        adapter = module.active_adapters[0]
        wanted = modules[name].up.flatten(1) @ modules[name].down.flatten(1) * (2 / 4)
        torch.testing.assert_close(module.get_delta_weight(adapter).flatten(1), wanted, rtol=2e-3, atol=1e-4)


def test_reloaded_file_gives_the_trained_noise_pred(tiny_base, tiny_unet, tmp_path):
    modules = trained(tiny_unet)
    wanted = tiny_unet(*inputs()).sample
    write_adapter(tmp_path / "a.safetensors", kohya_tensors(modules, 2), METADATA)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_base)
    base = pipeline.unet(*inputs()).sample
    pipeline.load_lora_weights(str(tmp_path), weight_name="a.safetensors")
    found = pipeline.unet(*inputs()).sample
    torch.testing.assert_close(found, wanted, rtol=1e-2, atol=2e-3)
    assert (found - base).abs().max() > 10 * (found - wanted).abs().max()


def test_files_tensors_are_the_weights_of_the_attached_adapter(tiny_unet):
    modules = trained(tiny_unet)
    deltas = module_deltas(kohya_tensors(modules, 2))
    for name, module in modules.items():
        wanted = module.up.flatten(1) @ module.down.flatten(1) / 2
        torch.testing.assert_close(
            deltas[f"lora_unet_{name.replace('.', '_')}"].flatten(1), wanted, rtol=2e-3, atol=1e-4
        )


def test_every_tensor_is_a_contiguous_float16_with_one_rank_and_one_alpha(tiny_unet):
    tensors = kohya_tensors(trained(tiny_unet), 2)
    assert all(tensor.dtype == torch.float16 and tensor.is_contiguous() for tensor in tensors.values())
    assert {tensor.item() for key, tensor in tensors.items() if key.endswith(".alpha")} == {2}
    assert {tensor.shape[0] for key, tensor in tensors.items() if "lora_down" in key} == {4}
    assert len(tensors) == 3 * len(lora_modules(tiny_unet))


def test_equal_content_gives_equal_bytes_in_every_process(tmp_path):
    code = (
        "import sys, torch; from pathlib import Path; from gentra_lora.adapter.file import write_adapter;"
        "write_adapter(Path(sys.argv[1]), {'a': torch.ones(3)}, {f'key{n}': str(n) for n in range(12)})"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "theirs")], check=True)
    write_adapter(tmp_path / "ours", {"a": torch.ones(3)}, {f"key{n}": str(n) for n in range(12)})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_header_is_kept(tiny_unet, tmp_path):
    write_adapter(tmp_path / "a.safetensors", kohya_tensors(trained(tiny_unet), 2), METADATA)
    assert read_adapter(tmp_path / "a.safetensors")[1] == METADATA


def test_weights_that_are_not_finite_are_never_written(tiny_unet):
    modules = trained(tiny_unet)
    name = next(iter(modules))
    modules[name].up.data[0] = float("nan")
    with pytest.raises(AdapterError, match=f"{name}: weights are not finite"):
        kohya_tensors(modules, 2)


def test_adapter_that_would_change_nothing_is_refused(tiny_unet):
    attach_adapter(tiny_unet, 4, 2, "attention+ff", seed=1)
    with pytest.raises(AdapterError, match="changes nothing"):
        check_effect(kohya_tensors(lora_modules(tiny_unet), 2))


def test_missing_file_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(AdapterError, match=r"a\.safetensors: no such file; `dvc repro` trains it"):
        read_adapter(tmp_path / "a.safetensors")


def test_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(AdapterError, match="not a safetensors file"):
        read_adapter(tmp_path / "a.safetensors")


def test_file_of_another_layout_is_refused_by_its_key(tmp_path):
    save_file({"unet.to_q.lora_A.weight": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(AdapterError, match=r"unknown key: unet\.to_q\.lora_A\.weight"):
        read_adapter(tmp_path / "a.safetensors")


@pytest.mark.parametrize("part", ["lora_down.weight", "lora_up.weight", "alpha"])
def test_file_that_lacks_a_tensor_is_refused_by_its_key(tiny_unet, tmp_path, part):
    tensors = kohya_tensors(trained(tiny_unet), 2)
    lost = next(key for key in tensors if key.endswith(part))
    del tensors[lost]
    write_adapter(tmp_path / "a.safetensors", tensors, METADATA)
    with pytest.raises(AdapterError, match=f"lacks {lost}"):
        read_adapter(tmp_path / "a.safetensors")


@pytest.mark.parametrize("part", ["lora_down.weight", "lora_up.weight", "alpha"])
def test_file_with_a_value_that_is_not_finite_is_refused_by_its_key(tiny_unet, tmp_path, part):
    tensors = kohya_tensors(trained(tiny_unet), 2)
    broken = next(key for key in tensors if key.endswith(part))
    tensors[broken].view(-1)[0] = float("nan")
    write_adapter(tmp_path / "a.safetensors", tensors, METADATA)
    with pytest.raises(AdapterError, match=f"{broken} holds values that are not finite"):
        read_adapter(tmp_path / "a.safetensors")
