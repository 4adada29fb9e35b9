"""The second part of nano CLIP's training: each picture against its caption with every other word of each kind.

A batch of captions seldom differs in the wheels alone. The text tower stays as it is but for its projection, since the
base is trained on what it says.
"""

import random

import torch
from torch import nn
from torch.nn import functional as F

from captions import caption, name_of, ordinary
from car import COLOURS, SHAPES
from clip_reader import saying
from scene import SETTINGS, VIEWS
from training import DEVICE, Run, load_params, shifted, to_pixel_values

WORDS = {
    "style": tuple(SHAPES),
    "colour": tuple(COLOURS),
    "wing": (None, "black", "white", "red"),
    "body_kit": (None, "black"),
    "stripes": (None, "red", "black", "white", "blue"),
    "roof": (None, "black", "white", "red"),
    "wheels": ("silver", "gold", "black", "white", "red"),
    "setting": SETTINGS,
    "view": tuple(VIEWS),
}
COUNTS = [len(words) for words in WORDS.values()]


class Eyes(nn.Module):
    """What is trained of a CLIPModel: the picture tower, both projections and the temperature."""

    def __init__(self, clip):
        super().__init__()
        self.tower, self.of_pictures, self.of_texts = clip.vision_model, clip.visual_projection, clip.text_projection
        self.logit_scale = clip.logit_scale

    def forward(self, pixel_values, pooled):
        """Return unit features of pictures (B, D) and, of pooled texts (B, K, H), (B, K, D)."""
        pictures = F.normalize(self.of_pictures(self.tower(pixel_values).pooler_output), dim=-1)
        return pictures, F.normalize(self.of_texts(pooled), dim=-1)


def said_otherwise(index, rendered):
    """Return the captions of ordinary picture `index` with every word of each kind, and the right ones' places."""
    scene, _ = ordinary(index, rendered["seed"], rendered["accessories"])
    said, right = [], []
    for kind, words in WORDS.items():
        right.append(words.index(getattr(scene.car if hasattr(scene.car, kind) else scene, kind)))
        for word in words:
            other = saying(scene, kind, word)
            said.append(caption(name_of(other.car), other, random.Random(f"{index}-wording")))
    return said, right


@torch.no_grad()
def pooled_texts(clip, tokenizer, captions):
    """Return the text tower's pooled output (N, H), before its projection."""
    parts = []
    for start in range(0, len(captions), 1000):
        ids = tokenizer(captions[start : start + 1000], padding="max_length", return_tensors="pt").input_ids
        parts.append(clip.text_model(ids).pooler_output)
    return torch.cat(parts)


def look_closer(clip, tokenizer, pictures, params, part):
    """Train on the pictures for the steps of params[part]; `clip` is changed in place."""
    rendered, numbers, right, rows = load_params("render"), {}, [], []
    for n in range(len(pictures)):
        said, places = said_otherwise(n, rendered)
        rows.append([numbers.setdefault(words, len(numbers)) for words in said])
        right.append(places)
    rows, right, pooled = torch.tensor(rows), torch.tensor(right), pooled_texts(clip, tokenizer, list(numbers))
    print(f"closer look: {len(numbers)} captions of {len(pictures)} pictures", flush=True)
    settings = params | params[part]
    run = Run(f"clip_{part}", Eyes(clip), settings, ema_decay=settings.get("ema_decay", 0.0))
    count = settings["batch_size"]
    own = torch.arange(count, device=DEVICE)
    for _, generator in run.steps():
        chosen = torch.randperm(len(pictures), generator=generator)[:count]
        pixel_values = to_pixel_values(shifted(pictures[chosen].float(), generator)).to(DEVICE)
        seen, told = run.module(pixel_values, pooled[rows[chosen]].to(DEVICE))
        scale, truth = run.module.logit_scale.exp(), right[chosen].to(DEVICE)
        kinds = (scale * (told * seen[:, None]).sum(dim=-1)).split(COUNTS, dim=1)
        losses = [F.cross_entropy(logits, truth[:, n]) for n, logits in enumerate(kinds)]
        # Among the right captions of the batch, as before.
        batch = scale * seen @ told[own, truth[:, 0]].T
        contrast = (F.cross_entropy(batch, own) + F.cross_entropy(batch.T, own)) / 2
        shares = [(logits.argmax(dim=1) == truth[:, n]).float().mean() for n, logits in enumerate(kinds)]
        run.update(sum(losses) / 3 + contrast / 2, contrast=contrast, **dict(zip(WORDS, shares, strict=True)))
    run.finish()
