import hashlib

import pytest

from gentra_lora.service.jobs.examples import Examples
from gentra_lora.service.jobs.revision import find_revision
from tests.evaluated_project import PROMPTS, write_reports
from tests.serving import settings_for, write_serving_adapter


@pytest.fixture
def settings(tiny_base, tmp_path):
    weights = tmp_path / "project/models/sport_gentra_lora.safetensors"
    weights.parent.mkdir(parents=True)
    write_serving_adapter(weights, tiny_base)
    write_reports(tmp_path / "project", hashlib.sha256(weights.read_bytes()).hexdigest())
    return settings_for(tmp_path / "project", weights=weights, base=str(tiny_base))


def test_examples_of_a_revision_are_fetched_once(settings):
    examples, revision = Examples(settings), find_revision(settings)
    asked = examples.of(revision)
    assert [example.prompt for example in asked.result(60)] == PROMPTS
    assert examples.of(revision) is asked


def test_evaluation_that_cannot_be_read_gives_no_examples_and_the_log_says_why(settings, caplog):
    (settings.weights.parent.parent / "reports/evaluation.json").write_text("{")
    assert Examples(settings).of(find_revision(settings)).result(60) == []
    assert "no examples" in caplog.text
