from gentra_lora.training.curves import HEIGHT, WIDTH, Curve, chart, read_curve


def test_curve_is_read_from_dvclives_file(tmp_path):
    path = tmp_path / "held_out.tsv"
    assert read_curve(path, "details") is None
    path.write_text("step\theld_out\n50\t0.9\n100\t0.75\n")
    assert read_curve(path, "details") == Curve("details", [(50, 0.9), (100, 0.75)])


def test_lines_fill_the_chart_and_a_lower_loss_is_lower():
    found = chart([Curve("one", [(50, 0.9), (100, 0.7)]), Curve("two", [(50, 0.8), (100, 0.6)])], marked=100)
    (left, top), (right, low) = (tuple(map(float, pair.split(","))) for pair in found["lines"][0]["points"].split())
    assert 0 < left < right < WIDTH and 0 < top < low < HEIGHT
    assert found["marked"] == {"at": right, "text": "100"}
    assert [tick["text"] for tick in found["x_ticks"]] == ["50", "62", "75", "88", "100"]


def test_single_value_is_in_the_middle():
    found = chart([Curve("one", [(3, 0.5)])], marked=3)
    assert found["lines"][0]["points"].startswith(f"{found['marked']['at']}")
