from gentra_lora.evaluation.shown.metrics_table import metrics_table


def test_table_shows_a_dash_for_what_has_no_value():
    metrics = {"val_loss": 0.03, "val_loss_base": 0.06, "gap_closed": None}
    lines = metrics_table(metrics)
    assert lines[1].split() == ["held-out", "loss", "0.0600", "0.0300", "-"]
    assert lines[3].split() == ["gap", "closed", "0", "-", "1"]
    assert lines[-1].split() == ["blank", "or", "clipped", "-", "-", "-"]
