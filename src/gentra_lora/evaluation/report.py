"""From an evaluation's pictures and scores to its sheets and its page."""

from gentra_lora.evaluation.measures import BAND_LABELS
from gentra_lora.evaluation.report_page import measured, most_copied, verdict, worst, write_report
from gentra_lora.pictures.sheets import save_sheets
from gentra_lora.training.curves import chart, read_curve

CURVES = "plots/metrics/train/held_out_{}.tsv"  # DVCLive's, relative to the base's


def save_report(path, images_dir, train_dir, *, evaluated, sheets, photos, copy_threshold, noise):
    """Write the sheets to `images_dir` and the page to `path`.

    Args:
        train_dir: holds DVCLive's curves.
        evaluated: evaluation.Evaluated.
        sheets: of sheets.sheets_of.
        photos: {file name: picture}.
        copy_threshold: see score_rows.RealPhotos.
        noise: NoiseFloor of this set-up or None.
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
        copied=[(row, picture, photos[row["nearest_train_photo"]]) for row, picture in most_copied(shown)],
        copy_threshold=copy_threshold,
        worst=worst(shown),
        origin=origin_of(header, evaluated.setup),
    )


def _chart(train_dir, kept):
    curves = [read_curve(train_dir / CURVES.format(band), label) for band, label in BAND_LABELS.items()]
    curves = [curve for curve in curves if curve]
    return chart(curves, kept) if curves else None


def origin_of(header, setup):
    """Return (name, value) pairs: revision, hashes, hardware, versions."""
    dirty = {"yes": " and uncommitted changes", "no": ""}.get(header.get("gentra.git_dirty"), "")
    return [
        ("revision of the training", f"{header['gentra.git_revision']}{dirty}"),
        ("weights, sha256", setup["weights_sha256"]),
        ("base", setup["base"]),
        ("photos, sha256", header["gentra.photos_sha256"]),
        ("photos, DVC's md5", header["gentra.dataset_md5"]),
        ("training", header["gentra.train_params"]),
        ("likeness model", setup["likeness_model"]),
        ("prompt model", setup["prompt_model"]),
        (
            "pictures",
            f"{setup['resolution']} px, {setup['num_inference_steps']} steps, guidance {setup['guidance_scale']:g}",
        ),
        ("hardware", f"{setup['device']}; precision {setup['precision']}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in setup["versions"].items())),
    ]
