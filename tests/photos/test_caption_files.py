import json
import unicodedata

import pytest

from gentra_lora.photos.caption_files import natural_key, read_captions
from gentra_lora.photos.folder import find_files

NAMES = ["img2.jpg", "img10.jpg"]
TWO_AND_TEN = {"img2.jpg": "two", "img10.jpg": "ten"}


def read(raw_dir, files, names=NAMES):
    """Write {path within raw_dir: content} and photos of any content; return the Captions."""
    for name, content in {**{f"images/{name}": "photo" for name in names}, **files}.items():
        path = raw_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    photos, caption_files = find_files(raw_dir / "images")
    return read_captions(raw_dir, photos, caption_files)


def right(*args):
    captions = read(*args)
    assert captions.problems == []
    return captions.of


def metadata(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    "ordered",
    [
        ["img2.jpg", "Img3.jpg", "img10.jpg"],
        ["img.jpg", "img1.jpg", "img1a.jpg", "img2.jpg"],
        ["IMG_1.jpg", "IMG_1 (2).jpg", "IMG_1 (10).jpg", "IMG_2.jpg"],
        ["1.jpg", "02.jpg", "003.jpg", "a.jpg"],
        ["day/10.jpg", "day 2/1.jpg", "day 10/1.jpg"],
        ["a².jpg", "b٣.jpg", "b10.jpg"],
    ],
)
def test_natural_order_is_that_of_file_managers(ordered):
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural_key) == ordered


def test_lines_alone_follow_the_natural_order_of_the_photos(tmp_path):
    names = ["img10.jpg", "img.jpg", "img2.jpg"]
    assert right(tmp_path, {"captions.txt": "none\ntwo\nten\n"}, names) == {"img.jpg": "none"} | TWO_AND_TEN


@pytest.mark.parametrize("place", ["captions.txt", "images/captions.txt"])
def test_captions_txt_is_read_beside_the_images_folder_and_in_it(tmp_path, place):
    assert right(tmp_path, {place: "two\nten\n"}) == TWO_AND_TEN


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_file", ["NFC", "NFD"])
@pytest.mark.parametrize("source", ["captions.txt", "metadata.jsonl", "sidecar"])
def test_unicode_forms_of_names_on_disk_and_in_caption_files_do_not_matter(tmp_path, on_disk, in_file, source):
    name = "Ёлка й oʻzbek é.jpg"
    written = unicodedata.normalize(in_file, name)
    files = {
        "captions.txt": {"captions.txt": f"{written}\tone\n"},
        "metadata.jsonl": {"metadata.jsonl": metadata({"file_name": written, "text": "one"})},
        "sidecar": {f"images/{written.removesuffix('.jpg')}.txt": "one"},
    }[source]
    found = right(tmp_path, files, [unicodedata.normalize(on_disk, name)])
    assert found == {unicodedata.normalize("NFC", name): "one"}


@pytest.mark.parametrize(
    "name", ["my car (1).jpg", 'it\'s "red".jpg', "50 % off.jpg", "ўзбек ғилдирак.jpg", "a,b|c.jpg"]
)
def test_odd_names_are_found_on_disk_and_in_the_file(tmp_path, name):
    assert right(tmp_path, {"captions.txt": f"{name}\tone\n"}, [name]) == {name: "one"}


@pytest.mark.parametrize("ending", [".txt", ".TXT"])
def test_text_file_beside_each_photo_is_its_caption(tmp_path, ending):
    assert right(tmp_path, {f"images/img2{ending}": "two\n", f"images/img10{ending}": " ten\r\n\r\n"}) == TWO_AND_TEN


def test_form_names_the_source(tmp_path):
    assert read(tmp_path / "a", {"images/img2.txt": "two"}).form == "a .txt file beside each photo"
    assert read(tmp_path / "b", {"metadata.jsonl": ""}).form == "metadata.jsonl"


def test_photo_without_its_text_file_is_named(tmp_path):
    (problem,) = read(tmp_path, {"images/img2.txt": "two"}).problems
    assert problem == "img10.jpg: has no caption; write it into a .txt file beside it"


