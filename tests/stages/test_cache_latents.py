import torch
from conftest import change

from gentra_lora.latents import load_split, read_empty_prompt, read_index
from gentra_lora.manifest import read_manifest
from gentra_lora.stages import cache_latents, prepare

FOLDER = "data/latents"


def test_each_photo_is_cached_under_its_own_caption_and_split(cached):
    rows = {row.file_name: row for row in read_manifest(cached / "data/processed/manifest.jsonl")}
    listed = read_index(cached / FOLDER)["photos"]
    assert {row["file_name"]: (row["sha256"], row["split"]) for row in listed} == {
        name: (row.sha256, row.split) for name, row in rows.items()
    }


def test_training_photos_have_all_crop_variants_and_held_out_ones_only_the_centre(cached):
    assert load_split(cached / FOLDER, "train").mean.shape[1:] == (2, 4, 16, 16)
    assert load_split(cached / FOLDER, "held_out").mean.shape[1:] == (1, 4, 16, 16)


def test_empty_prompt_is_cached_for_dropped_captions(cached):
    assert read_empty_prompt(cached / FOLDER).shape == (40, 32)


def test_changed_caption_changes_the_key_of_that_photo_alone(cached):
    before = {row["file_name"]: row["key"] for row in read_index(cached / FOLDER)["photos"]}
    captions = cached / "data/raw/captions.txt"
    captions.write_text(captions.read_text().replace("view car3.png", "seen car3.png"))
    prepare.main()
    cache_latents.main()
    after = {row["file_name"]: row["key"] for row in read_index(cached / FOLDER)["photos"]}
    assert [name for name in after if after[name] != before[name]] == ["car3.png"]


def test_second_run_writes_the_same_latents(cached):
    first = load_split(cached / FOLDER, "train")
    cache_latents.main()
    assert torch.equal(load_split(cached / FOLDER, "train").mean, first.mean)


def test_other_resolution_changes_every_key(cached):
    before = {row["key"] for row in read_index(cached / FOLDER)["photos"]}
    change(cached, "prepare", resolution=72)
    prepare.main()
    cache_latents.main()
    assert not before & {row["key"] for row in read_index(cached / FOLDER)["photos"]}
