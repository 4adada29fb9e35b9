import hashlib
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gentra_lora.adapter.file import kohya_tensors, read_adapter, write_adapter
from gentra_lora.adapter.hashes import hashes_of
from gentra_lora.commands.main import main
from gentra_lora.photos.photo import open_upright, sha256_of
from gentra_lora.pictures.engine import PictureEngine
from gentra_lora.pictures.masks import fitted_mask
from gentra_lora.pictures.record import read_record, request_of
from gentra_lora.pictures.request import fitted
from gentra_lora.revisions.weights import Weights
from tests.adapter.test_lora import trained
from tests.conftest import change, make_unet
from tests.tiny_engine import load_engine, put_on

WEIGHTS = Path("models/sport_gentra_lora.safetensors")


@pytest.fixture
def adapted(workspace, tiny_unet):
    write_adapter(WEIGHTS, kohya_tensors(trained(tiny_unet), 2), {"format": "pt"})
    return workspace


def pixels_of(path):
    with Image.open(path) as image:
        return np.array(image)


def test_generate_writes_a_picture_that_says_how_it_was_made(adapted, capsys):
    options = ["--seed", "7", "--scale", "0.5", "--steps", "1", "--sampler", "euler_a", "--negative-prompt", "rain"]
    main(["generate", "gentra in snow", "--out", "a/b.png", *options])
    assert pixels_of("a/b.png").shape == (64, 64, 3)
    written = read_record(Path("a/b.png"))
    assert (written["seed"], written["lora_scale"], written["num_inference_steps"]) == (7, 0.5, 1)
    assert (written["prompt"], written["negative_prompt"]) == ("gentra in snow", "rain")
    assert (written["sampler"], written["precision"], written["strength"]) == ("euler_a", "no", None)
    assert written["base"].startswith("tiny-sd@sha256:")
    assert written["adapter_sha256"] == sha256_of(WEIGHTS)
    tensors, header = read_adapter(WEIGHTS)
    assert written["adapter_model_hash"] == hashes_of(tensors, header)["sshs_model_hash"]
    assert "a/b.png: seed 7" in capsys.readouterr().out


def test_picture_is_the_engines_by_the_adapter_of_the_file(adapted, tiny_base):
    main(["generate", "gentra", "--out", "a.png", "--scale", "0.7"])
    engine = load_engine(tiny_base)
    put_on(engine, read_adapter(WEIGHTS)[0])
    (wanted,) = engine.pictures([request_of(read_record(Path("a.png")))])
    assert np.array_equal(pixels_of("a.png"), wanted)


def test_adapters_tag_in_the_prompt_is_its_strength(adapted):
    main(["generate", "gentra <lora:sport_gentra_lora:0.3>", "--out", "a.png"])
    written = read_record(Path("a.png"))
    assert (written["prompt"], written["lora_scale"], written["adapter"]) == ("gentra", 0.3, "sport_gentra_lora")
    main(["generate", "gentra", "--out", "b.png", "--scale", "0.3"])
    assert np.array_equal(pixels_of("a.png"), pixels_of("b.png"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["gentra <lora:sport_gentra_lora:0.3>", "--scale", "1"], "--scale: is 1, and the prompt's tag says 0.3"),
        (["gentra <lora:other:0.3>"], "prompt: holds '<lora:other:0.3>', and the adapter here is sport_gentra_lora"),
        (["a (red:1.3) gentra"], "'(red:1.3)', a weight"),
        (["gentra", "--negative-prompt", "rain BREAK snow"], "'BREAK', a break"),
    ],
)
def test_notation_of_other_programs_is_refused(adapted, options, message):
    with pytest.raises(SystemExit, match=re.escape(message)):
        main(["generate", *options, "--out", "a.png"])
    assert not Path("a.png").exists()


