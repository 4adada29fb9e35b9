import pytest
from dvc.utils.serialize import loads_yaml

from gentra_lora.params_text import ParamsTextError, parse_params
from tests.params_walk import WORDS

SCALARS = ("no", "on", "1e5", "5e-05", "5E-5", ".5", "-.5", ".5e5", "1.", "+1.", "1.5e3", "007", "-0", "0o14", "014")
SCALARS += ("0b1", "1_000", "1:30", "1:30:00", "-.inf", "True", "FALSE", "Null", "", "2026-11-25T10:00:00Z", "!!str 7")
SCALARS += ("'no'", '"1e5"', "[no, 1e3, ~]", "{b: on}", "1\na: 2", "&b 1\nb: *b", "{<<: {b: 1}}", "|\n b\n", "!!float")


@pytest.mark.parametrize("text", [*SCALARS, *WORDS])
def test_what_is_read_is_what_dvc_reads(text):
    text = f"a: {text}"
    try:
        wanted = loads_yaml(text)
    except Exception:
        with pytest.raises(ParamsTextError):
            parse_params(text, "params.yaml")
    else:
        assert repr(parse_params(text, "params.yaml")) == repr(wanted)
