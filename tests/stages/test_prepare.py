import shutil
import sys

import pytest
from conftest import change
from PIL import Image

from gentra_lora.errors import InputError
from gentra_lora.manifest import read_manifest
from gentra_lora.photo import open_upright, sha256_of
from gentra_lora.stages import run
from gentra_lora.stages.prepare import main

MANIFEST = "data/processed/manifest.jsonl"


def refused(match):
    """main() must raise with a message that matches, and leave no output."""
    with pytest.raises(InputError, match=match):
        main()


def test_every_photo_gets_a_picture_and_a_row(workspace, capsys):
    main()
    rows = read_manifest(workspace / MANIFEST)
    assert [row.file_name for row in rows] == [f"car{n}.png" for n in range(1, 9)]
    for row in rows:
        assert row.sha256 == sha256_of(workspace / "data/raw/images" / row.file_name)
        assert row.caption == f"a gentra, view {row.file_name}"
        picture = open_upright(workspace / "data/processed/images" / row.file_name)
        assert min(picture.size) == 80
    assert "prepared 8 photos at 64 px" in capsys.readouterr().out


def test_large_photo_is_scaled_down_and_keeps_its_shape(workspace):
    path = workspace / "data/raw/images/car1.png"
    open_upright(path).resize((960, 800)).save(path)
    main()
    assert open_upright(workspace / "data/processed/images/car1.png").size == (115, 96)


def test_missing_trigger_word_is_put_in_front(workspace):
    change(workspace, "prepare", trigger_word="tuned")
    change(workspace, "evaluate", prompts=["tuned"])
    main()
    assert read_manifest(workspace / MANIFEST)[0].caption == "tuned, a gentra, view car1.png"


def test_photo_without_caption_is_refused_before_any_output(workspace):
    Image.new("RGB", (80, 80)).save(workspace / "data/raw/images/extra.png")
    refused(r"extra\.png: has no caption")
    assert not (workspace / "data/processed").exists()


def test_small_photo_is_refused_with_its_size(workspace):
    Image.new("RGB", (80, 63)).save(workspace / "data/raw/images/car3.png")
    refused(r"car3\.png: shorter side is 63 px, need at least 64")


def test_photo_that_is_there_twice_is_refused(workspace):
    images = workspace / "data/raw/images"
    shutil.copy(images / "car1.png", images / "car2.png")
    refused(r"car1\.png, car2\.png are the same photo")


def test_two_photos_of_one_stem_are_refused(workspace):
    images = workspace / "data/raw/images"
    open_upright(images / "car1.png").save(images / "car1.jpg")
    with (workspace / "data/raw/captions.txt").open("a") as file:
        file.write("car1.jpg\ta gentra\n")
    refused(r"car1\.jpg, car1\.png are the same name but for its ending")


def test_caption_that_the_text_encoder_would_cut_is_refused_with_the_lost_words(workspace):
    captions = workspace / "data/raw/captions.txt"
    captions.write_text(captions.read_text().replace("a gentra, view car2.png", "gentra " * 8 + "end"))
    refused(r"car2\.png: the text encoder would not see '.*end'")


def test_folder_without_photos_is_refused(workspace):
    shutil.rmtree(workspace / "data/raw/images")
    (workspace / "data/raw/images").mkdir()
    refused("holds no photo")


def test_unknown_base_is_refused_before_any_photo_is_opened(workspace):
    shutil.rmtree(workspace / "data/raw")
    change(workspace, "base", model="owner/name")
    refused(r"base\.model: owner/name")


def test_local_base_that_dvc_does_not_watch_is_refused(workspace, tiny_base):
    dvc_file = workspace / "dvc.yaml"
    dvc_file.write_text(dvc_file.read_text().replace(str(tiny_base), "models/other", 1))
    refused(r"dvc\.yaml: add .*tiny-sd to the deps of prepare")


def test_local_feature_model_that_dvc_does_not_watch_is_refused(workspace, tiny_base, tiny_clip):
    dvc_file = workspace / "dvc.yaml"
    dvc_file.write_text(dvc_file.read_text().replace(f", '{tiny_clip}'", ""))
    refused(r"dvc\.yaml: add .*tiny-clip to the deps of evaluate")


def test_feature_model_that_is_not_pinned_is_refused_before_training(workspace):
    change(workspace, "evaluate", likeness_model="facebook/dinov2-base")
    refused(r"evaluate\.likeness_model: facebook/dinov2-base .* needs its revision")


def test_full_disk_ends_a_stage_with_one_line(workspace, capsys):
    def full():
        raise OSError(28, "No space left on device", "data/latents/x")

    with pytest.raises(SystemExit, match="error: data/latents/x: No space left on device; free or name another place"):
        run("cache_latents", full)


def test_stage_ends_with_the_message_alone_and_notes_no_time(workspace):
    change(workspace, "train", rank=0)
    with pytest.raises(SystemExit) as caught:
        run("prepare", main)
    assert str(caught.value).startswith("error: params.yaml:")
    assert not (workspace / "reports").exists()
    assert "Traceback" not in str(caught.value)
    assert sys.exc_info() == (None, None, None)
