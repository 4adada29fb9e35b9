import os
import sys
import unicodedata

import pytest

from gentra_lora.photos.folder import FolderError, duplicate_stems, find_files, notes_on, repeats_note, stem_of


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_photos_and_caption_files_are_told_apart(tmp_path):
    write(tmp_path, "b.JPG", "a.png", "a.txt", "B.TXT", "metadata.jsonl", "no_ending")
    photos, captions = find_files(tmp_path)
    assert set(photos) == {"b.JPG", "a.png", "no_ending"}
    assert set(captions) == {"a.txt", "B.TXT", "metadata.jsonl"}


@pytest.mark.parametrize(
    "litter",
    [
        ".DS_Store",
        "Thumbs.db",
        "thumbs.db",
        "desktop.ini",
        "Desktop.ini",
        "._a.png",
        "._a.txt",
        "Icon\r",
        ".hidden/b.png",
        "__MACOSX/a.png",
        "@eaDir/a.png",
        "shoot/.DS_Store",
        "shoot/.cache/c.png",
    ],
)
def test_litter_of_file_managers_is_ignored(tmp_path, litter):
    write(tmp_path, "a.png", litter)
    assert find_files(tmp_path) == ({"a.png": tmp_path / "a.png"}, {})


def test_hidden_folder_above_the_photos_does_not_hide_them(tmp_path):
    write(tmp_path / ".data", "a.png")
    assert set(find_files(tmp_path / ".data")[0]) == {"a.png"}


def test_any_other_file_counts_as_a_photo_so_that_it_is_opened_and_named(tmp_path):
    write(tmp_path, "a.png", "notes.docx", "captions.json")
    assert set(find_files(tmp_path)[0]) == {"a.png", "notes.docx", "captions.json"}


def test_companions_of_photos_are_left_aside_and_told_in_one_line(tmp_path):
    write(tmp_path, "IMG_1.HEIC", "IMG_1.MOV", "IMG_1.AAE", "IMG_1.txt", "b.jpg", "b.jpg.json", "b_0512x0768_sd.npz")
    write(tmp_path, "b.jpg.supplemental-metadata.json", "c/d.mp4")
    photos, captions = find_files(tmp_path)
    assert (set(photos), set(captions)) == ({"IMG_1.HEIC", "b.jpg"}, {"IMG_1.txt"})
    assert notes_on(tmp_path) == ["left aside, as companions of photos: 1 .aae, 2 .json, 1 .mov, 1 .mp4, 1 .npz"]


def test_linked_folder_is_followed_and_told(tmp_path):
    write(tmp_path / "elsewhere", "b.png", "deep/c.png")
    write(tmp_path / "images", "a.png")
    (tmp_path / "images/shoot2").symlink_to(tmp_path / "elsewhere")
    assert set(find_files(tmp_path / "images")[0]) == {"a.png", "shoot2/b.png", "shoot2/deep/c.png"}
    (note,) = notes_on(tmp_path / "images")
    assert "shoot2 is a link to" in note and "DVC does not look behind links" in note


def test_linked_folder_of_all_photos_is_told(tmp_path):
    write(tmp_path / "elsewhere", "b.png")
    (tmp_path / "images").symlink_to("elsewhere")
    assert set(find_files(tmp_path / "images")[0]) == {"b.png"}
    assert len(notes_on(tmp_path / "images")) == 1


@pytest.mark.parametrize("target", [".", "..", "../../images"])
def test_link_in_a_circle_is_refused(tmp_path, target):
    write(tmp_path / "images", "a.png", "shoot/b.png")
    (tmp_path / "images/shoot/again").symlink_to(target)
    with pytest.raises(FolderError, match="again: is a link to a folder that it lies in"):
        find_files(tmp_path / "images")


