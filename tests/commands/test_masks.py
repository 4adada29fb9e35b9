from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gentra_lora.commands.main import main
from gentra_lora.commands.syntax.options import SEGMENTER, SEGMENTER_REVISION
from gentra_lora.photos.masks import open_mask
from gentra_lora.photos.photo import open_upright
from gentra_lora.stages import prepare

MASKS = Path("data/raw/masks")


@pytest.fixture
def masks(workspace, tiny_segmenter):
    """A function: `gentra-lora masks` with further words, by the tiny model."""
    return lambda *words: main(["masks", "--model", str(tiny_segmenter), "--label", "car", *words])


def content():
    return {path.name: path.read_bytes() for path in MASKS.iterdir()}


def test_every_photo_gets_a_mask_that_prepare_takes(masks, capsys):
    masks()
    assert {path.name for path in MASKS.iterdir()} == {f"car{n}.png" for n in range(1, 9)}
    assert open_mask(MASKS / "car1.png", "mask").size == open_upright("data/raw/images/car1.png").size
    assert "8 masks made in data/raw/masks, 0 kept, 0 photos in which nothing was found" in capsys.readouterr().out
    prepare.main()
    assert len(list(Path("data/processed/masks").iterdir())) == 8


def test_sheet_shows_them_before_they_are_used(masks):
    masks("--sheet", "sheet.jpg")
    with Image.open("sheet.jpg") as sheet:
        red, green, blue = np.moveaxis(np.array(sheet).astype(int), 2, 0)
    assert (np.minimum(red, blue) - green > 60).any()  # the veil over what is outside


def test_masks_that_are_there_are_kept_unless_overwriting_is_asked_for(masks, capsys):
    MASKS.mkdir()
    Image.new("L", open_upright("data/raw/images/car1.png").size, 255).save(MASKS / "car1.bmp")
    before = (MASKS / "car1.bmp").read_bytes()
    masks()
    assert (MASKS / "car1.bmp").read_bytes() == before and not (MASKS / "car1.png").exists()
    assert "7 masks made in data/raw/masks, 1 kept" in capsys.readouterr().out
    masks("--overwrite")
    assert {path.name for path in MASKS.iterdir()} == {f"car{n}.png" for n in range(1, 9)}


def test_no_model_is_loaded_where_all_masks_are_there(masks, capsys):
    masks()
    made = content()
    main(["masks", "--model", "models/none"])
    assert content() == made
    assert "0 masks made in data/raw/masks, 8 kept" in capsys.readouterr().out


def test_class_noun_is_the_label_where_none_is_given_and_a_wrong_one_is_told_with_all(
    workspace, tiny_segmenter, capsys
):
    main(["set", "evaluate.class_noun=car"])
    main(["masks", "--model", str(tiny_segmenter)])
    assert len(content()) == 8
    main(["set", "evaluate.class_noun=sedan"])
    with pytest.raises(SystemExit, match=r"evaluate\.class_noun: 'sedan' is no label .* one of: person, car, sky"):
        main(["masks", "--model", str(tiny_segmenter), "--overwrite"])


def test_nothing_found_in_any_photo_is_an_error_and_writes_nothing(masks):
    with pytest.raises(SystemExit, match="found nothing in data/raw/images; try another --label or a lower"):
        masks("--threshold", "0.9999")
    assert not MASKS.exists()


def test_masks_are_kept_where_making_them_again_finds_nothing(masks):
    masks()
    made = content()
    masks("--overwrite", "--threshold", "0.9999")
    assert content() == made


def test_folder_that_prepare_would_refuse_is_refused_before_the_model_is_loaded(workspace):
    MASKS.mkdir()
    (MASKS / "van.png").write_bytes(b"")
    with pytest.raises(SystemExit, match=r"data/raw: 1 problem; .*\n  data/raw/masks/van\.png: no photo"):
        main(["masks", "--model", "models/none"])


def test_the_model_that_is_taken_unasked_is_pinned(workspace, monkeypatch):
    taken = []

    class Refused(Exception):
        pass

    def load(name, revision, device):
        taken.append((name, revision))
        raise Refused

    monkeypatch.setattr("gentra_lora.commands.masks.Segmentation", load)
    with pytest.raises(Refused):
        main(["masks"])
    assert taken == [(SEGMENTER, SEGMENTER_REVISION)] and len(SEGMENTER_REVISION) == 40
