import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from gentra_lora.adapter.file import kohya_tensors, write_adapter
from gentra_lora.commands.main import main
from gentra_lora.commands.regenerate import comparison
from gentra_lora.photos.photo import sha256_of
from gentra_lora.pictures.masks import file_of
from gentra_lora.pictures.record import png_of, read_record
from tests.adapter.test_lora import trained
from tests.conftest import change
from tests.dvc_project import command
from tests.tiny_engine import write_tiny_adapter

WEIGHTS, PHOTO = Path("models/sport_gentra_lora.safetensors"), Path("data/raw/images/car1.png")
OPTIONS = ["--seed", "7", "--scale", "0.5", "--steps", "2", "--sampler", "euler_a", "--negative-prompt", "rain"]


@pytest.fixture
def made(workspace, tiny_unet):
    """The workspace with an adapter and a.png made by it."""
    write_adapter(WEIGHTS, kohya_tensors(trained(tiny_unet), 2), {"format": "pt"})
    main(["generate", "gentra in snow", "--out", "a.png", *OPTIONS])
    return workspace


def pixels_of(path):
    with Image.open(path) as image:
        return np.array(image)


def rewrite(path, **values):
    """Write a PNG of ours again with other values in its record."""
    Path(path).write_bytes(png_of(pixels_of(path), read_record(Path(path)) | values))


