import pytest

from gentra_lora.evaluation.compare import BETTER, NONE, SEED, WORSE, compare
from gentra_lora.evaluation.noise_floor import NoiseFloor
from gentra_lora.evaluation.scored_run import RunError
from gentra_lora.evaluation.shown.comparison_text import verdict_lines
from tests.scored import PROMPTS, run_of


def verdicts(comparison):
    return {difference.measure.key: difference.verdict for difference in comparison.differences}


def test_equal_runs_differ_in_nothing():
    found = compare(run_of(), run_of("b"))
    assert set(verdicts(found).values()) == {NONE}
    assert all(d.interval.mean == d.interval.low == d.interval.high == 0 for d in found.differences)
    assert verdict_lines(found)[0] == "no difference that these evaluations could show"


def test_runs_that_differ_by_chance_alone_differ_in_nothing():
    assert set(verdicts(compare(run_of(key="x"), run_of("b", key="y"))).values()) == {NONE}


PLANTED = {
    "val_loss": ("loss", 0.052, WORSE, 0.002),
    "subject_similarity": ("likeness", 0.84, BETTER, 0.04),
    "prompt_match": ("prompt_match", 0.3, WORSE, -0.1),
    "drift": ("drift", 0.1, BETTER, -0.1),
    "class_similarity": ("class", 0.6, WORSE, 0.1),
    "copied": ("copied", True, WORSE, 1.0),
    "diversity": ("diversity", 0.5, WORSE, -0.5),
}


@pytest.mark.parametrize("key", PLANTED)
def test_planted_difference_is_found_in_its_measure_alone_and_in_its_direction(key):
    name, value, verdict, size = PLANTED[key]
    found = compare(run_of(key="x"), run_of("b", key="x", adapter={name: value}))
    assert {k: v for k, v in verdicts(found).items() if v != NONE and not k.startswith("val_loss_")} == {key: verdict}
    (difference,) = (d for d in found.differences if d.measure.key == key)
    assert difference.interval.mean == pytest.approx(size)
    assert f"b is {verdict} on" in verdict_lines(found)[0]


def test_run_that_keeps_its_class_is_told_to_be_better_on_drift_and_leak_and_what_it_costs():
    spoilt = run_of("without", key="x", adapter={"drift": 12.0, "class": 0.8, "diversity": 0.4})
    kept = run_of("with", key="x", adapter={"drift": 1.0, "class": 0.41, "diversity": 0.9, "likeness": 0.77})
    found = compare(spoilt, kept)
    lines = [line.partition(": ")[0] for line in verdict_lines(found) if line.startswith("with is")]
    assert lines == [
        *("with is better on drift", "with is better on class leak", "with is better on diversity"),
        "with is worse on likeness",
    ]
    assert all(d.interval.excludes_zero for d in found.differences if d.measure.key in ("drift", "class_similarity"))


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(0.4, 0.8, BETTER), (3.0, 1.5, BETTER), (1.1, 1.6, WORSE), (0.8, 0.3, WORSE)]
)
def test_diversity_is_better_the_nearer_it_is_to_that_of_real_photos(before, after, verdict):
    runs = (run_of(name, key="x", adapter={"diversity": value}) for name, value in (("a", before), ("b", after)))
    assert verdicts(compare(*runs))["diversity"] == verdict


def test_pairing_finds_what_the_spread_between_photos_would_hide():
    one, other = (run_of(name, key="x", wobble=0.3, adapter={"likeness": v}) for name, v in (("a", 0.5), ("b", 0.51)))
    assert verdicts(compare(one, other))["subject_similarity"] == BETTER


def test_difference_inside_the_seeds_spread_is_not_claimed():
    runs = run_of(key="x"), run_of("b", key="x", adapter={"loss": 0.052})
    small, large = (NoiseFloor(runs[0].setup, [1, 2, 3], {"val_loss": sd}, {}) for sd in (0.0001, 0.001))
    assert verdicts(compare(*runs, small))["val_loss"] == WORSE
    found = compare(*runs, large)
    assert verdicts(found)["val_loss"] == SEED
    assert "held-out loss: +0.00200, no more than another seed of the training may give (0.0061)" in verdict_lines(
        found
    )
    assert verdict_lines(found)[0] == "no difference"
    other = NoiseFloor(runs[0].setup | {"seeds": [9]}, [1, 2, 3], {"val_loss": 0.001}, {})
    assert compare(*runs, other).noise_seeds == 0


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"prompts": ["on Mars"]}, "the prompts: ['in snow', 'at night'] and ['on Mars']"),
        ({"seeds": [7]}, r"the seeds: [1, 2] and [7]"),
        ({"held_out": {"9.png": "2" * 64}}, "the held-out photos: "),
        ({"likeness_model": "dino@2"}, "the likeness model: clip@1 and dino@2"),
    ],
)
def test_runs_that_were_not_evaluated_alike_are_refused(changed, named):
    with pytest.raises(RunError) as refused:
        compare(run_of("main"), run_of("b", setup=changed))
    assert named in str(refused.value)
    assert "main and b were not evaluated alike" in str(refused.value)


def test_run_of_an_earlier_ruler_is_refused_and_says_so():
    earlier = run_of("main")
    del earlier.setup["ruler"]
    with pytest.raises(RunError, match="another ruler: one from before it had a name and 2\n.*dvc repro evaluate"):
        compare(earlier, run_of("b"))


def test_row_that_is_in_one_run_alone_is_refused():
    other = run_of("b")
    other.rows[:] = [row for row in other.rows if (row.get("prompt"), row.get("seed")) != (PROMPTS[0], 2)]
    with pytest.raises(RunError, match="prompt match: .*in snow.* is in one of the runs alone"):
        compare(run_of(), other)


def test_another_base_leaves_out_what_belongs_to_a_base():
    found = compare(run_of(), run_of("b", setup={"base": "other@2"}))
    assert verdicts(found).keys() == {"subject_similarity", "prompt_match", "class_similarity", "copied", "diversity"}
    assert [line.partition(":")[0] for line in found.left_out] == ["held-out loss", "drift"]


def test_changed_parameters_and_ground_are_named():
    params = {"train": {"rank": 64, "seed": 1}}
    found = compare(run_of(), run_of("b", setup={"device": "T4"}, params=params))
    assert found.changed == ["train.rank: 16 -> 64"]
    assert found.told == ["hardware: cpu and T4"]
