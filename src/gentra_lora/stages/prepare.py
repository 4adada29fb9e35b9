"""Photos and captions -> data/processed: checked, upright sRGB pictures, a manifest, a held-out split for ever."""

import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from gentra_lora.base.checks import check_base
from gentra_lora.base.files.headers import check_files, check_weights
from gentra_lora.base.model import load_tokenizer
from gentra_lora.base.source import BaseModelError, BaseSource, check_pinned
from gentra_lora.params import Params, load_params
from gentra_lora.photos.alike.duplicates import near_pairs
from gentra_lora.photos.alike.groups import groups_of
from gentra_lora.photos.caption_files import natural_key, read_captions
from gentra_lora.photos.dataset import DatasetError, Prepared, final_captions, keys_and_groups, prepare_photos
from gentra_lora.photos.folder import duplicate_stems, find_files, notes_on, repeats_note
from gentra_lora.photos.manifest import Row, write_manifest
from gentra_lora.photos.masks import prepare_masks
from gentra_lora.photos.splits import splits_of
from gentra_lora.pictures.sheet_drawing import dataset_sheet
from gentra_lora.stages.run import run
from gentra_lora.whole_file import write_json, write_whole

DVC_FILE, OUT_DIR, PARTIAL_DIR = Path("dvc.yaml"), Path("data/processed"), Path("data/processed.partial")
NUMBERS, SHEET = Path("reports/dataset.json"), Path("reports/dataset.jpg")


def main() -> None:
    params = load_params()
    source, config = BaseSource(**params.base.model_dump()), params.prepare
    check_models(source, params)
    raw_dir = Path(config.raw_dir)
    photos, caption_files = find_files(raw_dir / "images")
    captions = read_captions(raw_dir, photos, caption_files)
    add_trigger, allow_long = config.missing_trigger_word == "add", config.allow_long_captions
    texts = final_captions(captions.of, config.trigger_word, add_trigger, load_tokenizer(source), allow_long)
    shutil.rmtree(PARTIAL_DIR, ignore_errors=True)
    warnings.filterwarnings("ignore", module="PIL")  # what it warns of is refused, or of no matter to the picture
    try:
        ordered = sorted(photos.items(), key=lambda item: natural_key(item[0]))
        shown = tqdm(ordered, desc="photos", unit="photo", leave=False, disable=None)
        prepared, problems = prepare_photos(shown, PARTIAL_DIR / "images", config.resolution, config.aspect)
        masks = prepare_masks(raw_dir / "masks", photos, prepared, config.alpha_as_mask, PARTIAL_DIR)
        problems += duplicate_stems(photos) + captions.problems + texts.problems + masks.problems
        if problems:
            raise DatasetError(raw_dir, problems)
        pairs = near_pairs([photo.looks for photo in prepared])
        splits = splits_of(*keys_and_groups(prepared, pairs, config.split_by), config.held_out_share)
        rows = [
            Row(photo.file_name, photo.sha256, texts.of[photo.name], split, *photo.size, masks.digests.get(photo.name))
            for photo, split in zip(prepared, splits, strict=True)
        ]
        numbers = numbers_of(rows, prepared, pairs) | texts.counts | {"captions": captions.form}
        numbers["notes"] = [*notes_on(raw_dir / "images"), *captions.notes, *repeats_note(photos), *texts.notes]
        numbers["notes"] += [*masks.notes, *(note for photo in prepared for note in photo.notes)]
        numbers["doubtful"] = {photo.file_name: photo.doubts for photo in prepared if photo.doubts}
        save(rows, numbers)
    finally:
        shutil.rmtree(PARTIAL_DIR, ignore_errors=True)
    asked = f"asked: {config.held_out_share:g}, {config.held_out_share * len(rows):.1f} photos"
    print(
        f"prepared {len(rows)} photos at {config.resolution} px: {numbers['train']} to train on, "
        f"{numbers['held_out']} held out ({asked}); captions: {captions.form}; see {SHEET}"
    )
    for line in told(numbers):
        print(f"note: {line}")


def check_models(source: BaseSource, params: Params) -> None:
    """Refuse, before any photo is opened, models that later stages could not use."""
    check_base(source)
    check_pinned("evaluate.likeness_model", params.evaluate.likeness_model, params.evaluate.likeness_revision)
    check_pinned("evaluate.prompt_model", params.evaluate.prompt_model, params.evaluate.prompt_revision)
    check_files("evaluate.likeness_model", params.evaluate.likeness_model)
    check_files("evaluate.prompt_model", params.evaluate.prompt_model)
    watched = [params.evaluate.likeness_model, params.evaluate.prompt_model]
    if params.evaluate.judge:
        check_weights("evaluate.judge", params.evaluate.judge)
        watched.append(params.evaluate.judge)
    check_watched(source, watched)


def check_watched(source: BaseSource, feature_models: Sequence[str]) -> None:
    """Refuse local models that DVC does not watch: a changed file would change nothing downstream."""
    stages = yaml.safe_load(DVC_FILE.read_text(encoding="utf-8"))["stages"]
    needed = [(name, path) for name in stages for path in (source.model, source.vae) if path]
    for name, path in needed + [("evaluate", path) for path in feature_models]:
        if Path(path).exists() and path not in stages[name]["deps"]:
            raise BaseModelError(f"{DVC_FILE}: add {path} to the deps of {name}, so that DVC sees when it changes")


def numbers_of(rows: Sequence[Row], prepared: Sequence[Prepared], pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return what a person wants to know of the set at one look."""
    near = [sorted(prepared[n].name for n in group) for group in groups_of(len(prepared), pairs) if len(group) > 1]
    return {
        "photos": len(rows),
        **Counter(row.split for row in rows),
        "masks": sum(row.mask_sha256 is not None for row in rows),
        "near_duplicates": sum(map(len, near)),
        "near_duplicate_groups": near,
        "sizes": dict(Counter(f"{row.width}x{row.height}" for row in rows)),
    }


def save(rows: Sequence[Row], numbers: Mapping[str, Any]) -> None:
    """Finish the new folder and put it in the old one's place; write the numbers and the sheet."""
    write_manifest(PARTIAL_DIR / "manifest.jsonl", rows)
    lines = [f"{row.file_name}\t{row.caption}\n" for row in rows]
    (PARTIAL_DIR / "captions.txt").write_text("".join(lines), encoding="utf-8")
    NUMBERS.parent.mkdir(exist_ok=True)
    sheet = dataset_sheet(rows, PARTIAL_DIR / "images", numbers["doubtful"])
    write_whole(SHEET, lambda partial: sheet.save(partial, "JPEG", quality=85))
    write_json(NUMBERS, numbers, indent=2)
    shutil.rmtree(OUT_DIR, ignore_errors=True)
    PARTIAL_DIR.rename(OUT_DIR)


def told(numbers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that a person should read, beside the counts."""
    if numbers["trigger_words_added"]:
        yield f"the trigger word was put in front of {numbers['trigger_words_added']} captions"
    for group in numbers["near_duplicate_groups"]:
        yield f"{', '.join(group)} show nearly the same, and are kept in one split"
    for file_name, doubts in numbers["doubtful"].items():
        yield f"{file_name}: {'; '.join(doubts)}; look at it on {SHEET}, framed in red"
    yield from numbers["notes"]


if __name__ == "__main__":
    run("prepare", main)
