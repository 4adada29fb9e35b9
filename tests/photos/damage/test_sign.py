import pytest

from gentra_lora.photos.damage.sign import LONG_RUN, has_long_run


@pytest.mark.parametrize("before", [0, 1, 127, 128, 129, 1000])
@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"a"])
def test_run_is_found_wherever_it_lies_from_its_length_on(before, byte):
    other = b"xy" * 800
    assert has_long_run(other[:before] + byte * LONG_RUN + other[:300])
    assert not has_long_run(other[:before] + byte * (LONG_RUN - 1) + other[:300])


@pytest.mark.parametrize("data", [b"", b"a", bytes(LONG_RUN - 1)])
def test_short_data_holds_none(data):
    assert not has_long_run(data)