def test_two_links_to_one_folder_are_no_circle(tmp_path):
    write(tmp_path / "elsewhere", "b.png")
    (tmp_path / "images").mkdir()
    for name in ("one", "two"):
        (tmp_path / "images" / name).symlink_to(tmp_path / "elsewhere")
    assert set(find_files(tmp_path / "images")[0]) == {"one/b.png", "two/b.png"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_name_that_is_not_utf8_is_refused_with_the_byte(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / os.fsdecode(b"m\xe0.png")).write_bytes(b"x")
    with pytest.raises(FolderError, match=r"m\\xe0\.png: the name holds the byte 0xE0, which is no UTF-8") as caught:
        find_files(tmp_path)
    str(caught.value).encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_pipe_is_refused_and_not_waited_for(tmp_path):
    write(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    with pytest.raises(FolderError, match=r"b\.png: is neither a file nor a folder"):
        find_files(tmp_path)


@pytest.mark.parametrize("name", [" a.png", "a.png ", "\u00a0a.png"])
def test_name_with_a_space_at_its_ends_is_refused(tmp_path, name):
    write(tmp_path, name)
    with pytest.raises(FolderError, match="begins or ends with a space, which captions cannot; rename it"):
        find_files(tmp_path)


def test_folder_that_is_called_like_a_photo_is_refused(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / "x.png").mkdir()
    with pytest.raises(FolderError, match=r"x\.png: is a folder, and is called like a photo"):
        find_files(tmp_path)


def test_link_to_nothing_counts_as_a_photo_so_that_it_is_opened_and_named(tmp_path):
    (tmp_path / "a.png").symlink_to("nowhere.png")
    assert set(find_files(tmp_path)[0]) == {"a.png"}


def test_name_is_the_path_within_the_folder(tmp_path):
    write(tmp_path, "shoot 1/a.png", "shoot 2/a.png")
    assert set(find_files(tmp_path)[0]) == {"shoot 1/a.png", "shoot 2/a.png"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["Ёлка й.png", "oʻzbek gʻildirak é.png", "ўзбек/ғилдирак.png", 'a "b" %20.png'])
def test_names_come_out_composed_with_the_path_on_disk(tmp_path, form, name):
    on_disk = unicodedata.normalize(form, name)
    write(tmp_path, on_disk)
    assert find_files(tmp_path)[0] == {unicodedata.normalize("NFC", name): tmp_path / on_disk}


def test_two_files_whose_names_only_look_the_same_are_both_found(tmp_path):
    both = [unicodedata.normalize(form, "й.png") for form in ("NFC", "NFD")]
    write(tmp_path, *both)
    assert sorted(find_files(tmp_path)[0].values()) == sorted(tmp_path / name for name in both)


def test_missing_folder_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(FolderError, match=r"images: no such folder; put the photos there"):
        find_files(tmp_path / "images")


def test_folder_without_a_photo_is_an_error(tmp_path):
    write(tmp_path, "notes.txt")
    with pytest.raises(FolderError, match="holds no photo; put JPEG"):
        find_files(tmp_path)


@pytest.mark.parametrize(
    "same",
    [
        ["a.jpg", "a.png"],
        ["a.jpg", "A.jpg"],
        ["a.jpg", "A.PNG", "a.webp"],
        ["Ёлка.jpg", "ёлка.png"],
        ["\u0439.jpg", "\u0438\u0306.jpg"],
        ["shoot/a.jpg", "Shoot/A.jpg"],
    ],
)
def test_names_that_differ_only_in_ending_case_or_unicode_form_are_a_problem(same):
    (problem,) = duplicate_stems([*same, "b.jpg", "other/a.jpg"])
    assert problem.startswith(", ".join(same) + ": the same name but for ending and case (or Unicode form); rename or")


def test_both_unicode_forms_of_a_name_on_disk_are_a_problem(tmp_path):
    write(tmp_path, "\u0439.jpg", "\u0438\u0306.jpg", "\u0438.jpg")
    assert len(duplicate_stems(find_files(tmp_path)[0])) == 1


def test_every_group_of_same_names_is_told():
    assert len(duplicate_stems(["a.jpg", "a.png", "b.jpg", "B.jpg", "c.jpg"])) == 2


def test_photos_of_one_name_in_two_folders_are_no_problem():
    assert duplicate_stems(["a/1.jpg", "b/1.jpg"]) == []


def test_stem_keeps_dots_that_are_no_ending():
    assert stem_of("a.b/c.d.jpg") == "a.b/c.d"


def test_folders_that_count_repeats_are_named_in_one_line():
    names = ["20_sport gentra/a.jpg", "20_sport gentra/b.jpg", "day/5_rear view/c.jpg", "2024/d.jpg", "1_e.jpg"]
    (note,) = repeats_note(names)
    assert note.startswith("20_sport gentra, 5_rear view: the number in front is no count of repeats here; each photo")


def test_other_folders_count_no_repeats():
    assert repeats_note(["shoot 1/a.jpg", "2024_/b.jpg", "1_c.jpg", "d.jpg"]) == []
