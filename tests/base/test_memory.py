import pytest
import torch

from gentra_lora.base.memory import ran_out


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.0 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDNN_STATUS_ALLOC_FAILED: not enough memory"),
    ],
)
def test_every_word_for_too_little_memory_is_understood(error):
    assert ran_out(error)


def test_too_large_a_tensor_on_this_machine_says_it_in_one_of_them():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert ran_out(caught.value)


def test_other_errors_are_not_taken_for_it():
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
