"""What nano CLIP reads from pictures: which of several captions fits best."""

from dataclasses import replace

import torch
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from captions import FEATURES, PLACES, name_of
from car import COLOURS, SHAPES, SUBJECT, Car
from scene import SETTINGS, VIEWS
from training import to_pixel_values

PLAIN = Car("hatchback", "blue")  # shares nothing with the subject


def prompt_of(scene):
    return f"a photo of {name_of(scene.car)} {PLACES[scene.setting][0]}, {scene.view}"


def saying(scene, kind, choice):
    """Return the scene with another word of a kind: of its car, or the setting or the view."""
    if hasattr(scene.car, kind):
        return replace(scene, car=replace(scene.car, **{kind: choice}))
    return replace(scene, **{kind: choice})


class ClipReader:
    """Nano CLIP of a folder."""

    def __init__(self, folder):
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def of_pictures(self, pictures):
        """uint8 (N, H, W, 3) -> unit features (N, D)."""
        pixel_values = to_pixel_values(torch.from_numpy(pictures).permute(0, 3, 1, 2))
        return F.normalize(self.model.get_image_features(pixel_values).pooler_output, dim=1)

    @torch.no_grad()
    def of_scenes(self, scenes):
        """Return the unit features (N, D) of what the scenes' prompts say."""
        ids = self.tokenizer([prompt_of(s) for s in scenes], padding="max_length", return_tensors="pt").input_ids
        return F.normalize(self.model.get_text_features(ids).pooler_output, dim=1)

    def read(self, pictures, scenes):
        """Return the share of pictures for which the right word of each kind fits best, the others kept as they are."""
        kinds = {"style": list(SHAPES), "colour": list(COLOURS), "setting": list(SETTINGS), "view": list(VIEWS)}
        rows, shares = self.of_pictures(pictures), {}
        for kind, choices in kinds.items():
            said = [saying(scene, kind, choice) for scene in scenes for choice in choices]
            fit = (self.of_scenes(said).unflatten(0, (len(scenes), -1)) * rows[:, None]).sum(dim=2).argmax(dim=1)
            right = [said[n * len(choices) + int(best)] == scenes[n] for n, best in enumerate(fit)]
            shares[kind] = round(sum(right) / len(scenes), 3)
        return shares

    def tells_features(self, pictures, scenes):
        """Return, for each of the subject's features, how often the caption that is right about it fits better."""
        rows, right_words, shares = self.of_pictures(pictures), self.of_scenes(scenes), {}
        for feature, names in FEATURES.items():
            turned = []
            for scene in scenes:
                there = all(getattr(scene.car, name) == getattr(SUBJECT, name) for name in names)
                other = {name: getattr(PLAIN if there else SUBJECT, name) for name in names}
                turned.append(replace(scene, car=replace(scene.car, **other)))
            better = (right_words * rows).sum(dim=1) > (self.of_scenes(turned) * rows).sum(dim=1)
            shares[feature] = round(float(better.float().mean()), 3)
        return shares
