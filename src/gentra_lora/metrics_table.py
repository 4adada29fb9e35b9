"""The metrics of a run as lines of text, for one screen."""


def metrics_table(metrics):
    """Return lines of text: each measure for the base, the adapter and real photos."""

    def number(key):
        return f"{metrics[key]:.4f}" if metrics.get(key) is not None else "-"

    rows = [
        ("held-out loss", number("val_loss_base"), number("val_loss"), "-"),
        ("likeness to the subject", *(number(f"subject_similarity{end}") for end in ("_base", "", "_real"))),
        ("prompt match", *(number(f"prompt_match{end}") for end in ("_base", "", "_real"))),
        ("drift on other prompts", "0.0000", number("drift"), "-"),
        ("gap closed", "0", number("gap_closed"), "1"),
    ]
    lines = [f"{'':26}{'base':>10}{'adapter':>10}{'real':>10}"]
    return lines + [f"{name:26}{base:>10}{adapter:>10}{real:>10}" for name, base, adapter, real in rows]
