from gentra_lora.base.sampler_names import DEFAULT, SAMPLER_NAMES
from gentra_lora.base.samplers import SAMPLERS


def test_names_are_those_of_the_samplers_in_their_order():
    assert tuple(SAMPLERS) == SAMPLER_NAMES
    assert DEFAULT in SAMPLER_NAMES
