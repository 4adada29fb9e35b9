"""From an evaluation's pictures and scores to its sheets and its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gentra_lora.evaluation.measures import BAND_LABELS
from gentra_lora.evaluation.noise_floor import NoiseFloor
from gentra_lora.evaluation.plan import Evaluated
from gentra_lora.evaluation.scored_run import Setup
from gentra_lora.evaluation.shown.report_page import measured, most_copied, most_drifted, worst, write_report
from gentra_lora.evaluation.shown.words import verdict
from gentra_lora.pictures.sheets import Sheet, save_sheets
from gentra_lora.training.curves import chart, read_curve

CURVES = "plots/metrics/train/held_out_{}.tsv"  # DVCLive's, relative to the base's


def save_report(
    path: Path,
    images_dir: Path,
    train_dir: Path,
    *,
    evaluated: Evaluated,
    sheets: Sequence[Sheet],
    photos: Mapping[str, NDArray[np.uint8]],
    copy_threshold: float,
    noise: NoiseFloor | None,
) -> None:
    """Write the sheets to `images_dir` and the page to `path`.

    Args:
        train_dir: holds DVCLive's curves.
        sheets: of sheets.sheets_of.
        photos: {file name: picture}.
        copy_threshold: see real_photos.RealPhotos.
        noise: of this set-up.
    """
    save_sheets(images_dir, sheets)
    rows, metrics, header = evaluated.rows, evaluated.metrics, evaluated.header
    found = measured(rows, metrics, noise)
    headline, sentences = verdict(metrics, found)
    shown = list(evaluated.shown())
    write_report(
        path,
        headline=headline,
        sentences=sentences,
        noise=noise,
        measured=found,
        chart=_chart(train_dir, int(header["gentra.steps"])),
        seed=evaluated.plan.groups["prompt"][0].seed,
        sheets={sheet.name: sheet for sheet in sheets},
        drifted=most_drifted(shown, evaluated.drawn["drift"]["base"]),
        copied=[(row, picture, photos[row["nearest_train_photo"]]) for row, picture in most_copied(shown)],
        copy_threshold=copy_threshold,
        worst=worst(shown),
        origin=origin_of(header, evaluated.setup),
    )


def _chart(train_dir: Path, kept: int) -> Mapping[str, object] | None:
    found = [read_curve(train_dir / CURVES.format(band), label) for band, label in BAND_LABELS.items()]
    curves = [curve for curve in found if curve]
    return chart(curves, kept) if curves else None


def origin_of(header: Mapping[str, str], setup: Setup) -> list[tuple[str, str]]:
    """Return (name, value) pairs: revision, hashes, hardware, versions."""
    dirty = {"yes": " and uncommitted changes", "no": ""}.get(header.get("gentra.git_dirty", ""), "")
    return [
        ("revision of the training", f"{header['gentra.git_revision']}{dirty}"),
        ("weights, sha256", setup["weights_sha256"]),
        ("base", setup["base"]),
        ("photos, sha256", header["gentra.photos_sha256"]),
        ("photos, DVC's md5", header["gentra.dataset_md5"]),
        ("training", header["gentra.train_params"]),
        ("likeness model", setup["likeness_model"]),
        ("prompt model", setup["prompt_model"]),
        ("judge, sha256", setup["judge"] or "none"),
        (
            "pictures",
            f"{setup['resolution']} px, {setup['num_inference_steps']} steps, guidance {setup['guidance_scale']:g}",
        ),
        ("hardware", f"{setup['device']}; precision {setup['precision']}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in setup["versions"].items())),
    ]
