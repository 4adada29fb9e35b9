import json
import math
from dataclasses import asdict

import pytest

from gentra_lora.errors import InputError
from gentra_lora.evaluation.noise_floor import fitting_noise, read_noise, spread_of
from tests.scored import SETUP

MEASURES = [{"val_loss": value, "drift": 0.2, "diversity": None} for value in (0.050, 0.052, 0.051)]
METRICS = [{"val_loss": value, "gap_closed": None} for value in (0.050, 0.052, 0.051)]


@pytest.fixture
def noise():
    return spread_of(SETUP, [1, 2, 3], MEASURES, METRICS)


def test_spread_is_the_standard_deviation_and_what_is_no_number_is_left_out(noise):
    assert noise.measures == {"val_loss": 0.001, "drift": 0.0}
    assert noise.metrics == {"val_loss": {"mean": 0.051, "sd": 0.001, "values": [0.050, 0.052, 0.051]}}


def test_threshold_allows_for_the_few_runs_and_for_both_being_noisy(noise):
    assert noise.threshold("val_loss") == pytest.approx(4.303 * math.sqrt(2) * 0.001, rel=1e-3)
    assert noise.threshold("diversity") is None


def test_file_comes_back_and_an_empty_one_is_not_measured(noise):
    assert read_noise(json.dumps(asdict(noise))) == noise
    assert read_noise("{}") is None
    with pytest.raises(InputError, match=r"reports/noise\.json: cannot be read"):
        read_noise('{"seeds": [1]}')


def test_noise_of_another_set_up_is_not_used(noise, tmp_path):
    path = tmp_path / "noise.json"
    assert fitting_noise(path, SETUP) is None
    path.write_text(json.dumps(asdict(noise)))
    assert fitting_noise(path, SETUP | {"device": "T4"}) == noise
    for changed in ({"num_inference_steps": 25}, {"base": "other@2"}, {"prompts": ["on Mars"]}):
        assert fitting_noise(path, SETUP | changed) is None
