import numpy as np
from PIL import Image

from gentra_lora.photos.manifest import Row
from gentra_lora.pictures.sheet_drawing import GAP, HEADING_LINES, LINE, TILE, dataset_sheet, grid

WHITE, RED = (255, 255, 255), (255, 0, 0)


def test_pictures_stand_in_their_row_and_column():
    red, white = (np.full((8, 8, 3), colour, dtype=np.uint8) for colour in (RED, WHITE))
    sheet = grid(["base", "adapter"], [("first", [white, red]), ("second", [red, white])], "title")
    middle = (2 + HEADING_LINES) * LINE + TILE // 2
    below = middle + TILE + LINE + GAP
    found = [sheet.getpixel((x, y)) for y in (middle, below) for x in (TILE // 2, TILE + TILE // 2)]
    assert found == [WHITE, RED, RED, WHITE]


def test_label_that_is_too_long_is_cut_inside_the_sheet():
    sheet = grid(["one"], [("long words " * 50, [np.zeros((8, 8, 3), dtype=np.uint8)])], "title")
    assert sheet.width == TILE + GAP


def test_sheet_shows_every_photo_and_frames_those_held_out(tmp_path):
    rows = []
    for n in range(10):
        Image.new("RGB", (80, 40), (0, 0, 200)).save(tmp_path / f"{n}.png")
        rows.append(Row(f"{n}.png", "0" * 64, "a car " * 40, "held_out" if n == 9 else "train", 64, 64))
    sheet = np.array(dataset_sheet(rows, tmp_path, {}))
    blue = (sheet == (0, 0, 200)).all(axis=2).sum()
    assert blue == 10 * 80 * 40
    assert (sheet == (0xE0, 0x70, 0x20)).all(axis=2).any()


def test_sheet_frames_a_doubtful_photo_in_red(tmp_path):
    Image.new("RGB", (80, 40), (0, 0, 200)).save(tmp_path / "a.png")
    rows = [Row("a.png", "0" * 64, "a car", "train", 64, 64)]
    red = [(np.array(dataset_sheet(rows, tmp_path, d)) == (0xE0, 0, 0)).all(axis=2).any() for d in ({}, {"a.png": "x"})]
    assert red == [False, True]


def test_sheet_takes_names_and_captions_of_other_scripts(tmp_path):
    Image.new("RGB", (80, 40)).save(tmp_path / "ғилдирак.png")
    assert dataset_sheet([Row("ғилдирак.png", "0" * 64, "машина", "train", 64, 64)], tmp_path, {}).width > 100


def test_sheet_paints_over_what_is_outside_of_a_mask(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (80, 40), (0, 0, 200)).save(tmp_path / "images/a.png")
    mask = Image.new("L", (80, 40))
    mask.paste(255, (0, 0, 60, 40))
    mask.save(tmp_path / "masks/a.png")
    sheet = np.array(
        dataset_sheet([Row("a.png", "0" * 64, "a car", "train", 64, 64, "1" * 64)], tmp_path / "images", {})
    )
    assert (sheet == (0, 0, 200)).all(axis=2).sum() == 60 * 40
