import pytest
import torch

from gentra_lora.base.model import BaseSource
from gentra_lora.pictures.engine import NotFiniteError, PictureEngine
from gentra_lora.service.jobs.pace import Pace
from gentra_lora.service.jobs.revision import RevisionError, find_revision
from gentra_lora.service.jobs.warm_up import warm_up
from tests.serving import settings_for, write_serving_adapter
from tests.tiny_engine import request


@pytest.fixture
def engine(tiny_base):
    return PictureEngine(BaseSource(str(tiny_base)), "no", torch.device("cpu"))


def served_on(engine, path, tiny_base, std):
    write_serving_adapter(path, tiny_base, std=std)
    revision = find_revision(settings_for(path.parent, weights=path, base=str(tiny_base)))
    engine.adapter.use(engine.adapter.fit("a", revision.tensors))
    return revision


def test_adapter_that_is_seen_in_a_picture_passes_and_previews_work_from_then_on(engine, tiny_base, tmp_path):
    warm_up(engine, served_on(engine, tmp_path / "a.safetensors", tiny_base, 0.1), pace := Pace())
    assert pace.seconds(request(width=64, height=64)) > 0
    assert engine.preview(torch.zeros(4, 16, 16)).shape == (16, 16, 3)


def test_adapter_that_no_picture_shows_is_refused(engine, tiny_base, tmp_path):
    with pytest.raises(RevisionError, match="its picture is the base's"):
        warm_up(engine, served_on(engine, tmp_path / "a.safetensors", tiny_base, 1e-6), Pace())


def test_base_that_gives_nothing_finite_is_refused(engine, tiny_base, tmp_path):
    revision = served_on(engine, tmp_path / "a.safetensors", tiny_base, 0.1)
    torch.nn.init.constant_(engine.unet.conv_out.bias, float("nan"))
    with pytest.raises(NotFiniteError):
        warm_up(engine, revision, Pace())
