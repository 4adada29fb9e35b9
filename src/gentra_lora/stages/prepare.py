"""Photos and captions.txt -> data/processed: upright RGB pictures of one size class, and the manifest."""

from collections import Counter
from pathlib import Path

import yaml

from gentra_lora.adapter import check_torchao
from gentra_lora.base_model import BaseModelError, BaseSource, check_base, check_pinned, load_tokenizer
from gentra_lora.captions import CaptionError, lost_words, read_captions, with_trigger
from gentra_lora.manifest import Row, splits_by_content, write_manifest
from gentra_lora.params import load_params
from gentra_lora.photo import PhotoError, open_upright, photo_paths, sha256_of, shrink
from gentra_lora.stages import run

DVC_FILE, OUT_DIR = Path("dvc.yaml"), Path("data/processed")
HEADROOM = 1.5  # of the resolution: what the crop variants may cut from without being enlarged


def main():
    params = load_params()
    source = BaseSource(**params.base.model_dump())
    check_torchao()
    check_base(source)
    check_pinned("evaluate.likeness_model", params.evaluate.likeness_model, params.evaluate.likeness_revision)
    check_pinned("evaluate.prompt_model", params.evaluate.prompt_model, params.evaluate.prompt_revision)
    check_tracked(source, [params.evaluate.likeness_model, params.evaluate.prompt_model])
    raw_dir, resolution = Path(params.prepare.raw_dir), params.prepare.resolution
    paths = photo_paths(raw_dir / "images")
    captions = read_captions(raw_dir / "captions.txt", [path.name for path in paths])
    captions = {name: with_trigger(caption, params.prepare.trigger_word) for name, caption in captions.items()}
    check_length(captions, source)
    images = [open_large_enough(path, resolution) for path in paths]

    digests = [sha256_of(path) for path in paths]
    refuse_duplicates(paths, digests)
    splits = splits_by_content(digests, params.prepare.held_out_share)
    (OUT_DIR / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for path, image, digest, split in zip(paths, images, digests, splits, strict=True):
        file_name = f"{path.stem}.png"
        image.save(OUT_DIR / "images" / file_name)
        rows.append(Row(file_name, digest, captions[path.name], split))
    write_manifest(OUT_DIR / "manifest.jsonl", rows)
    count = Counter(splits)
    print(f"prepared {len(rows)} photos at {resolution} px: {count['train']} to train on, {count['held_out']} held out")


def check_tracked(source, feature_models):
    """Refuse local models that DVC does not watch: a changed file would change nothing downstream."""
    stages = yaml.safe_load(DVC_FILE.read_text(encoding="utf-8"))["stages"]
    needed = [(name, path) for name in stages for path in (source.model, source.vae) if path]
    for name, path in needed + [("evaluate", path) for path in feature_models]:
        if Path(path).exists() and path not in stages[name]["deps"]:
            raise BaseModelError(f"{DVC_FILE}: add {path} to the deps of {name}, so that DVC sees when it changes")


def check_length(captions, source):
    """Refuse captions whose end the text encoder would never see."""
    tokenizer = load_tokenizer(source)
    lost = {name: words for name, caption in captions.items() if (words := lost_words(caption, tokenizer))}
    if lost:
        lines = [f"{name}: the text encoder would not see {words!r}" for name, words in lost.items()]
        raise CaptionError("\n  ".join(["captions.txt: too long; shorten these:", *lines]))


def open_large_enough(path, resolution):
    """Return the upright photo, scaled down to what crops are cut from; one that would be enlarged is refused."""
    image = open_upright(path)
    if min(image.size) < resolution:
        raise PhotoError(
            f"{path}: shorter side is {min(image.size)} px, need at least {resolution}; "
            "remove the photo or lower prepare.resolution"
        )
    return shrink(image, round(resolution * HEADROOM))


def refuse_duplicates(paths, digests):
    """Refuse a photo that is there twice (it could be trained on and held out), and two names with one stem."""
    for kind, keys in (("the same photo", digests), ("the same name but for its ending", [p.stem for p in paths])):
        for key, count in Counter(keys).items():
            if count > 1:
                names = ", ".join(p.name for p, k in zip(paths, keys, strict=True) if k == key)
                raise PhotoError(f"{paths[0].parent}: {names} are {kind}; keep one of them")


if __name__ == "__main__":
    run("prepare", main)