def make_repository(folder, weights):
    """Make a git repository whose commit says that these weights were trained, in DVC's cache; return the commit."""
    md5 = hashlib.md5(weights.read_bytes()).hexdigest()
    folder.mkdir()
    command(folder, "git", "init", "-q", "-b", "main")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").touch()
    out = f"outs:\n    - path: {WEIGHTS}\n      hash: md5\n      md5: {md5}\n      size: {weights.stat().st_size}\n"
    (folder / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  train:\n    cmd: x\n    {out}")
    (folder / "dvc.yaml").write_text(f"stages:\n  train:\n    cmd: x\n    outs: [{WEIGHTS}]\n")
    (folder / "params.yaml").write_text("base: {model: x}\n")
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-qm", "trained")
    kept = folder / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"
    kept.parent.mkdir(parents=True)
    shutil.copy(weights, kept)
    return command(folder, "git", "rev-parse", "HEAD").strip()


def test_picture_of_a_prompt_is_made_again_with_its_record(made, capsys):
    main(["regenerate", "a.png"])
    assert capsys.readouterr().out.endswith("regenerated.png: the same picture\n")
    assert np.array_equal(pixels_of("regenerated.png"), pixels_of("a.png"))
    assert read_record(Path("regenerated.png")) == read_record(Path("a.png"))


def test_photo_is_redrawn_again(made, capsys):
    main(["img2img", str(PHOTO), "gentra", "--strength", "0.4", "--steps", "2", "--out", "b.png"])
    main(["regenerate", "b.png", "--photo", str(PHOTO), "--out", "c/d.png"])
    assert capsys.readouterr().out.endswith("c/d.png: the same picture\n")
    assert read_record(Path("c/d.png")) == read_record(Path("b.png"))


def test_part_of_a_photo_is_redrawn_again_by_the_same_mask(made, capsys):
    mask = Image.new("L", pixels_of(PHOTO).shape[1::-1])
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    mask.save("mask.png")
    words = ["--photo", str(PHOTO), "--out", "c.png"]
    main(["img2img", str(PHOTO), "gentra", "--mask", "mask.png", "--steps", "2", "--out", "b.png"])
    with pytest.raises(SystemExit, match=r"b\.png: redraws a part of a photo; name the mask \(sha256 \w+\) with"):
        main(["regenerate", "b.png", *words])
    with pytest.raises(SystemExit, match=r"--mask: .* is not what b\.png was made with; the file with sha256 \w+ is"):
        main(["regenerate", "b.png", *words, "--mask", str(PHOTO)])
    with pytest.raises(SystemExit, match=r"--mask: a\.png was made without one; leave it out"):
        main(["regenerate", "a.png", "--mask", "mask.png"])
    main(["regenerate", "b.png", *words, "--mask", "mask.png"])
    assert capsys.readouterr().out.endswith("c.png: the same picture\n")
    assert read_record(Path("c.png")) == read_record(Path("b.png"))


def test_region_is_drawn_and_put_back_again_by_the_mask_as_it_was_sent(made, capsys):
    size = pixels_of(PHOTO).shape[1::-1]
    mask = Image.new("L", size)
    mask.paste(255, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    mask.save("mask.png")
    words = ["--mask", "mask.png", "--mask-content", "fill", "--mask-padding", "8"]
    main(["img2img", str(PHOTO), "gentra", *words, "--steps", "2", "--out", "b.png"])
    assert pixels_of("b.png").shape == pixels_of(PHOTO).shape
    again = ["regenerate", "b.png", "--photo", str(PHOTO), "--mask", "mask.png", "--out", "c.png"]
    main(again)
    assert capsys.readouterr().out.endswith("c.png: the same picture\n")
    rewrite("b.png", mask_blur=3.0, mask_inverted=True)  # as one of A1111's clients may ask for it
    main(again)
    assert "differs by at most" in capsys.readouterr().out
    Path("b.png").write_bytes(png_of(pixels_of("b.png")[:-1], read_record(Path("b.png"))))
    with pytest.raises(SystemExit, match=rf"was made at {size[0]} x {size[1]}; take the file as it was made"):
        main(again)


def test_mask_of_openais_clients_is_taken_as_they_have_it(made, capsys):
    size = pixels_of(PHOTO).shape[1::-1]
    holes = Image.new("L", size)
    holes.paste(255, (0, 0, size[0] // 2, size[1]))
    Path("holes.bmp").write_bytes(file_of(holes))
    theirs = Image.new("RGB", size)
    theirs.putalpha(ImageOps.invert(holes))
    theirs.save("theirs.png")
    main(["img2img", str(PHOTO), "gentra", "--mask", "holes.bmp", "--steps", "2", "--out", "b.png"])
    main(["regenerate", "b.png", "--photo", str(PHOTO), "--out", "c.png", "--mask", "theirs.png"])
    assert capsys.readouterr().out.endswith("c.png: the same picture\n")


@pytest.mark.parametrize("photo", [False, True])
def test_each_of_several_pictures_of_another_size_and_guidance_is_made_again(made, capsys, photo):
    words = ["img2img", str(PHOTO), "gentra", "--strength", "0.5"] if photo else ["generate", "gentra"]
    main([*words, "--count", "3", "--guidance-scale", "2.5", "--width", "96", "--height", "72", "--out", "b.png"])
    for number in (1, 2, 3):
        main(["regenerate", f"b-{number}.png", "--out", "again.png", *(["--photo", str(PHOTO)] if photo else [])])
        assert read_record(Path("again.png")) == read_record(Path(f"b-{number}.png"))
        # Drawn alone and drawn beside others, a picture may differ in its last bit.
        apart = np.abs(pixels_of("again.png").astype(int) - pixels_of(f"b-{number}.png")).max()
        assert apart <= 1
        assert (
            capsys.readouterr()
            .out.splitlines()[-1]
            .startswith("again.png: the same picture" if apart == 0 else "again.png: differs by at most 1 of 255")
        )


def test_picture_that_differs_is_told_by_how_much_and_by_which_torch(made, capsys):
    pixels = pixels_of("a.png")
    pixels[0, 0, 0] = pixels[0, 0, 0] + 3 if pixels[0, 0, 0] < 128 else pixels[0, 0, 0] - 3
    Path("a.png").write_bytes(png_of(pixels, read_record(Path("a.png")) | {"torch": "2.0.1"}))
    main(["regenerate", "a.png"])
    told = capsys.readouterr().out
    assert (
        "differs by at most 3 of 255 levels, as other hardware, another torch or other pictures drawn beside it explain"
        in told
    )
    assert f"(torch 2.0.1 then, {torch.__version__} now)" in told
    assert read_record(Path("regenerated.png"))["torch"] == torch.__version__


def test_torch_is_named_only_where_it_is_another():
    black, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 9, np.uint8)
    assert comparison(grey, black, torch.__version__).endswith("beside it explain")
    assert comparison(grey, grey, "2.0.1") == "the same picture"


def test_weights_that_are_not_here_are_pulled_at_the_records_commit(made, tmp_path, capsys):
    commit = make_repository(tmp_path / "elsewhere", WEIGHTS)
    rewrite("a.png", commit=commit)
    write_tiny_adapter(WEIGHTS, 3.0)
    main(["regenerate", "a.png", "--repo", str(tmp_path / "elsewhere")])
    assert "the same picture" in capsys.readouterr().out
    assert sha256_of(f"weights/{commit[:12]}/{WEIGHTS.name}") == read_record(Path("a.png"))["adapter_sha256"]


def test_commit_with_other_weights_is_refused(made, tmp_path):
    write_tiny_adapter(Path("other.safetensors"), 3.0)
    commit, wanted = make_repository(tmp_path / "elsewhere", Path("other.safetensors")), sha256_of(WEIGHTS)
    rewrite("a.png", commit=commit)
    WEIGHTS.unlink()
    words = rf"a\.png: was made by the weights with sha256 {wanted}, commit {commit}; .*, nor are those of that commit"
    with pytest.raises(SystemExit, match=words):
        main(["regenerate", "a.png", "--repo", str(tmp_path / "elsewhere")])


def test_repository_without_the_commit_is_refused_with_the_weights_that_are_wanted(made):
    wanted = sha256_of(WEIGHTS)
    rewrite("a.png", commit="c" * 40)
    WEIGHTS.unlink()
    with pytest.raises(SystemExit, match=rf"weights with sha256 {wanted}, commit {'c' * 40}; .* and nowhere at c"):
        main(["regenerate", "a.png", "--repo", "nowhere"])


def test_other_weights_are_refused_where_no_commit_is_known(made):
    wanted = sha256_of(WEIGHTS)
    write_tiny_adapter(WEIGHTS, 3.0)
    words = rf"sha256 {wanted}, commit unknown; models/\S+ is not them: name their file with --adapter"
    with pytest.raises(SystemExit, match=words):
        main(["regenerate", "a.png"])


def test_weights_may_lie_anywhere(made, capsys):
    WEIGHTS.rename("moved.safetensors")
    main(["regenerate", "a.png", "--adapter", "moved.safetensors"])
    assert "the same picture" in capsys.readouterr().out


def test_other_base_is_refused_with_the_one_that_is_wanted(made):
    rewrite("a.png", base="owner/other@" + "1" * 40)
    words = rf"base\.model: is tiny-sd@sha256:\w+, and a\.png was made on owner/other@{'1' * 40}"
    with pytest.raises(SystemExit, match=words):
        main(["regenerate", "a.png"])


def test_precision_that_this_device_has_not_is_refused(made):
    rewrite("a.png", precision="fp16")
    with pytest.raises(SystemExit, match=r"a\.png: was made in fp16, and fp16 needs a GPU, and there is none; take"):
        main(["regenerate", "a.png"])


def test_photo_must_be_given_and_the_very_file(made):
    main(["img2img", str(PHOTO), "gentra", "--steps", "1", "--out", "b.png"])
    sha256 = sha256_of(PHOTO)
    with pytest.raises(SystemExit, match=rf"b\.png: redraws a photo; name its file \(sha256 {sha256}\) with --photo"):
        main(["regenerate", "b.png"])
    other = str(PHOTO.with_name("car2.png"))
    with pytest.raises(
        SystemExit, match=rf"--photo: {other} is not what b\.png redraws; the file with sha256 {sha256}"
    ):
        main(["regenerate", "b.png", "--photo", other])
    with pytest.raises(SystemExit, match=r"--photo: a\.png was made of its prompt alone; leave it out"):
        main(["regenerate", "a.png", "--photo", str(PHOTO)])


def test_picture_that_was_scaled_since_is_refused(made):
    record = read_record(Path("a.png"))
    Path("a.png").write_bytes(png_of(pixels_of("a.png")[:32, :48], record))
    with pytest.raises(
        SystemExit, match=r"a\.png: is 48 x 32 px and was made at 64 x 64; take the file as it was made"
    ):
        main(["regenerate", "a.png"])


def test_picture_of_another_program_is_refused(workspace):
    with pytest.raises(SystemExit, match=r"car1\.png: does not say how it was made"):
        main(["regenerate", str(PHOTO)])


def test_what_is_refused_is_refused_before_any_model_is_loaded(made, monkeypatch):
    monkeypatch.setattr("gentra_lora.pictures.engine.load_pipeline", None)
    for values in ({"base": "other"}, {"precision": "fp16"}, {"adapter_sha256": "0" * 64}, {"strength": 0.5}):
        before = Path("a.png").read_bytes()
        rewrite("a.png", **values)
        with pytest.raises(SystemExit, match="error: "):
            main(["regenerate", "a.png"])
        Path("a.png").write_bytes(before)
    with pytest.raises(SystemExit, match=r"--out: a\.jpg must end in \.png"):
        main(["regenerate", "a.png", "--out", "a.jpg"])
    change(made, "base", model="nothing/there")
    with pytest.raises(SystemExit, match=r"base\.model: nothing/there"):
        main(["regenerate", "a.png"])
    assert not Path("regenerated.png").exists()
