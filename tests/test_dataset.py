import shutil

import pytest
from conftest import write_photos
from PIL import Image

from gentra_lora.dataset import DatasetError, final_captions, keys_and_groups, prepare_photo, prepare_photos
from gentra_lora.photo import PhotoError, open_upright, sha256_of


@pytest.fixture
def photos(tmp_path):
    """{name: path} of four photos of 96 x 80 px."""
    names = write_photos(tmp_path / "raw", count=4)
    return {name: tmp_path / "raw/images" / name for name in names}


def prepared(photos, tmp_path, **changed):
    options = {"resolution": 64, "aspect": "square"} | changed
    return prepare_photos(photos.items(), tmp_path / "out", **options)


def test_photo_becomes_a_png_with_headroom_for_crops(photos, tmp_path):
    found = prepare_photo(photos["car1.png"], "shoot/car1.jpg", tmp_path, 48, "square")
    assert (found.file_name, found.size) == ("shoot/car1.png", (48, 48))
    assert open_upright(tmp_path / "shoot/car1.png").size == (86, 72)
    assert found.sha256 == sha256_of(photos["car1.png"])


def test_photo_that_would_be_enlarged_is_refused_with_its_size(photos, tmp_path):
    with pytest.raises(PhotoError, match=r"car1\.png: is 96 x 80 px, need at least 128 x 128; remove"):
        prepare_photo(photos["car1.png"], "car1.png", tmp_path, 128, "square")


def test_bucket_of_a_wide_photo_needs_no_more_than_its_own_height(tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (700, 150)).save(path)
    assert prepare_photo(path, "wide.png", tmp_path, 128, "buckets").size == (256, 64)


def test_every_bad_photo_is_told_and_the_good_ones_are_kept(photos, tmp_path):
    photos["car2.png"].write_bytes(b"")
    shutil.copy(photos["car3.png"], photos["car4.png"])
    found, problems = prepared(photos, tmp_path)
    assert [photo.name for photo in found] == ["car1.png", "car3.png", "car4.png"]
    assert problems[0].startswith("car2.png: is empty")
    assert problems[1] == "car3.png, car4.png: the same photo 2 times; remove all but one"


def test_wrong_ending_is_accepted_and_noted(photos, tmp_path):
    found, problems = prepared({"a.jpg": photos["car1.png"]}, tmp_path)
    assert problems == []
    assert found[0].notes == ("a.jpg: is a PNG file, whatever its name says",)


def test_error_counts_and_lists_the_problems():
    assert (
        str(DatasetError("data/raw", ["a: x", "b: y"])) == "data/raw: 2 problems; nothing was changed\n  a: x\n  b: y"
    )


def test_missing_trigger_word_is_added_and_counted_or_refused(tokenizer):
    captions = {"a.jpg": "a car", "b.jpg": "gentra"}
    added = final_captions(captions, "gentra", True, tokenizer, False)
    assert added.of == {"a.jpg": "gentra, a car", "b.jpg": "gentra"} and added.problems == []
    assert added.counts["trigger_words_added"] == 1
    refused = final_captions(captions, "gentra", False, tokenizer, False)
    assert refused.problems == ["a.jpg: the caption 'a car' lacks the trigger word 'gentra'; put it in"]


def test_words_that_the_text_encoder_does_not_see_are_a_problem_or_a_note(tokenizer):
    captions = {"a.jpg": "gentra " + "a" * 32 + "xyz"}
    refused = final_captions(captions, "gentra", True, tokenizer, False)
    assert refused.problems == ["a.jpg: the caption is too long, the text encoder does not see 'xyz'; shorten it"]
    assert refused.notes == []
    allowed = final_captions(captions, "gentra", True, tokenizer, True)
    assert allowed.problems == [] and "does not see 'xyz'" in allowed.notes[0]
    assert allowed.counts["captions_cut"] == 1


def test_words_that_the_added_trigger_word_pushes_out_are_lost_words(tokenizer):
    found = final_captions({"a.jpg": "b" * 36}, "gentra", True, tokenizer, False)
    assert "the text encoder does not see" in found.problems[0]


def test_groups_are_near_duplicates_and_keys_are_contents(photos, tmp_path):
    found, _ = prepared(photos, tmp_path)
    keys, groups = keys_and_groups(found, [(0, 2)], "photo")
    assert keys == [photo.sha256 for photo in found]
    assert sorted(map(sorted, groups)) == [[0, 2], [1], [3]]


def test_shoots_are_groups_by_folder_joined_by_near_duplicates_and_loose_photos_stay_alone(photos, tmp_path):
    names = ["a/1.png", "a/2.png", "b/1.png", "loose.png"]
    found, _ = prepared(dict(zip(names, photos.values(), strict=True)), tmp_path)
    keys, groups = keys_and_groups(found, [], "shoot")
    assert keys == ["a", "a", "b", found[3].sha256]
    assert sorted(map(sorted, groups)) == [[0, 1], [2], [3]]
    assert sorted(map(sorted, keys_and_groups(found, [(1, 2)], "shoot")[1])) == [[0, 1, 2], [3]]
