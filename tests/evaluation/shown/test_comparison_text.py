from gentra_lora.evaluation.compare import WORSE, compare
from gentra_lora.evaluation.shown.comparison_text import as_json, table_lines, verdict_lines
from tests.scored import run_of


def test_verdict_says_how_many_pictures_could_not_tell():
    lines = verdict_lines(compare(run_of(key="x"), run_of("b", key="x")))
    assert "likeness: no difference that 12 pictures could show" in lines
    assert "held-out loss: no difference that 18 errors on 6 photos could show" in lines


def test_table_and_json_hold_every_measure():
    found = compare(run_of(wobble=0), run_of("b", adapter={"loss": 0.06}, wobble=0))
    lines = table_lines(found)
    assert len(lines) == 1 + len(found.differences) == 11
    row = next(line for line in lines if line.startswith("held-out loss"))
    assert row.split()[:5] == ["held-out", "loss", "0.05000", "0.06000", "+0.01000"]
    values = as_json(found)
    assert values["measures"][0]["verdict"] == WORSE
    assert values["verdict"] == verdict_lines(found)
