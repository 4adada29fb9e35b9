import re

import pytest

from gentra_lora.evaluation.measures import metrics_of
from gentra_lora.evaluation.shown.report_page import measured
from gentra_lora.evaluation.shown.words import side_effects, verdict
from tests.scored import rows_of

QUIET = {"drift": 0.01, "class": 0.41}


@pytest.mark.parametrize(
    ("adapter", "headline"),
    [
        (QUIET, "The adapter has learnt the subject."),
        (
            QUIET | {"drift": 1.4},
            "learnt the subject. Pictures that have nothing to do with it change more than by another seed.",
        ),
        (QUIET | {"class": 0.6}, "The adapter has learnt the subject. The plain class noun draws it as well."),
        (QUIET | {"likeness": 0.3}, "knows unseen photos of the subject better than the base, but its pictures"),
        (QUIET | {"loss": 0.08}, "draws the subject, but does not know unseen photos"),
        (QUIET | {"loss": 0.09, "likeness": 0.2}, "It cannot be shown that the adapter has learnt the subject."),
    ],
)
def test_headline_is_what_the_intervals_say(adapter, headline):
    rows = rows_of(adapter=adapter)
    metrics = metrics_of(rows)
    assert headline in verdict(metrics, measured(rows, metrics, None))[0]


def test_sentences_tell_the_bad_as_well():
    rows = rows_of(adapter={"copied": True})
    next(row for row in rows if row.get("adapter") and "fault" in row)["fault"] = "blank"
    metrics = metrics_of(rows)
    text = "\n".join(verdict(metrics, measured(rows, metrics, None))[1])
    assert "100% of the pictures of the subject are nearer to a training photo" in text
    assert "Blank or clipped: 1 picture." in text
    assert re.search(r"class noun has gone \d+% of the way", text)


@pytest.mark.parametrize(
    ("drift", "leak", "words"),
    [
        (0.04, 0.0, ("Other things stay what they are", "The class stays what it was")),
        (0.5, 0.3, ("Other things change less than by", "The subject leaks into its class")),
        (2, -0.8, ("Other things change more than by", "The class moves away from the subject")),
        (12, 0.92, ("Other things change beyond", "The subject takes over its class")),
    ],
)
def test_drift_and_leak_are_told_in_words(drift, leak, words):
    lines = side_effects({"drift_in_seeds": drift, "class_leak": leak, "diversity": None})
    assert all(line.startswith(start) for line, start in zip(lines, words, strict=True))
    assert f"{drift:g} times as far as another seed" in lines[0] and f"{leak:.0%}" in lines[1]


@pytest.mark.parametrize(
    ("diversity", "words"),
    [(0.0, "more alike than real photos are: 0.00 times"), (1.1, "as real photos do:"), (3.0, "more than real photos")],
)
def test_diversity_is_told_beside_that_of_real_photos(diversity, words):
    (line,) = side_effects({"drift_in_seeds": None, "class_leak": None, "diversity": diversity})
    assert words in line


def test_features_are_told_where_a_judge_counted_them():
    found = {"features_shown": 5.42, "features_leaked": 2.5, "features_leaked_base": 0.04}
    (line,) = side_effects({"drift_in_seeds": None, "class_leak": None, "diversity": None} | found)
    assert "5.4 of the subject's features on its pictures, and 2.5 on other things (the base: 0.0)" in line


def test_metrics_of_an_earlier_ruler_are_told_to_be_such():
    assert side_effects({"drift": 0.3, "class_leak": 0.9}) == [
        "reports/metrics.json is of another ruler: drift and diversity mean something else there; run `dvc repro`"
    ]


def test_what_has_no_value_is_not_told():
    assert side_effects({"drift_in_seeds": None, "class_leak": None, "diversity": None}) == []
