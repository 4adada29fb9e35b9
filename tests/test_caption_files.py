import json

from gentra_lora.caption_files import natural_key, read_captions
from gentra_lora.photo_folder import find_files

NAMES = ["img2.jpg", "img10.jpg"]


def read(tmp_path, files, names=NAMES):
    """Write {path within raw_dir: content} and empty photos; return the Captions."""
    for name, content in {**{f"images/{name}": "photo" for name in names}, **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    photos, caption_files = find_files(tmp_path / "images")
    return read_captions(tmp_path, photos, caption_files)


def metadata(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


TWO_AND_TEN = {"img2.jpg": "two", "img10.jpg": "ten"}


def test_natural_order_counts_digits_and_survives_odd_ones():
    assert sorted(["img10", "img2", "a²", "Img3"], key=natural_key) == ["a²", "img2", "Img3", "img10"]


def test_captions_txt_is_read_beside_the_images_folder_and_in_it(tmp_path):
    assert read(tmp_path / "a", {"captions.txt": "two\nten\n"}).of == TWO_AND_TEN
    assert read(tmp_path / "b", {"images/captions.txt": "two\nten\n"}).of == TWO_AND_TEN


def test_text_file_beside_each_photo_is_its_caption(tmp_path):
    captions = read(tmp_path, {"images/img2.txt": "two\n", "images/img10.txt": "ten"})
    assert captions.of == TWO_AND_TEN and captions.problems == []
    assert captions.form == "a .txt file beside each photo"


def test_photo_without_its_text_file_is_named(tmp_path):
    (problem,) = read(tmp_path, {"images/img2.txt": "two"}).problems
    assert problem == "img10.jpg: has no caption; write it into a .txt file beside it"


def test_text_file_of_several_lines_is_refused(tmp_path):
    (problem,) = read(tmp_path, {"images/img2.txt": "two\nmore", "images/img10.txt": "ten"}).problems
    assert problem == "img2.txt: holds 2 lines; write the caption on one"


def test_empty_text_file_is_an_empty_caption(tmp_path):
    (problem,) = read(tmp_path, {"images/img2.txt": "", "images/img10.txt": "ten"}).problems
    assert problem == "img2.txt: the caption is empty; describe the photo"


def test_hugging_face_metadata_is_read_in_both_places_and_with_both_keys(tmp_path):
    rows = [{"file_name": "img10.jpg", "text": "ten"}, {"file_name": "img2.jpg", "caption": "two"}]
    assert read(tmp_path / "a", {"images/metadata.jsonl": metadata(*rows)}).of == TWO_AND_TEN
    rows[0]["file_name"] = "images/img10.jpg"
    captions = read(tmp_path / "b", {"metadata.jsonl": metadata(*rows)})
    assert captions.of == TWO_AND_TEN and captions.form == "metadata.jsonl"


def test_every_bad_line_of_the_metadata_is_named(tmp_path):
    rows = [{"file_name": "img3.jpg", "text": "x"}, {"file_name": "img2.jpg"}, {"file_name": "img2.jpg", "text": 5}]
    found = read(tmp_path, {"metadata.jsonl": metadata(*rows) + "no json\n[]\n"}).problems
    for number, part in enumerate(
        [
            "no photo is called 'img3.jpg' (did you mean",
            "is no object with",
            "the text is 5",
            "is no object",
            "is no obj",
        ],
        1,
    ):
        assert any(f"line {number}" in problem and part in problem for problem in found), (number, found)


def test_two_sources_are_an_error_that_names_both(tmp_path):
    (problem,) = read(tmp_path, {"captions.txt": "two\nten\n", "images/img2.txt": "two"}).problems
    assert "captions.txt and from the .txt files beside the photos; keep one of them" in problem


def test_no_source_is_an_error_with_the_way_out(tmp_path):
    (problem,) = read(tmp_path, {}).problems
    assert "holds no captions; write captions.txt: on each line a photo's file name, a tab" in problem


def test_text_file_that_belongs_to_no_photo_is_named(tmp_path):
    captions = read(tmp_path, {"captions.txt": "two\nten\n", "images/notes.txt": "x"})
    assert captions.of == TWO_AND_TEN
    assert captions.problems == ["notes.txt: belongs to no photo and is not read; remove it"]


def test_photo_that_a_named_list_leaves_out_is_named_with_the_file(tmp_path):
    (problem,) = read(tmp_path, {"captions.txt": "img2.jpg\ttwo\n"}).problems
    assert problem == f"img10.jpg: has no caption; write it into {tmp_path / 'captions.txt'}"


def test_photos_in_subfolders_are_named_by_their_path(tmp_path):
    names, wanted = ["a/img2.jpg", "b/img2.jpg"], {"a/img2.jpg": "a", "b/img2.jpg": "b"}
    assert read(tmp_path / "1", {"captions.txt": "b/img2.jpg\tb\na/img2.jpg\ta\n"}, names).of == wanted
    assert read(tmp_path / "2", {"images/a/img2.txt": "a", "images/b/img2.txt": "b"}, names).of == wanted