def test_several_pictures_are_of_seeds_one_after_the_other_each_in_its_file(adapted, tiny_base, capsys):
    main(["generate", "gentra", "--out", "a/b.png", "--seed", "7", "--count", "3"])
    assert sorted(path.name for path in Path("a").iterdir()) == ["b-1.png", "b-2.png", "b-3.png"]
    records = [read_record(Path(f"a/b-{number}.png")) for number in (1, 2, 3)]
    assert [record["seed"] for record in records] == [7, 8, 9]
    engine = load_engine(tiny_base)
    put_on(engine, read_adapter(WEIGHTS)[0])
    wanted = engine.pictures([request_of(record) for record in records])
    for number, picture in enumerate(wanted, 1):
        assert np.array_equal(pixels_of(f"a/b-{number}.png"), picture)
    assert capsys.readouterr().out.splitlines() == [f"a/b-{n}.png: seed {6 + n}, scale 1" for n in (1, 2, 3)]


def test_several_pictures_are_drawn_as_one_batch(adapted, monkeypatch):
    sizes, start = [], PictureEngine.start
    monkeypatch.setattr(
        PictureEngine, "start", lambda self, requests: sizes.append(len(requests)) or start(self, requests)
    )
    main(["generate", "gentra", "--out", "a.png", "--count", "4", "--steps", "1"])
    assert sizes == [4]


def test_last_of_several_seeds_must_be_one_too(adapted):
    with pytest.raises(
        SystemExit, match=rf"error: --seed: the last of 2 pictures would have {2**64}, and {2**64 - 1} is the"
    ):
        main(["generate", "gentra", "--seed", str(2**64 - 1), "--count", "2"])


def test_one_of_several_files_that_cannot_be_written_is_told_before_anything_is_drawn(adapted):
    Path("a-2.png").mkdir()
    with pytest.raises(SystemExit, match=r"error: --out: a-2\.png cannot be written"):
        main(["generate", "gentra", "--count", "2", "--out", "a.png"])
    assert not Path("a-1.png").exists()


def test_size_and_guidance_are_those_asked_for_and_kept(adapted):
    main(["generate", "gentra", "--out", "a.png", "--width", "96", "--height", "72", "--guidance-scale", "0"])
    assert pixels_of("a.png").shape == (72, 96, 3)
    record = read_record(Path("a.png"))
    assert (record["width"], record["height"], record["guidance_scale"]) == (96, 72, 0)


@pytest.mark.parametrize(("side", "shape"), [("--width", (64, 96, 3)), ("--height", (96, 64, 3))])
def test_side_that_is_not_asked_for_is_the_trained_one(adapted, side, shape):
    main(["img2img", "data/raw/images/car1.png", "gentra", "--out", "a.png", side, "96"])
    assert pixels_of("a.png").shape == shape


def test_scale_zero_is_the_base(adapted, tiny_base):
    main(["generate", "gentra", "--out", "a.png", "--scale", "0"])
    (wanted,) = load_engine(tiny_base).pictures([request_of(read_record(Path("a.png")))])
    assert np.array_equal(pixels_of("a.png"), wanted)


def test_picture_by_pulled_weights_names_their_commit(adapted):
    path, commit = Path("weights/sport_gentra_lora.safetensors"), "c" * 40
    path.parent.mkdir()
    shutil.copy(WEIGHTS, path)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    pulled = Weights(path.name, ".", "main", commit, md5, sha256_of(path), path.stat().st_size, {}, {}, {}, None)
    path.with_name("weights.json").write_text(json.dumps(asdict(pulled)))
    main(["generate", "gentra", "--out", "a.png", "--adapter", str(path)])
    main(["generate", "gentra", "--out", "b.png"])
    assert [read_record(Path(name))["commit"] for name in ("a.png", "b.png")] == [commit, None]


def test_img2img_takes_the_centre_of_any_photo_and_all_the_wanted_steps(adapted):
    photo = Path("data/raw/images/car1.png")
    main(["img2img", str(photo), "gentra", "--strength", "0.3", "--steps", "2", "--out", "c.png"])
    assert pixels_of("c.png").shape == (64, 64, 3)
    written = read_record(Path("c.png"))
    assert (written["strength"], written["num_inference_steps"]) == (0.3, 7)
    assert written["photo_sha256"] == sha256_of(photo)
    assert request_of(written, open_upright(photo)).steps_run == 2


