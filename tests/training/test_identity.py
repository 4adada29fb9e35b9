import copy
import os

import pytest

from gentra_lora.training.identity import (
    differences,
    newest_other,
    note_values,
    noted_values,
    of_any_length,
    why_fresh,
)

ROW = {"file_name": "a.png", "sha256": "1", "caption": "a car", "split": "train", "mask_sha256": None, "key": "k"}
VALUES = {
    "params": {"rank": 4, "learning_rate": 0.002, "steps": 300, "lr_scheduler": "cosine"},
    "index": {"base": "nano@1", "base_predictions": ["p"], "photos": [ROW, ROW | {"file_name": "b.png"}]},
    "precision": ["no", "no GPU", 1],
    "versions": {"torch": "2.8"},
    "code": "c0de",
}


def changed(**blocks):
    values = copy.deepcopy(VALUES)
    for block, change in blocks.items():
        values[block] = values[block] | change if isinstance(change, dict) else change
    return values


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (changed(), []),
        (changed(params={"learning_rate": 0.001}), ["train.learning_rate: 0.002 then, 0.001 now"]),
        (changed(params={"new": 1}), ["train.new: None then, 1 now"]),
        (changed(versions={"torch": "2.9"}), ["torch: 2.8 then, 2.9 now"]),
        (changed(index={"photos": [ROW]}), ["b.png is gone"]),
        (changed(index={"photos": [*VALUES["index"]["photos"], ROW | {"file_name": "c.png"}]}), ["c.png is new"]),
        (changed(index={"photos": [ROW | {"sha256": "2"}, VALUES["index"]["photos"][1]]}), ["a.png: the photo"]),
        (
            changed(index={"photos": [ROW | {"caption": "x", "split": "held_out"}, VALUES["index"]["photos"][1]]}),
            ["a.png: the caption and the split"],
        ),
        (changed(index={"base": "nano@2"}), ["base: nano@1 then, nano@2 now"]),
        (changed(index={"base_predictions": ["q"]}), ["cached base predictions"]),
        (changed(code="d0de"), ["the code of this project"]),
    ],
    ids=str,
)
def test_what_differs_is_named_as_a_person_knows_it(tmp_path, now, told):
    note_values(tmp_path, VALUES)
    assert list(differences(noted_values(tmp_path), now)) == told


def checkpoint_of(folder, values, seconds):
    folder.mkdir()
    (folder / "step-0000300.pt").touch()
    os.utime(folder / "step-0000300.pt", (seconds, seconds))
    if values:
        note_values(folder, values)


def test_the_newest_other_that_says_what_it_is_of_is_compared(tmp_path):
    checkpoint_of(tmp_path / "older", changed(params={"rank": 8}), 100)
    checkpoint_of(tmp_path / "newer", changed(params={"rank": 16}), 200)
    checkpoint_of(tmp_path / "silent", None, 300)
    checkpoint_of(tmp_path / "own", VALUES, 400)
    assert newest_other(tmp_path / "own").path == tmp_path / "newer/step-0000300.pt"
    told = why_fresh(tmp_path / "own", VALUES)
    assert told == f"not going on from {tmp_path}/newer/step-0000300.pt, which differs: train.rank: 16 then, 4 now"


def test_without_another_there_is_nothing_to_say(tmp_path):
    assert why_fresh(tmp_path / "own", VALUES) == ""


def test_many_differences_are_counted(tmp_path):
    checkpoint_of(tmp_path / "other", changed(params={f"key{n}": n for n in range(8)}), 100)
    assert why_fresh(tmp_path / "own", VALUES).endswith("train.key4: 4 then, None now, and 3 more")


def test_steps_alone_are_told_with_the_schedule_that_forbids_more(tmp_path):
    checkpoint_of(tmp_path / "other", VALUES, 100)
    told = why_fresh(tmp_path / "own", changed(params={"steps": 600}))
    assert "train.steps: 300 then, 600 now; the rate of cosine depends on it" in told


@pytest.mark.parametrize(
    ("schedule", "same"), [("constant", True), ("linear", False), ("cosine", False), ("cosine_with_restarts", False)]
)
def test_runs_of_two_lengths_share_their_checkpoints_where_the_rate_does_not_depend_on_it(schedule, same):
    short, long = (of_any_length(changed(params={"lr_scheduler": schedule, "steps": n})) for n in (300, 600))
    assert (short == long) == same
