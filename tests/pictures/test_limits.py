import pytest
import torch

from gentra_lora.pictures.limits import LEAST_SEED, MOST_SEED
from gentra_lora.pictures.sampling_pipeline import generators


@pytest.mark.parametrize(("seed", "beyond"), [(LEAST_SEED, LEAST_SEED - 1), (MOST_SEED, MOST_SEED + 1)])
def test_seeds_are_those_that_torch_takes(seed, beyond):
    assert isinstance(generators([seed])[0], torch.Generator)
    with pytest.raises((RuntimeError, ValueError, OverflowError)):
        generators([beyond])
