import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
import torch
from conftest import make_unet
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from gentra_lora import adapter
from gentra_lora.adapter import (
    TARGET_MODULES,
    AdapterError,
    attach_adapter,
    check_torchao,
    check_written,
    kohya_tensors,
    lora_modules,
    module_deltas,
    read_adapter,
    write_adapter,
)

METADATA = {f"key{n}": str(n) for n in range(12)}


def trained(unet, rank=4, lora_alpha=2, target_modules="attention+ff"):
    """Attach an adapter whose weights are no longer zero."""
    attach_adapter(unet, rank, lora_alpha, target_modules, seed=1)
    torch.manual_seed(2)
    with torch.no_grad():
        for module in lora_modules(unet).values():
            module.up.normal_(std=0.1)
    return lora_modules(unet)


def inputs():
    torch.manual_seed(3)
    return torch.randn(2, 4, 16, 16), torch.tensor([10, 700]), torch.randn(2, 40, 32)


def test_fresh_adapter_leaves_the_base_as_it_is(tiny_unet):
    before = tiny_unet(*inputs()).sample
    attach_adapter(tiny_unet, 4, 4, "attention+ff", seed=1)
    torch.testing.assert_close(tiny_unet(*inputs()).sample, before)


def test_only_the_adapters_weights_train_and_they_are_float32(tiny_unet):
    trainable = attach_adapter(tiny_unet.half(), 4, 4, "attention+ff", seed=1)
    assert len(trainable) == 2 * len(lora_modules(tiny_unet))
    assert {p.dtype for p in trainable} == {torch.float32}
    assert {name.split(".")[-3] for name, p in tiny_unet.named_parameters() if p.requires_grad} == {"lora_A", "lora_B"}


def test_attention_feed_forward_and_projections_are_adapted(tiny_unet):
    attach_adapter(tiny_unet, 4, 4, "attention+ff", seed=1)
    block = "down_blocks.1.attentions.0"
    names = {name.removeprefix(f"{block}.") for name in lora_modules(tiny_unet) if name.startswith(block)}
    attention = {
        f"transformer_blocks.0.attn{n}.{part}" for n in (1, 2) for part in ("to_q", "to_k", "to_v", "to_out.0")
    }
    assert names == attention | {
        "proj_in",
        "proj_out",
        "transformer_blocks.0.ff.net.0.proj",
        "transformer_blocks.0.ff.net.2",
    }


def test_convolutions_of_residual_blocks_and_resamplers_can_be_adapted_too(tiny_unet):
    attach_adapter(tiny_unet, 4, 4, "attention+ff+conv", seed=1)
    for prefix, parts in (
        ("down_blocks.0.resnets.0", {"conv1", "conv2", "time_emb_proj"}),
        ("down_blocks.0.downsamplers.0", {"conv"}),
        ("up_blocks.0.upsamplers.0", {"conv"}),
    ):
        found = {name.removeprefix(f"{prefix}.") for name in lora_modules(tiny_unet) if name.startswith(prefix)}
        assert found == parts


def test_attaching_is_seeded_and_leaves_the_global_random_state(tiny_unet):
    torch.manual_seed(9)
    state = torch.get_rng_state()
    attach_adapter(tiny_unet, 4, 4, "attention+ff", seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    other = make_unet()
    attach_adapter(other, 4, 4, "attention+ff", seed=1)
    pairs = zip(lora_modules(tiny_unet).values(), lora_modules(other).values(), strict=True)
    assert all(torch.equal(a.down, b.down) for a, b in pairs)


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


def test_module_deltas_are_those_of_the_attached_adapter(tiny_unet):
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
        "import sys, torch; from pathlib import Path; from gentra_lora.adapter import write_adapter;"
        "write_adapter(Path(sys.argv[1]), {'a': torch.ones(3)}, {f'key{n}': str(n) for n in range(12)})"
    )
    for name in ("first", "second"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


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
        kohya_tensors(lora_modules(tiny_unet), 2)


def test_file_that_does_not_read_back_as_trained_is_refused(tiny_unet, tmp_path):
    modules = trained(tiny_unet)
    write_adapter(tmp_path / "a.safetensors", kohya_tensors(modules, 2), METADATA)
    check_written(tmp_path / "a.safetensors", modules, 2)
    with pytest.raises(AdapterError, match="does not read back as it was trained"):
        check_written(tmp_path / "a.safetensors", modules, 4)


@pytest.mark.parametrize(("found", "refused"), [("0.10.0", True), ("0.16.0", False), (None, False)])
def test_torchao_that_peft_refuses_is_told_with_the_way_out(monkeypatch, found, refused):
    def version(name):
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(adapter, "version", version)
    if refused:
        with pytest.raises(AdapterError, match=r"torchao 0\.10\.0 .* pip uninstall torchao"):
            check_torchao()
    else:
        check_torchao()


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
