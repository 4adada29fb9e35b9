import json

import pytest
from conftest import change
from PIL import Image
from test_adapter import trained

from gentra_lora.adapter_file import kohya_tensors, write_adapter
from gentra_lora.cli import main


@pytest.fixture
def adapted(workspace, tiny_unet):
    write_adapter(
        workspace / "models/sport_gentra_lora.safetensors", kohya_tensors(trained(tiny_unet), 2), {"format": "pt"}
    )
    return workspace


def test_generate_writes_a_picture_that_says_how_it_was_made(adapted, capsys):
    main(["generate", "gentra in snow", "--out", "a/b.png", "--seed", "7", "--scale", "0.5", "--steps", "1"])
    image = Image.open("a/b.png")
    assert image.size == (64, 64)
    written = json.loads(image.text["gentra"])
    assert (written["seed"], written["scale"], written["num_inference_steps"]) == (7, 0.5, 1)
    assert written["base"].startswith("tiny-sd@sha256:")
    assert "a/b.png: seed 7" in capsys.readouterr().out


def test_img2img_takes_any_photo(adapted):
    main(["img2img", "data/raw/images/car1.png", "gentra", "--strength", "0.6", "--out", "c.png"])
    assert json.loads(Image.open("c.png").text["gentra"])["strength"] == 0.6


def test_missing_photo_is_an_error_without_a_traceback(adapted):
    with pytest.raises(SystemExit, match=r"nothing\.jpg: cannot be read"):
        main(["img2img", "nothing.jpg", "gentra"])


def test_missing_adapter_is_an_error_with_the_way_out(workspace):
    with pytest.raises(SystemExit, match=r"sport_gentra_lora\.safetensors: no such file; `dvc repro` trains it"):
        main(["generate", "gentra"])


def test_output_that_is_no_png_is_refused_before_anything_is_loaded(workspace):
    change(workspace, "base", model="nothing/there")
    with pytest.raises(SystemExit, match=r"--out: a\.jpg must end in \.png"):
        main(["generate", "gentra", "--out", "a.jpg"])


def test_output_that_cannot_be_written_is_refused(workspace):
    with pytest.raises(SystemExit, match="--out: params.yaml/a.png cannot be written"):
        main(["generate", "gentra", "--out", "params.yaml/a.png"])


@pytest.mark.parametrize("strength", ["0", "1.5", "much"])
def test_impossible_strength_is_refused(workspace, strength, capsys):
    with pytest.raises(SystemExit):
        main(["img2img", "a.png", "gentra", "--strength", strength])
    assert "--strength" in capsys.readouterr().err


@pytest.mark.parametrize("steps", ["0", "-3", "many"])
def test_impossible_number_of_steps_is_refused(workspace, steps, capsys):
    with pytest.raises(SystemExit):
        main(["generate", "gentra", "--steps", steps])
    assert "--steps" in capsys.readouterr().err


def test_failed_command_leaves_no_empty_picture(workspace):
    with pytest.raises(SystemExit):
        main(["generate", "gentra", "--out", "a.png"])
    assert not (workspace / "a.png").exists()


def test_summary_before_the_first_run_says_what_to_do(workspace):
    with pytest.raises(SystemExit, match="nothing to show yet; run `dvc repro`"):
        main(["summary"])


def test_summary_shows_times_metrics_and_pictures(workspace, capsys):
    (workspace / "reports/images").mkdir(parents=True)
    (workspace / "reports/metrics.json").write_text(json.dumps({"val_loss": 0.03, "val_loss_base": 0.06}))
    (workspace / "reports/stage_seconds.json").write_text(json.dumps({"train": 12.5}))
    main(["summary"])
    shown = capsys.readouterr().out
    assert "train               12.5" in shown
    assert "0.0300" in shown
    assert "reports/images/grid.png" in shown


def test_adapter_of_a_checkpoint_can_be_named(workspace):
    with pytest.raises(SystemExit, match=r"error: other\.safetensors: no such file"):
        main(["generate", "a gentra", "--adapter", "other.safetensors"])
