import shutil

import pytest


@pytest.fixture
def base(tiny_base, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    return folder