def test_img2img_with_a_mask_keeps_the_rest_of_the_photo(adapted):
    photo = Path("data/raw/images/car1.png")
    mask = Image.new("L", pixels_of(photo).shape[1::-1])
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    mask.save("mask.png")
    main(["img2img", str(photo), "gentra", "--mask", "mask.png", "--steps", "2", "--out", "c.png"])
    kept = np.array(fitted_mask(mask, (64, 64))) == 0
    assert np.array_equal(pixels_of("c.png")[kept], np.array(fitted(open_upright(photo), 64, 64))[kept])
    assert not np.array_equal(pixels_of("c.png")[~kept], np.array(fitted(open_upright(photo), 64, 64))[~kept])
    assert read_record(Path("c.png"))["mask_sha256"] == sha256_of("mask.png")


@pytest.mark.parametrize(
    ("size", "message"),
    [(None, "mask: keeps every pixel of it: all is black; paint white"), ((8, 8), r"mask: is 8 x 8 px, and the photo")],
)
def test_mask_that_does_not_fit_its_photo_is_refused_before_anything_is_loaded(workspace, size, message):
    photo = Path("data/raw/images/car1.png")
    Image.new("L", size or pixels_of(photo).shape[1::-1]).save("mask.png")
    with pytest.raises(SystemExit, match=message):
        main(["img2img", str(photo), "gentra", "--mask", "mask.png"])


def test_strength_that_needs_too_long_a_schedule_is_refused_before_anything_is_loaded(workspace):
    with pytest.raises(SystemExit, match=r"strength 0\.001 with 2 steps needs a schedule of 2000 steps"):
        main(["img2img", "data/raw/images/car1.png", "gentra", "--strength", "0.001"])


def test_adapter_of_another_base_is_refused(adapted):
    unet = make_unet()
    other = type(unet).from_config(unet.config, block_out_channels=(16, 48)).requires_grad_(False)
    write_adapter(WEIGHTS, kohya_tensors(trained(other), 2), {"format": "pt"})
    with pytest.raises(SystemExit, match=r"sport_gentra_lora\.safetensors: lora_unet_\w+ is for weights"):
        main(["generate", "gentra"])


def test_prompt_that_is_too_long_is_refused(adapted):
    with pytest.raises(SystemExit, match="the text encoder would not see 'xyz'"):
        main(["generate", "a" * 38 + "xyz"])


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


@pytest.mark.parametrize("steps", ["0", "-3", "1001", "many"])
def test_impossible_number_of_steps_is_refused(workspace, steps, capsys):
    with pytest.raises(SystemExit):
        main(["generate", "gentra", "--steps", steps])
    assert "--steps" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--seed", str(2**64)), ("--seed", "x"), ("--sampler", "dream")])
def test_impossible_seed_or_sampler_is_refused(workspace, option, value, capsys):
    with pytest.raises(SystemExit):
        main(["generate", "gentra", option, value])
    assert option in capsys.readouterr().err


def test_failed_command_leaves_no_empty_picture(workspace):
    with pytest.raises(SystemExit):
        main(["generate", "gentra", "--out", "a.png"])
    assert not (workspace / "a.png").exists()


def test_adapter_of_a_checkpoint_can_be_named(workspace):
    with pytest.raises(SystemExit, match=r"error: other\.safetensors: no such file"):
        main(["generate", "a gentra", "--adapter", "other.safetensors"])


@pytest.mark.parametrize("command", [["generate"], ["img2img", "data/raw/images/car1.png"]])
def test_prompt_without_a_sign_that_is_seen_is_refused_as_empty(workspace, command):
    with pytest.raises(SystemExit, match="error: prompt: is empty; say what to draw"):
        main([*command, "\u200b\u200d", "--negative-prompt", "\u200b"])
