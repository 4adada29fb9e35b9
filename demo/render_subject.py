"""Stage render_subject: the subject in all settings and views -> data/demo, with masks and real photos' faults."""

import random
from pathlib import Path

import yaml
from PIL import Image, ImageDraw

from captions import TRIGGER_WORD, caption, random_scene, with_article
from car import SUBJECT
from renderer import render
from scene import SETTINGS, VIEWS
from subject_mask import subject_mask

OUT = Path("../data/demo")
SIDEWAYS, WITH_ALPHA = 7, 19  # photo numbers


def photos(params):
    """Yield (number, scene, caption): every setting in every view, `rounds` times."""
    pairs = [(setting, view) for _ in range(params["rounds"]) for setting in SETTINGS for view in VIEWS]
    for number, (setting, view) in enumerate(pairs, 1):
        rng = random.Random(f"{params['seed']}-subject-{number}")
        scene = random_scene(SUBJECT, rng, setting, view, params["margin"], params["spread"])
        yield number, scene, caption(with_article(TRIGGER_WORD), scene, rng)


def save(image, number, folder):
    """Write a photo and return its file name: one lies on its side with an EXIF tag, one has see-through corners."""
    if number == WITH_ALPHA:
        mask = Image.new("L", image.size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius=10, fill=255)
        image.putalpha(mask)
        path = folder / f"gentra{number}.png"
        image.save(path, optimize=True)
    elif number == SIDEWAYS:
        exif = Image.Exif()
        exif[0x0112] = 6  # orientation: turn a quarter clockwise to view
        path = folder / f"gentra{number}.jpg"
        image.transpose(Image.Transpose.ROTATE_90).save(path, quality=92, exif=exif)
    else:
        path = folder / f"gentra{number}.jpg"
        image.save(path, quality=92)
    return path.name


def main():
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["render_subject"]
    folder = OUT / "images"
    masks = OUT / "masks"
    for place in (folder, masks):
        place.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, scene, words in photos(params):
        image = Image.fromarray(render(scene, params["size"]))
        lines.append(f"{save(image, number, folder)}\t{words}")
        mask = Image.fromarray(subject_mask(scene, params["size"]))  # upright, as the photo is seen
        mask.save(masks / f"gentra{number}.png", optimize=True)
    (OUT / "captions.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {len(lines)} photos with their masks to {OUT}")


if __name__ == "__main__":
    main()