def test_text_file_of_several_lines_is_refused(tmp_path):
    (problem,) = read(tmp_path, {"images/img2.txt": "two\nmore", "images/img10.txt": "ten"}).problems
    assert problem == "img2.txt: holds 2 lines; write the caption on one"


def test_empty_text_file_is_an_empty_caption(tmp_path):
    (problem,) = read(tmp_path, {"images/img2.txt": "", "images/img10.txt": "ten"}).problems
    assert problem == "img2.txt: the caption is empty; describe the photo"


def test_text_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/img2.txt").write_bytes("два".encode("cp1251"))
    (problem,) = read(tmp_path, {"images/img10.txt": "ten"}).problems
    assert problem == "img2.txt: line 1 is not UTF-8; save the file as UTF-8"


@pytest.mark.parametrize("place", ["metadata.jsonl", "images/metadata.jsonl"])
@pytest.mark.parametrize("key", ["text", "caption"])
def test_hugging_face_metadata_is_read_in_both_places_and_with_both_keys(tmp_path, place, key):
    rows = [{"file_name": "img10.jpg", key: "ten", "more": 1}, {"file_name": "img2.jpg", key: "two"}]
    assert right(tmp_path, {place: metadata(*rows)}) == TWO_AND_TEN


def test_metadata_beside_the_images_folder_may_name_paths_from_there(tmp_path):
    rows = [{"file_name": "images/img10.jpg", "text": "ten"}, {"file_name": "images/img2.jpg", "text": "two"}]
    assert right(tmp_path, {"metadata.jsonl": metadata(*rows)}) == TWO_AND_TEN


@pytest.mark.parametrize(
    ("files", "both"),
    [
        (["captions.txt", "images/img2.txt"], "{0}/captions.txt and from the .txt files beside the photos"),
        (["captions.txt", "metadata.jsonl"], "{0}/captions.txt and from {0}/metadata.jsonl"),
        (["captions.txt", "images/captions.txt"], "{0}/captions.txt and from {0}/images/captions.txt"),
    ],
)
def test_two_sources_are_an_error_that_names_both(tmp_path, files, both):
    (problem,) = read(tmp_path, dict.fromkeys(files, "two\nten\n")).problems
    assert problem == f"captions come from {both.format(tmp_path)}; keep one of them"


def test_no_source_is_an_error_with_the_way_out(tmp_path):
    (problem,) = read(tmp_path, {}).problems
    assert (
        problem
        == f"{tmp_path}: holds no captions; write captions.txt: on each line a photo's file name, a tab, its caption"
    )


@pytest.mark.parametrize("source", [["captions.txt"], [], ["captions.txt", "metadata.jsonl"]])
@pytest.mark.parametrize("stray", ["notes.txt", "img2.png.txt", "other.jsonl", "other.csv", "shoot/img2.caption"])
def test_caption_file_that_belongs_to_no_photo_is_named(tmp_path, source, stray):
    found = read(tmp_path, {**dict.fromkeys(source, "two\nten\n"), f"images/{stray}": "x"}).problems
    assert any(problem.startswith(f"{stray}: belongs to no photo and is not read; ") for problem in found)


def test_caption_file_seems_to_belong_to_the_photo_that_has_none(tmp_path):
    found = read(tmp_path, {"images/img2.txt": "two", "images/img-10.txt": "ten", "images/readme.txt": "x"}).problems
    start = "belongs to no photo and is not read;"
    assert f"img-10.txt: {start} call it 'img10.txt' if it is the caption of img10.jpg, or remove it" in found
    assert f"readme.txt: {start} remove it" in found


def test_caption_file_of_a_photo_in_another_folder_is_told_whose_it_seems(tmp_path):
    found = read(tmp_path, {"images/a/img2.txt": "x", "images/other.txt": "o"}, ["b/img2.jpg", "other.jpg"]).problems
    assert any("call it 'b/img2.txt' if it is the caption of b/img2.jpg, or remove" in problem for problem in found)


@pytest.mark.parametrize(
    ("photo", "sidecar"),
    [
        ("photo.jpg", "photo.caption"),
        ("photo.jpg", "photo.jpg.txt"),
        ("photo.jpg", "photo.jpg.caption"),
        ("PHOTO.JPG", "photo.txt"),
        ("PHOTO.JPG", "photo.jpg.txt"),
        ("photo.jpg", "Photo.TXT"),
        ("a/Photo.heic", "A/photo.heic.Caption"),
    ],
)
def test_file_that_can_only_belong_to_one_photo_is_its_caption(tmp_path, photo, sidecar):
    assert right(tmp_path, {f"images/{sidecar}": "one"}, [photo]) == {photo: "one"}


