import pytest

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.service.a1111.samplers import check_noise, sampler_of
from gentra_lora.service.errors import ServiceError


@pytest.mark.parametrize(
    ("name", "schedule", "key"),
    [
        (None, None, "dpmpp_2m"),
        ("", "", "dpmpp_2m"),
        (None, "karras", "dpmpp_2m_karras"),
        ("Euler a", "automatic", "euler_a"),
        ("DPM++ 2M", "Automatic", "dpmpp_2m"),
        ("DPM++ 2M", "Karras", "dpmpp_2m_karras"),
        ("DPM++ 2M Karras", None, "dpmpp_2m_karras"),
        ("DPM++ 2M Karras", "Karras", "dpmpp_2m_karras"),
        ("DDIM", "sgm_uniform", "ddim"),
        ("euler", "SGM Uniform", "euler"),
    ],
)
def test_sampler_is_found_by_a1111s_names_of_any_age(name, schedule, key):
    assert sampler_of(name, schedule) == key


@pytest.mark.parametrize(
    ("name", "schedule", "param", "words"),
    [
        ("Heun", None, "sampler_name", "must be one of DPM++ 2M, DPM++ 2M Karras, "),
        ("Euler", "Karras", "scheduler", "must be Automatic or SGM Uniform for Euler"),
        ("DPM++ 2M", "Exponential", "scheduler", "must be Automatic or SGM Uniform or Karras for DPM++ 2M"),
        ("DPM++ 2M Karras", "SGM Uniform", "scheduler", "must be Automatic or Karras for DPM++ 2M Karras"),
    ],
)
def test_sampler_that_is_not_here_is_refused_with_those_that_are(name, schedule, param, words):
    with pytest.raises(ServiceError) as refused:
        sampler_of(name, schedule)
    assert refused.value.param == param
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("sampler", "eta", "s_noise", "param"),
    [("euler_a", 0.5, 1, "eta"), ("dpmpp_2m_sde", 1, 0.9, "s_noise"), ("ddim", 1.0, 1, "eta")],
)
def test_noise_that_a_sampler_would_have_to_heed_is_refused(sampler, eta, s_noise, param):
    with pytest.raises(ServiceError) as refused:
        check_noise(sampler, eta=eta, s_noise=s_noise)
    assert refused.value.param == param


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_noise_that_was_not_said_is_the_samplers_own(sampler):
    check_noise(sampler, eta=None, s_noise=None)


def test_samplers_that_do_not_look_at_the_noise_take_any():
    check_noise("euler", eta=0.3, s_noise=0.7)
