"""Stage train_judge: the judge of judge.py on renders of its own -> judge.safetensors and judge_scores.json.

The scores are what it reads on unseen renders: the ceiling of what it can say of anybody's pictures.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from captions import FEATURES, features_of_subject, ordinary
from judge import KINDS, WEIGHTS, Judge, seen
from scene import VIEWS
from training import DEVICE, Run, load_params, load_pictures, to_pixel_values


def truth_of(count, rendered):
    """Return the labels of the first `count` renders, by kind: class numbers (N,), and booleans (N, 6)."""
    scenes = [ordinary(n, rendered["seed"], rendered["accessories"])[0] for n in range(count)]
    said = [{"style": s.car.style, "colour": s.car.colour, "setting": s.setting, "view": s.view} for s in scenes]
    truth = {kind: torch.tensor([names.index(row[kind]) for row in said]) for kind, names in KINDS.items()}
    shown = [list(features_of_subject(scene.car).values()) for scene in scenes]
    return truth | {"features": torch.tensor(shown)}


def disturbed(pictures, generator):
    """Return the pictures moved by up to 4 pixels, softened and lit otherwise: a generator's faults are no content."""
    padded = F.pad(pictures.float(), (4,) * 4, mode="replicate")
    corners = torch.randint(0, 9, (len(pictures), 2), generator=generator).tolist()
    side = pictures.shape[-1]
    moved = torch.stack([p[:, y : y + side, x : x + side] for p, (y, x) in zip(padded, corners, strict=True)])
    soft = F.interpolate(F.avg_pool2d(moved, 2), size=side, mode="bilinear")
    blend = torch.rand(len(moved), 1, 1, 1, generator=generator)
    light = 1 + 0.15 * (torch.rand(len(moved), 1, 1, 1, generator=generator) - 0.5)
    noise = 6 * torch.randn(moved.shape, generator=generator)
    return (torch.lerp(moved, soft, blend) * light + noise).clamp(0, 255)


def accuracy(labels, truth, chosen):
    """Return the share of right labels by kind, of style by view, and of each feature."""
    right = {kind: labels[kind] == truth[kind][chosen] for kind in KINDS}
    by_view = {
        view: round(float(right["style"][truth["view"][chosen] == n].float().mean()), 3) for n, view in enumerate(VIEWS)
    }
    features = (labels["features"] == truth["features"][chosen]).float().mean(dim=0)
    return {
        **{kind: round(float(r.float().mean()), 3) for kind, r in right.items()},
        "style_by_view": by_view,
        "features": dict(zip(FEATURES, (round(float(f), 3) for f in features), strict=True)),
    }


def main():
    params, rendered = load_params("train_judge"), load_params("render_judge")
    pictures = load_pictures("render_judge")
    truth = truth_of(len(pictures), rendered)
    torch.manual_seed(params["seed"])
    judge = Judge()
    print(f"judge: {sum(p.numel() for p in judge.parameters()) / 1e6:.2f} M parameters", flush=True)
    run = Run("judge", judge, params, ema_decay=0.99)
    trained_on = len(pictures) - params["held_out"]
    for _, generator in run.steps():
        chosen = torch.randint(0, trained_on, (params["batch_size"],), generator=generator)
        features = judge(to_pixel_values(disturbed(pictures[chosen], generator)).to(DEVICE))
        losses = {kind: F.cross_entropy(judge.heads[kind](features), truth[kind][chosen].to(DEVICE)) for kind in KINDS}
        shown = truth["features"][chosen].float().to(DEVICE)
        losses["features"] = 3 * F.binary_cross_entropy_with_logits(judge.heads["features"](features), shown)
        run.update(sum(losses.values()), **losses)
    run.finish()
    chosen = torch.arange(trained_on, len(pictures))
    _, labels = seen(judge, pictures[chosen].permute(0, 2, 3, 1).numpy())
    save_file({k: v.contiguous() for k, v in judge.state_dict().items()}, WEIGHTS)
    scores = accuracy(labels, truth, chosen)
    Path("judge_scores.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(scores, indent=2))


if __name__ == "__main__":
    main()
