import shutil
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from PIL import Image

from gentra_lora.base.model import BaseSource, load_unet
from gentra_lora.pictures.sampling_pipeline import Settings, load_sampler
from gentra_lora.training import samples
from gentra_lora.training.batches import TrainingData
from gentra_lora.training.run import Training
from gentra_lora.training.samples import Samples
from tests.conftest import cached_photos
from tests.training.test_run import config, weights


@pytest.fixture
def training(tiny_base):
    data = TrainingData(cached_photos(), torch.zeros(40, 32), 0.5)
    unet = load_unet(BaseSource(str(tiny_base)), torch.float32)
    scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    return Training(unet, scheduler, data, config(learning_rate=0.05, ema_decay=0.9), Accelerator())


@pytest.fixture
def drawing(training, tiny_base, tmp_path):
    pipeline = load_sampler(BaseSource(str(tiny_base)), torch.float32, torch.device("cpu"), training.unet)
    folders = (tmp_path / name for name in ("kept", "shown", "adapters"))
    return Samples(2, pipeline, ["a car", "a van"], 1, Settings(64, 2, 3.0), *folders)


def test_sheet_shows_the_adapter_as_it_is_and_lies_in_both_folders(training, drawing, tmp_path):
    assert drawing.draw(training) is None
    for _ in range(3):
        training.run_step()
    assert drawing.draw(training) is None
    names = ["step-0000000.png", "step-0000003.png"]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == names
    first, later = ((tmp_path / "shown" / name).read_bytes() for name in names)
    assert first != later
    with Image.open(tmp_path / "shown" / names[1]) as sheet:
        assert sheet.size[0] > 2 * 150


def test_drawing_leaves_weights_mode_and_random_state(training, drawing):
    training.run_step()
    before, state = weights(training), torch.get_rng_state()
    drawing.draw(training)
    after = weights(training)
    assert all(torch.equal(a, b) for name in before for a, b in zip(before[name], after[name], strict=True))
    assert training.unet.training
    assert torch.equal(torch.get_rng_state(), state)


def test_pictures_are_decoded_outside_of_autocast(training, drawing):
    training.accelerator = SimpleNamespace(autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    seen = {}
    for name, part in (("denoised", training.unet), ("decoded", drawing.pipeline.vae.decoder)):
        part.register_forward_pre_hook(lambda *_, name=name: seen.update({name: torch.is_autocast_enabled("cpu")}))
    assert drawing.draw(training) is None
    assert seen == {"denoised": True, "decoded": False}


def test_failure_is_returned_and_the_mode_and_weights_come_back(training, drawing, monkeypatch):
    def out_of_memory(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    training.run_step()
    before = weights(training)
    monkeypatch.setattr(samples, "generate_latents", out_of_memory)
    assert "out of memory" in str(drawing.draw(training))
    after = weights(training)
    assert all(torch.equal(a, b) for name in before for a, b in zip(before[name], after[name], strict=True))
    assert training.unet.training


def test_fault_of_the_program_is_not_taken_for_lack_of_memory(training, drawing, monkeypatch):
    monkeypatch.setattr(samples, "generate_latents", lambda *_: SimpleNamespace().nothing)
    with pytest.raises(AttributeError):
        drawing.draw(training)


def test_sheets_and_adapters_up_to_the_resumed_step_are_there_again(drawing, tmp_path):
    (tmp_path / "kept").mkdir()
    for step in (2, 4, 6):
        (tmp_path / f"kept/step-{step:07d}.png").write_bytes(b"sheet")
        drawing.keep_adapter(step, {"alpha": torch.ones(1)}, {"format": "pt"})
    for folder in ("shown", "adapters"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
    drawing.show_earlier(4)
    for folder, suffix in (("shown", "png"), ("adapters", "safetensors")):
        names = [f"step-000000{step}.{suffix}" for step in (2, 4)]
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == names


def test_adapter_that_cannot_be_kept_is_a_reason_and_no_end(drawing, tmp_path):
    (tmp_path / "adapters").write_text("in the way")
    assert isinstance(drawing.keep_adapter(1, {"alpha": torch.ones(1)}, {"format": "pt"}), OSError)
