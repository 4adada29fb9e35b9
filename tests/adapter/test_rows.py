import gc
import weakref

import pytest
import torch

from gentra_lora.adapter.lora import AdapterError
from gentra_lora.adapter.rows import RowAdapter, module_names
from tests.adapter.test_lora import inputs, trained
from tests.conftest import make_unet
from tests.reference import module_deltas
from tests.tiny_engine import adapter_tensors


@pytest.fixture(scope="module")
def tensors():
    return adapter_tensors()


@pytest.fixture
def adapter(tiny_unet, tensors):
    """The tiny denoiser's, with an adapter on every kind of module whose alpha is half its rank."""
    found = RowAdapter(tiny_unet)
    found.use(found.fit("a.safetensors", tensors))
    return found


def merged(tensors, scale):
    """Return a denoiser with the adapter added to its weights."""
    unet = make_unet().requires_grad_(False)
    modules = {f"lora_unet_{name.replace('.', '_')}": module for name, module in unet.named_modules()}
    for name, delta in module_deltas(tensors).items():
        modules[name].weight += scale * delta
    return unet


def noise_pred(unet):
    return unet(*inputs()).sample


def test_equal_strengths_are_those_of_merged_weights(adapter, tiny_unet, tensors):
    for scale in (0.4, 1.0, -0.5):
        adapter.set_scales([scale, scale])
        torch.testing.assert_close(noise_pred(tiny_unet), noise_pred(merged(tensors, scale)), rtol=0, atol=1e-5)


def test_each_row_has_its_own_strength(adapter, tiny_unet, tensors):
    adapter.set_scales([0.4, 1.0])
    wanted = [noise_pred(merged(tensors, scale))[row] for row, scale in enumerate((0.4, 1.0))]
    torch.testing.assert_close(noise_pred(tiny_unet), torch.stack(wanted), rtol=0, atol=1e-5)


def test_adapter_as_trained_is_what_peft_computes(adapter, tiny_unet):
    unet = make_unet().requires_grad_(False)
    trained(unet, 4, 2, "attention+ff+conv")
    adapter.set_scales([1.0, 1.0])
    # The file holds the factors in half precision.
    torch.testing.assert_close(noise_pred(tiny_unet), noise_pred(unet), rtol=0, atol=2e-3)


def test_scale_zero_is_bit_exactly_the_base(adapter, tiny_unet):
    wanted = noise_pred(make_unet())
    adapter.set_scales([1.0, 1.0])
    assert not torch.equal(noise_pred(tiny_unet), wanted)
    adapter.set_scales([0.0, 0.0])
    assert torch.equal(noise_pred(tiny_unet), wanted)


def test_row_of_scale_zero_beside_others_is_the_base(adapter, tiny_unet):
    adapter.set_scales([0.0, 1.0])
    torch.testing.assert_close(noise_pred(tiny_unet)[0], noise_pred(make_unet())[0], rtol=0, atol=1e-6)


def test_strength_comes_back_after_others(adapter, tiny_unet):
    made = []
    for scales in ([1.0, 1.0], [0.0, 0.0], [0.3, 0.7], [1.0, 1.0]):
        adapter.set_scales(scales)
        made.append(noise_pred(tiny_unet))
    assert torch.equal(made[0], made[3])
    assert not torch.equal(made[0], made[2])


def test_adapter_takes_the_place_of_the_one_before(adapter, tiny_unet, tensors):
    adapter.set_scales([1.0, 1.0])
    first = noise_pred(tiny_unet)
    other = adapter_tensors(3.0)
    for found, wanted in ((other, noise_pred(merged(other, 1.0))), (tensors, first)):
        adapter.use(adapter.fit("b.safetensors", found))
        adapter.set_scales([1.0, 1.0])
        torch.testing.assert_close(noise_pred(tiny_unet), wanted, rtol=0, atol=1e-5)


def test_adapter_of_fewer_modules_leaves_the_others_to_the_base(adapter, tiny_unet, tensors):
    few = {key: tensor for key, tensor in tensors.items() if "attn1_to_q" in key}
    adapter.use(adapter.fit("few.safetensors", few))
    adapter.set_scales([1.0, 1.0])
    torch.testing.assert_close(noise_pred(tiny_unet), noise_pred(merged(few, 1.0)), rtol=0, atol=1e-5)


