import shutil
from dataclasses import replace

import pytest
from PIL import Image

from gentra_lora.photos.dataset import DatasetError, final_captions, keys_and_groups, prepare_photo, prepare_photos
from gentra_lora.photos.photo import PhotoError, open_upright, sha256_of
from gentra_lora.photos.splits import splits_of
from tests.conftest import write_photos


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
    Image.new("RGB", (50, 50)).save(photos["car3.png"])
    found, problems = prepared(photos, tmp_path)
    assert [photo.name for photo in found] == ["car1.png", "car4.png"]
    assert ["car2.png: is empty" in problems[0], "car3.png: is 50 x 50 px" in problems[1]] == [True, True]


def test_same_photo_under_several_names_is_one_problem(photos, tmp_path):
    for name in ("car3.png", "car4.png"):
        shutil.copy(photos["car1.png"], photos[name])
    _, problems = prepared(photos, tmp_path)
    assert problems == ["car1.png, car3.png, car4.png: the same photo 3 times; remove all but one"]


def test_photos_in_subfolders_and_other_scripts_keep_their_names(photos, tmp_path):
    found, _ = prepared({"лето/ўзбек 1.jpeg": photos["car1.png"]}, tmp_path)
    assert found[0].file_name == "лето/ўзбек 1.png"
    assert (tmp_path / "out/лето/ўзбек 1.png").is_file()


def test_wrong_ending_is_accepted_and_noted(photos, tmp_path):
    found, problems = prepared({"a.jpg": photos["car1.png"]}, tmp_path)
    assert problems == []
    assert found[0].notes == ("a.jpg: is a PNG file, whatever its name says",)


def test_name_that_would_be_too_long_for_a_file_is_refused(photos, tmp_path):
    with pytest.raises(PhotoError, match="the name is too long .* over 255 bytes.; shorten it"):
        prepare_photo(photos["car1.png"], "a" * 252, tmp_path, 64, "square")


def test_photo_of_which_a_square_sees_little_is_noted(tmp_path):
    Image.new("RGB", (700, 100)).save(tmp_path / "wide.png")
    for aspect, said in (("square", True), ("buckets", False)):
        notes = prepare_photo(tmp_path / "wide.png", "wide.png", tmp_path / "out", 64, aspect).notes
        assert (
            "wide.png: is 700 x 100 px, of which a square sees 14%; prepare.aspect: buckets sees more" in notes
        ) == said


def test_error_counts_and_lists_the_problems():
    assert (
        str(DatasetError("data/raw", ["a: x", "b: y"])) == "data/raw: 2 problems; nothing was changed\n  a: x\n  b: y"
    )


def final(caption, tokenizer, add_trigger=True, allow_long=False):
    return final_captions({"a.jpg": caption}, "gentra", add_trigger, tokenizer, allow_long)


def test_missing_trigger_word_is_put_in_front_and_counted(tokenizer):
    found = final_captions({"a.jpg": "a car", "b.jpg": "my Gentra"}, "gentra", True, tokenizer, False)
    assert found.of == {"a.jpg": "gentra, a car", "b.jpg": "my Gentra"}
    assert (found.counts["trigger_words_added"], found.problems) == (1, [])


def test_missing_trigger_word_is_a_problem_where_it_is_not_added(tokenizer):
    found = final("a car", tokenizer, add_trigger=False)
    assert found.problems == ["a.jpg: the caption 'a car' lacks the trigger word 'gentra'; put it in"]


def test_trigger_word_in_any_case_is_no_problem_where_it_is_not_added(tokenizer):
    assert final("a GENTRA", tokenizer, add_trigger=False).problems == []


def test_empty_caption_is_not_told_again_for_lack_of_the_trigger_word(tokenizer):
    assert final("", tokenizer, add_trigger=False).problems == []


def test_long_caption_is_a_problem_that_shows_the_lost_words(tokenizer):
    found = final("gentra " + "a" * 32 + "xyz", tokenizer)
    assert found.problems == ["a.jpg: the caption is too long, the text encoder does not see 'xyz'; shorten it"]


def test_long_caption_is_a_note_and_counted_where_it_is_allowed(tokenizer):
    found = final("gentra " + "a" * 32 + "xyz", tokenizer, allow_long=True)
    assert found.notes == ["a.jpg: the caption is too long, the text encoder does not see 'xyz'"]
    assert (found.counts["captions_cut"], found.problems) == (1, [])


def test_words_that_the_added_trigger_word_pushes_out_are_lost_words(tokenizer):
    assert "does not see 'bbbbb'" in final("b" * 36, tokenizer).problems[0]


def test_every_problem_of_the_captions_is_told(tokenizer):
    captions = {"a.jpg": "a car", "b.jpg": "gentra " + "a" * 60, "c.jpg": "a" * 60}
    assert len(final_captions(captions, "gentra", False, tokenizer, False).problems) == 4


def test_groups_are_near_duplicates_and_keys_are_contents(photos, tmp_path):
    found, _ = prepared(photos, tmp_path)
    keys, groups = keys_and_groups(found, [(0, 2)], "photo")
    assert keys == [photo.sha256 for photo in found]
    assert sorted(map(sorted, groups)) == [[0, 2], [1], [3]]


@pytest.fixture
def named(photos, tmp_path):
    """A function: names -> as many prepared photos, each of its own content."""
    (one, *_), _ = prepared(photos, tmp_path)
    return lambda names: [replace(one, name=name, sha256=f"{hash_of(name):064x}") for name in names]


def hash_of(name):
    return int.from_bytes(name.encode().rjust(32, b"."), "big")


def test_shoot_is_a_group_and_a_loose_photo_one_of_its_own(named):
    found = named(["a/1.png", "a/2.png", "b/1.png", "1.png", "2.png"])
    keys, groups = keys_and_groups(found, [], "shoot")
    assert keys == ["a", "a", "b", found[3].sha256, found[4].sha256]
    assert sorted(map(sorted, groups)) == [[0, 1], [2], [3], [4]]


def test_subfolder_of_a_shoot_is_a_shoot_of_its_own(named):
    assert keys_and_groups(named(["a/1.png", "a/b/1.png"]), [], "shoot")[0] == ["a", "a/b"]


def test_shoots_with_near_duplicates_stay_together(named):
    _, groups = keys_and_groups(named(["a/1.png", "a/2.png", "b/1.png", "1.png"]), [(1, 2)], "shoot")
    assert sorted(map(sorted, groups)) == [[0, 1, 2], [3]]


def splits_by_name(photos):
    splits = splits_of(*keys_and_groups(photos, [], "shoot"), 0.3)
    return {photo.name: split for photo, split in zip(photos, splits, strict=True)}


def test_no_photo_changes_its_split_when_shoots_grow(named):
    before = splits_by_name(named([*(f"shoot {n % 20}/{n}.png" for n in range(60)), "loose.png"]))
    more = [f"shoot {n % 25}/0 {n}.png" for n in range(60)] + [f"another {n}.png" for n in range(9)]
    after = splits_by_name(named([*more, *reversed(before)]))
    assert {name: after[name] for name in before} == before


def test_shoot_is_held_out_as_a_whole(named):
    splits = splits_by_name(named([f"shoot {n % 20}/{n}.png" for n in range(100)]))
    sides = {(name.split("/")[0], split) for name, split in splits.items()}
    assert len(sides) == 20