def test_file_that_may_belong_to_two_photos_names_both(tmp_path):
    (problem,) = read(tmp_path, {"images/a.jpg.txt": "one"}, ["a.jpg", "a.jpg.png"]).problems
    assert problem == "a.jpg.txt: may be the caption of a.jpg and of a.jpg.png; rename one of the photos"


def test_two_files_for_a_photo_that_differ_are_an_error_that_names_both(tmp_path):
    files = {"images/img2.txt": "two", "images/img2.caption": "2", "images/img10.jpg.txt": "ten"}
    (problem,) = read(tmp_path, files).problems
    assert problem == "img2.caption and img2.txt hold different captions of img2.jpg; keep one of them"


def test_two_kinds_of_files_that_differ_for_every_photo_are_one_error(tmp_path):
    files = {f"images/img{n}{ending}": ending for n in (2, 10) for ending in (".txt", ".caption")}
    (problem,) = read(tmp_path, files).problems
    assert problem.endswith("hold different captions of img10.jpg (and so of 1 more photo); keep one of them")


def test_two_files_for_a_photo_that_say_the_same_are_its_caption(tmp_path):
    files = {"images/img2.txt": "two\n", "images/img2.jpg.caption": " two", "images/img10.jpg.txt": "ten"}
    captions = read(tmp_path, files)
    assert (captions.of, captions.problems) == (TWO_AND_TEN, [])
    assert captions.form == "a .caption or .txt file beside each photo"


@pytest.mark.parametrize("place", ["Captions.txt", "images/CAPTIONS.TXT", "captions.csv", "images/Metadata.csv"])
def test_lists_are_read_in_any_case_and_as_csv(tmp_path, place):
    assert right(tmp_path, {place: "file_name,text\nimg2.jpg,two\nimg10.jpg,ten\n"}) == TWO_AND_TEN


@pytest.mark.parametrize("name", ["captions.txt.txt", "metadata.json1", "captions", "Caption.txt", "labels.xlsx"])
def test_file_that_may_be_meant_as_a_list_is_named(tmp_path, name):
    (problem,) = read(tmp_path, {name: "two\nten\n"}).problems
    assert f"holds no captions ({name} is none of captions.txt, captions.csv, metadata.csv" in problem


@pytest.mark.parametrize(
    ("name", "content"),
    [("captions.txt", "img2.jpg\ttwo\n"), ("metadata.jsonl", '{"file_name": "img2.jpg", "text": "two"}')],
)
def test_photo_that_a_list_leaves_out_is_named_with_the_file(tmp_path, name, content):
    (problem,) = read(tmp_path, {name: content}).problems
    assert problem == f"img10.jpg: has no caption; write it into {tmp_path / name}"


def test_file_that_cannot_be_read_does_not_make_every_photo_a_problem(tmp_path):
    assert len(read(tmp_path, {"captions.txt": "one\n"}).problems) == 1


def test_all_problems_are_told_at_once(tmp_path):
    found = read(tmp_path, {"captions.txt": "img2.jpg\t\nimg3.jpg\tx\n", "images/notes.txt": "x"}).problems
    parts = ["line 1: the caption is empty", "line 2 begins with no", "img10.jpg: has no caption", "notes.txt: belongs"]
    assert [part in problem for part, problem in zip(parts, found, strict=True)] == [True] * 4


@pytest.mark.parametrize(
    "files",
    [
        {"captions.txt": "b/img2.jpg\tb\na/img2.jpg\ta\n"},
        {"images/a/img2.txt": "a", "images/b/img2.txt": "b"},
        {"captions.txt": "a\nb\n"},
    ],
    ids=["named", "beside", "alone"],
)
def test_photos_in_subfolders_are_named_by_their_path(tmp_path, files):
    assert right(tmp_path, files, ["a/img2.jpg", "b/img2.jpg"]) == {"a/img2.jpg": "a", "b/img2.jpg": "b"}