def test_five_adapters_on_and_off_leave_every_byte_of_the_base(tiny_unet):
    adapter, before = RowAdapter(tiny_unet), {name: value.clone() for name, value in tiny_unet.state_dict().items()}
    for factor in (1.0, 2.0, 3.0, 4.0, 5.0):
        adapter.use(adapter.fit("a.safetensors", adapter_tensors(factor)))
        for scales in ([1.0, 1.0], [0.2, 0.9]):
            adapter.set_scales(scales)
            noise_pred(tiny_unet)
    adapter.use({})
    after = tiny_unet.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any("forward" in vars(module) for module in tiny_unet.modules())
    adapter.set_scales([1.0, 1.0])
    assert torch.equal(noise_pred(tiny_unet), noise_pred(make_unet()))


def test_tensors_of_adapters_that_were_taken_off_do_not_pile_up(adapter, tiny_unet):
    held = []
    for factor in (1.0, 2.0, 3.0):
        adapter.use(adapter.fit("a.safetensors", adapter_tensors(factor)))
        adapter.set_scales([1.0, 1.0])
        noise_pred(tiny_unet)
        held += [weakref.ref(of.up) for of in adapter.factors.values()]
        held += [weakref.ref(weight) for weight in adapter._merged.values()]
    adapter.use({})
    gc.collect()
    assert len(held) > 100
    assert not any(reference() is not None for reference in held)


def test_adapter_that_is_only_tried_changes_nothing(adapter, tiny_unet):
    adapter.set_scales([1.0, 1.0])
    before = noise_pred(tiny_unet)
    adapter.fit("b.safetensors", adapter_tensors(2.0))
    assert torch.equal(noise_pred(tiny_unet), before)


def test_modules_that_the_base_has_not_are_named(adapter, tensors):
    strays = {f"lora_unet_mid_block_{n}.alpha": torch.ones(1) for n in range(7)}
    with pytest.raises(AdapterError) as caught:
        adapter.fit("other.safetensors", tensors | strays)
    message = str(caught.value)
    assert "other.safetensors: 7 of its modules are not in the base: lora_unet_mid_block_0, lora_unet" in message
    assert "lora_unet_mid_block_4;" in message


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("lora_down.weight", lambda tensor: tensor[:, :-1]),
        ("lora_down.weight", lambda tensor: tensor[:-1]),
        ("lora_up.weight", lambda tensor: tensor[:-1]),
        ("lora_up.weight", lambda tensor: tensor.flatten(1)),
    ],
)
def test_factors_of_another_shape_are_refused(adapter, tensors, part, change):
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    changed = tensors | {f"{name}.{part}": change(tensors[f"{name}.{part}"])}
    with pytest.raises(AdapterError, match=rf"a\.safetensors: {name} is for weights \(.*the base has \(16, 16, 3, 3\)"):
        adapter.fit("a.safetensors", changed)


def test_half_precision_base_takes_the_adapter_in_its_own_precision(tensors):
    unet = make_unet().requires_grad_(False).bfloat16()
    adapter = RowAdapter(unet)
    adapter.use(adapter.fit("a.safetensors", tensors))
    latents, timesteps, embeds = inputs()
    for scales in ([1.0, 1.0], [0.5, 1.0]):
        adapter.set_scales(scales)
        found = unet(latents.bfloat16(), timesteps, embeds.bfloat16()).sample
        assert found.dtype == torch.bfloat16
        adapted = noise_pred(merged(tensors, 1.0))[1]
        assert (found[1].float() - adapted).norm() < 0.05 * adapted.norm()


def test_delta_below_the_weights_last_digit_in_bfloat16_is_not_lost():
    unet = torch.nn.ModuleDict({"to_q": torch.nn.Linear(2, 1, bias=False)}).bfloat16().requires_grad_(False)
    unet["to_q"].weight.copy_(torch.tensor([[1.0, -1.0]]))
    factors = {"lora_down.weight": torch.full((1, 2), 0.001), "lora_up.weight": torch.ones(1, 1)}
    tensors = {f"lora_unet_to_q.{part}": tensor for part, tensor in (factors | {"alpha": torch.tensor(1.0)}).items()}
    adapter = RowAdapter(unet)
    adapter.use(adapter.fit("a.safetensors", tensors))
    adapter.set_scales([1.0, 1.0])
    assert unet["to_q"](torch.ones(2, 2).bfloat16()).flatten().tolist() == pytest.approx([0.002, 0.002], rel=0.01)


def test_names_are_those_of_the_modules(tensors):
    assert len(module_names(tensors)) * 3 == len(tensors)
    assert "lora_unet_conv_in" not in module_names(tensors)
