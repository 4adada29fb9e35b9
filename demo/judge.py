"""A judge of pictures that is nobody's relative: no base, no nano CLIP and no adapter was ever trained with it.

It was trained on renders with the labels that the renderer knows (train_judge.py). It reads style, colour, setting,
view and the subject's six features from a picture; its own features measure how far pictures are from renders.

    python judge.py FOLDER          of pictures and captions.txt, "NAME<tab>caption" a line
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from captions import FEATURES, PLACES, TRIGGER_WORD
from car import COLOURS, SHAPES, SUBJECT
from gentra_lora.evaluation import judge as network
from scene import SETTINGS, VIEWS
from training import to_pixel_values

WEIGHTS = Path(__file__).with_name("judge.safetensors")
KINDS = {"style": tuple(SHAPES), "colour": tuple(COLOURS), "setting": SETTINGS, "view": tuple(VIEWS)}


class Judge(network.Judge):
    """The network with this subject's labels."""

    def __init__(self):
        super().__init__({kind: len(names) for kind, names in KINDS.items()} | {network.FEATURES: len(FEATURES)})


def load():
    judge = Judge()
    judge.load_state_dict(load_file(WEIGHTS))
    return judge.eval()


@torch.no_grad()
def seen(judge, pictures):
    """Return features (N, 160) and, by kind, class numbers (N,), or booleans (N, 6) of "features"; pictures: NHWC."""
    parts = [judge(to_pixel_values(batch)) for batch in torch.from_numpy(pictures).permute(0, 3, 1, 2).split(100)]
    features = torch.cat(parts)
    labels = {kind: judge.heads[kind](features).argmax(dim=1) for kind in KINDS}
    return features, labels | {"features": judge.heads["features"](features) > 0}


def labels_of(prompt):
    """Return what a prompt says, by kind: the class number, or None where it says nothing of that kind."""

    def named(kind, words):
        # The longest first: "front three quarter view" holds no "front view", but "a road at night" holds a road.
        found = [n for n, spellings in words if any(re.search(rf"\b{re.escape(s)}\b", prompt) for s in spellings)]
        return found[0] if found else None

    plain = {kind: [(n, (name,)) for n, name in enumerate(names)] for kind, names in KINDS.items()}
    plain["setting"] = sorted(
        ((n, PLACES[name]) for n, name in enumerate(SETTINGS)), key=lambda pair: SETTINGS[pair[0]] == "road"
    )
    if TRIGGER_WORD in prompt:
        said = prompt.replace(TRIGGER_WORD, f"{SUBJECT.colour} {SUBJECT.style}")
        return labels_of(said)
    # The car's own colour stands before its style; a wing's does not.
    colour = re.search(rf"\b({'|'.join(COLOURS)}) (?:{'|'.join(SHAPES)})\b", prompt)
    return {kind: named(kind, plain[kind]) for kind in KINDS} | {
        "colour": KINDS["colour"].index(colour[1]) if colour else None
    }


def share_right(labels, prompts):
    """Return, by kind, the share of pictures that show what their prompt says, of those that say it."""
    shares = {}
    for kind in KINDS:
        said = [(row[kind], int(label)) for row, label in zip(map(labels_of, prompts), labels[kind], strict=True)]
        right = [a == b for a, b in said if a is not None]
        shares[kind] = round(sum(right) / len(right), 3) if right else None
    return shares


def kernel_distance(a, b):
    """Return the unbiased squared kernel distance of features (N, D) of two sets, row by row of the same prompts.

    Binkowski 2018, arXiv 1801.01401; in units of b's spread. No row is compared with itself, nor with the other row of
    its prompt, which would be nearer than any two of one set.
    """
    a, b = ((x.double() - b.double().mean(dim=0)) / b.double().std(dim=0).clamp(min=1e-6) for x in (a, b))

    def mean_kernel(x, y):
        kernel = (x @ y.T / x.shape[1] + 1) ** 3
        return (kernel.sum() - kernel.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b))


def features_shown(labels, chosen=None):
    """Return the mean number of the subject's six features in the chosen pictures, and the share of each by name."""
    shown = labels["features"].float() if chosen is None else labels["features"][chosen].float()
    each = dict(zip(FEATURES, (round(float(s), 3) for s in shown.mean(dim=0)), strict=True))
    return round(float(shown.sum(dim=1).mean()), 2), each


def read_folder(folder):
    """Return the pictures of a folder, uint8 (N, 128, 128, 3), and their prompts."""
    lines = (folder / "captions.txt").read_text(encoding="utf-8").splitlines()
    names, prompts = zip(*(line.split("\t", 1) for line in lines), strict=True)
    pictures = [Image.open(folder / name).convert("RGB").resize((128, 128), Image.Resampling.LANCZOS) for name in names]
    return np.stack([np.asarray(picture) for picture in pictures]), prompts


def main(folder):
    pictures, prompts = read_folder(Path(folder))
    _, labels = seen(load(), pictures)
    shown, each = features_shown(labels)
    said = {"pictures": len(pictures), "right": share_right(labels, prompts), "features_shown": shown, "each": each}
    print(json.dumps(said, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
