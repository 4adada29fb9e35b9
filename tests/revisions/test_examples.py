import shutil

import pytest

from gentra_lora.revisions.examples import examples_beside, numbers_beside, pull_examples
from tests.dvc_project import command
from tests.evaluated_project import PROMPTS, write_reports

SHA256 = "ab" * 32


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    write_reports(folder, SHA256)
    return folder


def test_examples_are_the_prompts_in_their_order_with_the_first_seed_and_their_pictures(project):
    found = examples_beside(project / "models/gentra.safetensors", SHA256)
    assert [example.prompt for example in found] == PROMPTS
    assert [example.png for example in found] == [b"picture 1", b"picture 2"]
    assert {(e.seed, e.num_inference_steps, e.guidance_scale, e.side) for e in found} == {(4, 3, 2.5, 64)}


def test_evaluation_of_other_weights_gives_no_examples(project):
    assert examples_beside(project / "models/gentra.safetensors", "cd" * 32) == []
    shutil.rmtree(project / "reports")
    assert examples_beside(project / "models/gentra.safetensors", SHA256) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", "<<<<<<< HEAD"])
def test_evaluation_that_cannot_be_read_gives_no_numbers(project, text):
    (project / "reports/evaluation.json").write_text(text)
    assert numbers_beside(project / "models/gentra.safetensors", SHA256) == {}


def test_examples_of_a_commit_are_pulled_from_the_remote(project):
    command(project, "git", "init", "-q", "-b", "main")
    command(project, "dvc", "init", "-q")
    command(project, "dvc", "add", "-q", "reports/evaluation.json", "reports/images")
    command(project, "git", "add", "-A")
    command(project, "git", "commit", "-qm", "evaluated")
    remote = project.parent / "remote"
    (project / ".dvc/cache").rename(remote)
    shutil.rmtree(project / "reports/images")
    found = pull_examples(str(project), "HEAD", SHA256, str(remote))
    assert [example.png for example in found] == [b"picture 1", b"picture 2"]
