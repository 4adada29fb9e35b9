"""`gentra-lora masks`: masks of a folder's photos by a segmentation model, to be looked at before they are used."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from gentra_lora.base.libraries import hush_libraries
from gentra_lora.base.precision import choose_device
from gentra_lora.commands.syntax.options import SEGMENTER, SEGMENTER_REVISION
from gentra_lora.errors import InputError, listed
from gentra_lora.params import load_params
from gentra_lora.photos.caption_files import natural_key
from gentra_lora.photos.dataset import DatasetError
from gentra_lora.photos.folder import duplicate_stems, find_files, stem_of
from gentra_lora.photos.masks import find_masks, open_mask
from gentra_lora.photos.photo import open_upright
from gentra_lora.pictures.segmentation import Segmentation
from gentra_lora.pictures.sheet_drawing import Tile, sheet_of, thumbnail, veiled
from gentra_lora.whole_file import write_whole

MADE, KEPT, NOTHING = "made", "was there", "nothing found"
FRAMES = {MADE: "#d0d0d0", KEPT: "#6080d0", NOTHING: "#e00000"}


@dataclass(frozen=True)
class Finder:
    """What finds the subject: the model, the label that the subject has there, and how sure it must be."""

    model: Segmentation
    label_id: int
    threshold: float


def masks_command(
    model: str, revision: str | None, label: str | None, threshold: float, overwrite: bool, sheet: Path
) -> None:
    """Write a mask for each photo that has none, and a sheet of all.

    Raises:
        InputError: the folder has problems that `prepare` would refuse, or nothing was found in any photo.
    """
    hush_libraries()
    params = load_params()
    folder = Path(params.prepare.raw_dir)
    photos, masks = look_into(folder)
    kept = {} if overwrite else masks
    all_kept = photos.keys() <= kept.keys()
    finder = None if all_kept else make_finder(model, revision, label, params.evaluate.class_noun, threshold)
    tiles, counts = [], Counter[str]()
    for name, path in tqdm(photos.items(), desc="masks", unit="photo", leave=False, disable=None):
        photo, place = open_upright(path, name), folder / "masks" / f"{stem_of(name)}.png"
        mask, outcome = mask_of(photo, place, masks.get(name), None if name in kept else finder)
        picture = veiled(thumbnail(photo), mask) if mask else thumbnail(photo)
        tiles.append(Tile(picture, FRAMES[outcome], [name, outcome]))
        counts[outcome] += 1
    if counts[NOTHING] == len(photos):
        raise InputError(f"{model}: found nothing in {folder / 'images'}; try another --label or a lower --threshold")
    sheet.parent.mkdir(parents=True, exist_ok=True)
    write_whole(sheet, lambda partial: sheet_of(tiles, 2).save(partial, "JPEG", quality=85))
    print(told(folder, counts, sheet))


def look_into(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the photos in their natural order and the masks that are there, both by the photos' names."""
    photos, _ = find_files(folder / "images")
    masks, problems = find_masks(folder / "masks", photos)
    problems += duplicate_stems(photos)
    if problems:
        raise DatasetError(folder, problems)
    return dict(sorted(photos.items(), key=lambda item: natural_key(item[0]))), masks


def make_finder(model: str, revision: str | None, label: str | None, class_noun: str, threshold: float) -> Finder:
    """Load the model; without a label the class noun is it."""
    pinned = SEGMENTER_REVISION if model == SEGMENTER and revision is None else revision
    segmentation = Segmentation(model, pinned, choose_device())
    wanted = ("--label", label) if label else ("evaluate.class_noun", class_noun)
    return Finder(segmentation, segmentation.label_id(*wanted), threshold)


def mask_of(
    photo: Image.Image, place: Path, earlier: Path | None, finder: Finder | None
) -> tuple[Image.Image | None, str]:
    """Return a photo's mask and how it came; one that the finder makes is written to `place`."""
    mask = finder.model.mask_of(photo, finder.label_id, finder.threshold) if finder else None
    if mask:
        write_mask(mask, place, earlier)
        return mask, MADE
    return (open_mask(earlier, str(earlier)), KEPT) if earlier else (None, NOTHING)


def write_mask(mask: Image.Image, path: Path, earlier: Path | None) -> None:
    """Write a mask in place of an earlier one, which may have another ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, partial(mask.save, format="PNG"))
    if earlier and earlier != path:
        earlier.unlink()


def told(folder: Path, counts: Counter[str], sheet: Path) -> str:
    """Return what was done, and what a person does next."""
    tracked = f"`dvc add {folder}`, " if folder.with_name(f"{folder.name}.dvc").exists() else ""
    return (
        f"{listed(counts[MADE], 'mask')} made in {folder / 'masks'}, {counts[KEPT]} kept, {counts[NOTHING]} photos in "
        f"which nothing was found; look at {sheet}: what is outside is painted over. Correct a mask in any editor, or "
        "delete it, and all of the photo is the subject; then "
        f"{tracked}`gentra-lora set train.background_weight=0.1`, `dvc repro`"
    )
