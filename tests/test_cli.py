import json
import shutil
import subprocess

import pytest
from conftest import ROOT, change
from PIL import Image
from test_adapter import trained

from gentra_lora.adapter_file import kohya_tensors, write_adapter
from gentra_lora.cli import main
from gentra_lora.params import load_params


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """A git repository with the shipped profiles, its params.yaml committed."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copy(ROOT / "profiles/demo.yaml", tmp_path / "params.yaml")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_profile_is_copied_over_params(profiles, capsys):
    main(["profile", "sd15_t4"])
    assert (profiles / "params.yaml").read_bytes() == (profiles / "profiles/sd15_t4.yaml").read_bytes()
    assert "params.yaml is now profiles/sd15_t4.yaml" in capsys.readouterr().out


def test_profile_refuses_to_lose_edits_that_are_not_committed(profiles):
    edited = (profiles / "params.yaml").read_text().replace("rank: 16", "rank: 12")
    (profiles / "params.yaml").write_text(edited)
    with pytest.raises(SystemExit, match=r"params\.yaml: has edits that are not in git"):
        main(["profile", "sd15_t4"])
    assert (profiles / "params.yaml").read_text() == edited


def test_profile_goes_over_edits_that_are_committed(profiles):
    (profiles / "params.yaml").write_text((profiles / "params.yaml").read_text().replace("rank: 16", "rank: 12"))
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "y"], check=True)
    main(["profile", "demo"])
    assert "rank: 16" in (profiles / "params.yaml").read_text()


def test_one_profile_after_another_needs_no_commit(profiles):
    main(["profile", "sd15_t4"])
    main(["profile", "demo"])


def test_unknown_profile_is_refused_with_the_known_ones(profiles):
    with pytest.raises(SystemExit, match="unknown; there are demo, sd15_a100, sd15_t4"):
        main(["profile", "sdxl"])


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


@pytest.fixture
def demo_project(profiles):
    shutil.copy(ROOT / "dvc.yaml", profiles)
    (profiles / "models").mkdir()
    (profiles / "models/nano-sd").symlink_to(ROOT / "models/nano-sd")
    return profiles


def test_values_are_set_and_comments_stay(demo_project, capsys):
    main(["set", "train.rank=32", "train.learning_rate=5e-05"])
    text = (demo_project / "params.yaml").read_text()
    assert "rank: 32 # the usual choice for one subject" in text
    assert load_params().train.learning_rate == 5e-05
    assert capsys.readouterr().out == "params.yaml: train.rank = 32, train.learning_rate = 5e-05\n"


@pytest.mark.parametrize("edit", ["train.rank=abc", "train.rnk=8", "train.lr_warmup_steps=600"])
def test_value_that_would_not_be_valid_is_refused_and_nothing_is_written(demo_project, edit):
    before = (demo_project / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match=r"(?s)error: .*train\.(rank|rnk)|lr_warmup_steps is 600"):
        main(["set", edit])
    assert (demo_project / "params.yaml").read_bytes() == before


def test_edit_that_is_no_pair_is_refused(demo_project, capsys):
    with pytest.raises(SystemExit):
        main(["set", "train.rank"])
    assert "train.rank is not KEY=VALUE" in capsys.readouterr().err


def test_local_base_is_set_and_watched_by_dvc(demo_project):
    shutil.copytree(ROOT / "models/nano-sd", demo_project / "models/mine")
    main(["base", "models/mine"])
    assert load_params().base.model == "models/mine"
    assert (demo_project / "dvc.yaml").read_text().count("- models/mine\n") == 4


def test_base_that_cannot_be_one_changes_nothing(demo_project):
    before = (demo_project / "dvc.yaml").read_bytes(), (demo_project / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match="owner/name is no path that exists; as a hub id it needs its revision"):
        main(["base", "owner/name"])
    assert ((demo_project / "dvc.yaml").read_bytes(), (demo_project / "params.yaml").read_bytes()) == before


def test_lora_says_how_many_weights_are_trained(demo_project, capsys):
    main(["lora"])
    assert capsys.readouterr().out.startswith("rank 16, alpha 16, on attention+ff+conv: ")
