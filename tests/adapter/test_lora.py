import torch

from gentra_lora.adapter.lora import attach_adapter, flatten, lora_modules
from tests.conftest import make_unet


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


def test_attention_alone_can_be_adapted(tiny_unet):
    attach_adapter(tiny_unet, 4, 4, "attention", seed=1)
    assert {name.split(".")[-1] for name in lora_modules(tiny_unet)} == {"to_q", "to_k", "to_v", "0"}


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


def test_flat_parameter_holds_the_values_and_gathers_the_gradients(tiny_unet):
    plain, joined = make_unet().requires_grad_(False), tiny_unet
    trainable, others = (attach_adapter(unet, 4, 4, "attention+ff", seed=1) for unet in (plain, joined))
    flat = flatten(others)
    assert torch.equal(flat, torch.cat([parameter.flatten() for parameter in trainable]))
    for unet in (plain, joined):
        for _ in range(2):
            unet(*inputs()).sample.square().mean().backward()
    torch.testing.assert_close(flat.grad, torch.cat([parameter.grad.flatten() for parameter in trainable]))
    with torch.no_grad():
        flat.fill_(3.0)
    assert all(bool((module.down == 3).all()) for module in lora_modules(joined).values())
