import json
import subprocess
import sys

import pytest

from gentra_lora.commands.main import main
from gentra_lora.params import load_params
from tests.conftest import full_disk

pytestmark = pytest.mark.repository


def test_profile_is_copied_over_params(profiles, capsys):
    main(["profile", "sd15_t4"])
    assert (profiles / "params.yaml").read_bytes() == (profiles / "profiles/sd15_t4.yaml").read_bytes()
    assert "params.yaml is now profiles/sd15_t4.yaml" in capsys.readouterr().out


def test_profile_refuses_to_lose_edits_that_are_not_committed(profiles):
    edited = (profiles / "params.yaml").read_text().replace("rank: 32", "rank: 12")
    (profiles / "params.yaml").write_text(edited)
    with pytest.raises(SystemExit, match=r"params\.yaml: has edits that are not in git"):
        main(["profile", "sd15_t4"])
    assert (profiles / "params.yaml").read_text() == edited


def test_profile_goes_over_edits_that_are_committed(profiles):
    (profiles / "params.yaml").write_text((profiles / "params.yaml").read_text().replace("rank: 32", "rank: 12"))
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "y"], check=True)
    main(["profile", "demo"])
    assert "rank: 32" in (profiles / "params.yaml").read_text()


def test_one_profile_after_another_needs_no_commit(profiles):
    main(["profile", "sd15_t4"])
    main(["profile", "demo"])


def test_unknown_profile_is_refused_with_the_known_ones(profiles):
    with pytest.raises(SystemExit, match="unknown; there are demo, sd15_a100, sd15_t4"):
        main(["profile", "sdxl"])


def test_values_are_set_and_comments_stay(demo_project, capsys):
    main(["set", "train.rank=24", "train.learning_rate=5e-05"])
    text = (demo_project / "params.yaml").read_text()
    assert "rank: 24 # twice what Stable Diffusion 1.5 takes" in text
    assert load_params().train.learning_rate == 5e-05
    assert capsys.readouterr().out == "params.yaml: train.rank = 24, train.learning_rate = 5e-05\n"


@pytest.mark.parametrize("edit", ["train.rank=abc", "train.rnk=8", "train.lr_warmup_steps=700"])
def test_value_that_would_not_be_valid_is_refused_and_nothing_is_written(demo_project, edit):
    before = (demo_project / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match=r"(?s)error: .*train\.(rank|rnk)|lr_warmup_steps is 700"):
        main(["set", edit])
    assert (demo_project / "params.yaml").read_bytes() == before


@pytest.fixture
def stage_at_work(demo_project):
    """A process that DVC's lock names as one that runs a stage here."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()", "dvc", "repro"], **pipes) as process:
        process.stdout.readline()  # its words can be read from then on
        held = {"write": {"models/a": {"pid": process.pid, "cmd": "dvc repro"}}, "read": {}}
        (demo_project / ".dvc/tmp").mkdir(parents=True)
        (demo_project / ".dvc/tmp/rwlock").write_text(json.dumps(held))
        yield process
        process.kill()


@pytest.mark.parametrize(
    "words", [["set", "train.rank=8"], ["profile", "sd15_t4"], ["base", "a/b", "--revision", "0" * 40]]
)
def test_params_are_not_changed_under_a_stage_that_runs(demo_project, stage_at_work, words):
    before = (demo_project / "params.yaml").read_bytes()
    with pytest.raises(SystemExit, match=r"error: params\.yaml: DVC is at work here \(dvc repro\) and records it when"):
        main(words)
    assert (demo_project / "params.yaml").read_bytes() == before


def test_lock_that_a_killed_stage_left_does_not_keep_params_from_being_set(demo_project, stage_at_work):
    stage_at_work.kill()
    stage_at_work.wait()
    main(["set", "train.rank=8"])
    assert load_params().train.rank == 8


def test_edit_that_is_no_pair_is_refused(demo_project, capsys):
    with pytest.raises(SystemExit):
        main(["set", "train.rank"])
    assert "train.rank is not KEY=VALUE" in capsys.readouterr().err


def test_full_disk_leaves_params_as_they_were(demo_project):
    before = (demo_project / "params.yaml").read_bytes()
    with full_disk(limit=1000), pytest.raises(SystemExit, match="error: "):
        main(["set", "train.rank=32"])
    assert (demo_project / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file; run from the repository's root"),
        ("a: 1\n# моя машина\n".encode("cp1251"), "line 2 is not UTF-8; save the file as UTF-8 in your editor"),
    ],
)
def test_params_that_cannot_be_read_are_told(demo_project, content, told):
    (demo_project / "params.yaml").unlink()
    if content:
        (demo_project / "params.yaml").write_bytes(content)
    with pytest.raises(SystemExit, match=rf"error: params\.yaml: {told}"):
        main(["set", "train.rank=32"])
