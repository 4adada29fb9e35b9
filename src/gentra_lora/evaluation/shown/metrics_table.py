"""The metrics of a run as lines of text, for one screen."""

from gentra_lora.evaluation.scored_run import Metrics


def metrics_table(metrics: Metrics) -> list[str]:
    """Return lines of text: each measure for the base, the adapter and real photos."""

    def number(key: str) -> str:
        return f"{metrics[key]:.4f}" if metrics.get(key) is not None else "-"

    def judged(label: str, key: str) -> list[tuple[str, str, str, str]]:
        return [(label, number(f"{key}_base"), number(key), number(f"{key}_real"))] if key in metrics else []

    rows = [
        ("held-out loss", number("val_loss_base"), number("val_loss"), "-"),
        ("likeness to the subject", *(number(f"subject_similarity{end}") for end in ("_base", "", "_real"))),
        ("gap closed", "0", number("gap_closed"), "1"),
        *judged("features shown, of 6", "features_shown"),
        ("prompt match", *(number(f"prompt_match{end}") for end in ("_base", "", "_real"))),
        ("drift, 1 is another seed", "0", number("drift_in_seeds"), "-"),
        *judged("features leaked", "features_leaked"),
        ("class leak", "0", number("class_leak"), "1"),
        ("copying", "-", number("copy_rate"), "-"),
        ("diversity", number("diversity_base"), number("diversity"), "1"),
        ("blank or clipped", "-", str(metrics.get("bad_images", "-")), "-"),
    ]
    lines = [f"{'':26}{'base':>10}{'adapter':>10}{'real':>10}"]
    return lines + [f"{name:26}{base:>10}{adapter:>10}{real:>10}" for name, base, adapter, real in rows]
