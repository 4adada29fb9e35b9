import unicodedata

import pytest

from gentra_lora.photo_folder import FolderError, duplicate_stems, find_files, stem_of


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_photos_and_caption_files_are_told_apart(tmp_path):
    write(tmp_path, "b.JPG", "a.png", "a.txt", "metadata.jsonl", "no_ending")
    photos, captions = find_files(tmp_path)
    assert set(photos) == {"b.JPG", "a.png", "no_ending"}
    assert set(captions) == {"a.txt", "metadata.jsonl"}


def test_litter_of_file_managers_is_ignored(tmp_path):
    write(tmp_path, "a.png", ".DS_Store", "Thumbs.db", "._a.png", "desktop.ini", ".hidden/b.png", "__MACOSX/a.png")
    write(tmp_path, "@eaDir/a.png", "shoot/.DS_Store")
    assert set(find_files(tmp_path)[0]) == {"a.png"}


def test_any_other_file_counts_as_a_photo_so_that_it_is_opened_and_named(tmp_path):
    write(tmp_path, "a.png", "notes.docx", "IMG_1.MOV")
    assert set(find_files(tmp_path)[0]) == {"a.png", "notes.docx", "IMG_1.MOV"}


def test_name_is_the_path_within_the_folder(tmp_path):
    write(tmp_path, "shoot 1/a.png", "shoot 2/a.png")
    assert set(find_files(tmp_path)[0]) == {"shoot 1/a.png", "shoot 2/a.png"}


def test_decomposed_names_come_out_composed(tmp_path):
    name = "йў oʻ é.png"
    write(tmp_path, unicodedata.normalize("NFD", name))
    (found,) = find_files(tmp_path)[0]
    assert found == unicodedata.normalize("NFC", name)


def test_missing_folder_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(FolderError, match=r"images: no such folder; put the photos there"):
        find_files(tmp_path / "images")


def test_folder_without_a_photo_is_an_error(tmp_path):
    write(tmp_path, "notes.txt")
    with pytest.raises(FolderError, match="holds no photo; put JPEG"):
        find_files(tmp_path)


def test_names_that_differ_only_in_ending_or_case_are_problems():
    (problem,) = duplicate_stems(["a.jpg", "A.png", "b.jpg", "c/a.jpg"])
    assert problem == "a.jpg, A.png: the same name but for ending and case; rename or remove all but one"


def test_stem_keeps_dots_that_are_no_ending():
    assert stem_of("a.b/c.d.jpg") == "a.b/c.d"
