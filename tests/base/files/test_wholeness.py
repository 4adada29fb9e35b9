import pytest
import torch

from gentra_lora.base.files.wholeness import check_loaded, check_values, fault_of_names, shapes_of
from gentra_lora.base.source import BaseModelError


def test_same_names_and_shapes_are_whole(tiny_unet):
    shapes = shapes_of(tiny_unet)
    assert shapes["conv_in.weight"] == (16, 4, 3, 3)
    assert fault_of_names(shapes, dict(shapes)) is None


def test_what_is_missing_too_much_or_of_another_shape_is_named():
    assert fault_of_names({"a": (1,), "b": (2,)}, {"a": (1,)}) == "lacks 1 of its weights (b)"
    assert fault_of_names({"a": (1,)}, {"a": (1,), "b": (2,)}) == "holds 1 that such a model does not have (b)"
    assert fault_of_names({"a": (1, 2)}, {"a": (2, 2)}) == "has weights of another shape (a is [2, 2], not [1, 2])"


@pytest.mark.parametrize("name", ["embeddings.position_ids", "text_model.embeddings.position_ids", "logit_scale"])
def test_what_older_files_hold_besides_is_no_fault(name):
    assert fault_of_names({"a": (1,)}, {"a": (1,), name: (1, 77)}) is None


def test_what_a_library_says_of_its_loading_becomes_a_sentence():
    info = {"missing_keys": {"a"}, "unexpected_keys": set(), "mismatched_keys": set()}
    with pytest.raises(BaseModelError, match=r"^base\.model: the unet of x lacks 1 of its weights \(a\); take a whole"):
        check_loaded("base.model", "the unet of x", info)
    check_loaded("base.model", "the unet of x", info | {"missing_keys": set()})


def linear(value, bias=0.0):
    module = torch.nn.Linear(2, 3)
    torch.nn.init.constant_(module.weight, value)
    torch.nn.init.constant_(module.bias, bias)
    return module


def test_numbers_are_accepted_though_biases_are_zeros():
    check_values("base.model", "x", "unet", linear(0.5))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weight_that_is_no_number_is_named(value, dtype):
    with pytest.raises(BaseModelError, match=r"^base\.model: x: bias of the unet is not finite; take an intact copy$"):
        check_values("base.model", "x", "unet", linear(0.5, value).to(dtype))


def test_matrix_of_zeros_is_named():
    with pytest.raises(BaseModelError, match=r"^base\.vae: x: weight of the vae is all zeros; take an intact copy$"):
        check_values("base.vae", "x", "vae", linear(0.0))


def test_token_of_zeros_is_accepted():
    module = torch.nn.Module()
    module.mask_token = torch.nn.Parameter(torch.zeros(1, 8))
    check_values("base.model", "x", "unet", module)


def test_large_half_precision_weights_are_summed_without_overflow():
    check_values("base.model", "x", "unet", torch.nn.Linear(300, 300).half().requires_grad_(False).apply(_ten))


def _ten(module):
    torch.nn.init.constant_(module.weight, 10.0)
