import random
import time
from itertools import combinations
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gentra_lora.base.model import BaseSource, load_text_encoder, load_tokenizer
from gentra_lora.latents.base_predictions import load_predictions
from gentra_lora.latents.cached_photos import load_split, read_empty_prompt, read_index
from gentra_lora.latents.class_pictures import ClassPictures
from gentra_lora.latents.posteriors import encode_prompt, token_ids
from gentra_lora.params import load_params
from gentra_lora.photos.manifest import read_manifest
from gentra_lora.photos.photo import open_upright
from gentra_lora.stages import cache_latents, prepare
from tests.conftest import change

FOLDER = "data/latents"


def content(folder=FOLDER):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_each_photo_is_cached_under_its_own_caption_and_split(cached):
    rows = {row.file_name: row for row in read_manifest(cached / "data/processed/manifest.jsonl")}
    listed = read_index(cached / FOLDER)["photos"]
    assert {row["file_name"]: (row["sha256"], row["split"]) for row in listed} == {
        name: (row.sha256, row.split) for name, row in rows.items()
    }


def test_training_photos_have_all_crop_variants_and_held_out_ones_only_the_centre(cached):
    for split, crops in (("train", 2), ("held_out", 1)):
        photos = load_split(cached / FOLDER, split)
        assert photos.crops == crops
        assert set(photos.shapes) == {(4, 16, 16)}


def test_empty_prompt_is_cached_for_dropped_captions(cached):
    assert read_empty_prompt(cached / FOLDER).shape == (40, 32)


def test_folder_holds_exactly_the_files_of_the_current_set(cached):
    (cached / FOLDER / "old.safetensors").write_bytes(b"")
    cache_latents.main()
    index = read_index(cached / FOLDER)
    keys = [row["key"] for row in index["photos"]] + [index["empty_prompt"]]
    keys += index["class_pictures"] + index["base_predictions"]
    assert {path.name for path in (cached / FOLDER).iterdir()} == {
        "index.json",
        *(f"{key}.safetensors" for key in keys),
    }


def test_second_run_encodes_nothing_and_says_so(cached, capsys):
    before = content()
    cache_latents.main()
    assert (
        "0 encoded, 0 captions embedded, 0 class pictures drawn, 0 base predictions made, the rest was there"
        in capsys.readouterr().out
    )
    assert content() == before


def test_added_photo_is_the_only_one_encoded_though_prepare_ran_again(cached, capsys):
    Image.radial_gradient("L").resize((90, 90)).save(cached / "data/raw/images/new.png")
    with (cached / "data/raw/captions.txt").open("a") as file:
        file.write("new.png\ta gentra\n")
    prepare.main()
    cache_latents.main()
    assert ": 1 encoded, 1 captions embedded" in capsys.readouterr().out


def test_buckets_keep_the_photos_shape(workspace):
    change(workspace, "prepare", aspect="buckets", resolution=128)
    images = workspace / "data/raw/images"
    for n, path in enumerate(sorted(images.iterdir())):
        open_upright(path).resize((700, 200) if n % 2 else (200, 200)).save(path)
    prepare.main()
    cache_latents.main()
    shapes = load_split(workspace / FOLDER, "train").shapes + load_split(workspace / FOLDER, "held_out").shapes
    assert sorted(shapes) == [(4, 16, 64)] * 4 + [(4, 32, 32)] * 4


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_twenty_kills_at_random_moments_leave_what_an_undisturbed_run_makes(cached, forks):
    change(cached, "cache_latents", crop_variants=10)
    for path in Path(FOLDER).iterdir():
        path.unlink()
    started = time.monotonic()
    forks.run(cached, "cache_latents")
    seconds, whole, rng, killed = time.monotonic() - started, content(), random.Random(3), 0
    while killed < 20:
        for path in Path(FOLDER).iterdir():
            if rng.random() < 0.8:
                path.unlink()
        fork, moment = forks.start(cached, "cache_latents"), rng.uniform(0.05, 0.9) * seconds
        time.sleep(moment)
        fork.kill()
        if fork.wait() == 0:
            seconds = moment  # the machine is less busy than before
            continue
        killed += 1
        for path in Path(FOLDER).glob("*.safetensors"):
            load_file(path)  # what has its final name is whole
        forks.run(cached, "cache_latents")
        assert content() == whole


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_two_processes_write_the_bytes_of_one(cached, forks):
    alone = content()
    for path in Path(FOLDER).iterdir():
        path.unlink()
    shown, of_the_other = forks.run_together(cached, "cache_latents", 2)
    assert "8 encoded" in shown and "2 x cpu" in shown
    assert of_the_other == ""
    assert content() == alone


def test_progress_is_quiet_where_there_is_no_terminal(cached, capfd):
    cache_latents.main()
    assert capfd.readouterr().err == ""


def test_class_pictures_and_predictions_are_made_once_and_kept_while_nothing_of_theirs_changes(cached, capsys):
    change(cached, "cache_latents", class_pictures=3)
    cache_latents.main()
    assert "3 class pictures drawn, 6 base predictions made" in capsys.readouterr().out
    prior, photos = load_predictions(cached / FOLDER), load_split(cached / FOLDER, "train")
    assert (len(prior.files), prior.draws) == (3 + len(photos), 2)
    assert set(prior.shapes) == {(4, 16, 16)}
    before = content()
    cache_latents.main()
    assert "0 class pictures drawn, 0 base predictions made" in capsys.readouterr().out
    assert content() == before
    change(cached, "evaluate", guidance_scale=4.0)
    cache_latents.main()
    assert "3 class pictures drawn, 6 base predictions made" in capsys.readouterr().out
    change(cached, "cache_latents", prior_draws=3)
    cache_latents.main()
    assert "0 class pictures drawn" in capsys.readouterr().out


@pytest.mark.parametrize("at_once, batches", [(2, [(2, [0, 1]), (1, [2])]), (1, [(1, [0]), (1, [1]), (1, [2])])])
def test_class_pictures_are_drawn_in_batches_each_with_a_seed_of_its_own(cached, monkeypatch, at_once, batches):
    asked, add = [], ClassPictures.add

    def noted(self, prompts, seeds):
        asked.append((len(prompts), seeds))
        return add(self, prompts, seeds)

    monkeypatch.setattr(ClassPictures, "add", noted)
    for module in ("stages.cache_latents", "latents.class_pictures", "pictures.sampling_pipeline"):
        monkeypatch.setattr(f"gentra_lora.{module}.pictures_at_once", lambda _: at_once)
    change(cached, "cache_latents", class_pictures=3)
    cache_latents.main()
    assert asked == batches
    means = [load_file(path)["mean"] for path in sorted(Path(FOLDER).glob("class-*.safetensors"))]
    assert len(means) == 3 and not any(torch.equal(*pair) for pair in combinations(means, 2))


def test_photos_are_predicted_on_under_the_class_noun(cached):
    change(cached, "cache_latents", class_pictures=0)
    change(cached, "evaluate", class_noun="tram")
    cache_latents.main()
    source = BaseSource(**load_params().base.model_dump())
    tokenizer, text_encoder = (load(source) for load in (load_tokenizer, load_text_encoder))
    rows = read_manifest(cached / "data/processed/manifest.jsonl")
    captions = [row.caption.replace("gentra", "tram") for row in rows if row.split == "train"]
    wanted = [encode_prompt(text_encoder, token_ids(tokenizer, caption)) for caption in captions]
    prior = load_predictions(cached / FOLDER)
    found = [prior.read(n, 0)[3] for n in range(len(prior.files))]
    assert len(found) == len(wanted)
    assert all(any(torch.allclose(one, other, atol=1e-5) for other in wanted) for one in found)


def test_without_draws_nothing_is_made_for_preservation(cached):
    change(cached, "cache_latents", prior_draws=0)
    change(cached, "train", prior_weight=0.0)
    cache_latents.main()
    kinds = {path.name.partition("-")[0] for path in (cached / FOLDER).iterdir()}
    assert not kinds & {"class", "prior"}
