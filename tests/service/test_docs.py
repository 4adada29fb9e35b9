"""docs/service.md against the service."""

import re
from pathlib import Path

import pytest
import yaml

from gentra_lora.service.http.app import create_app
from gentra_lora.service.jobs.metrics import ServiceMetrics
from gentra_lora.service.settings import ServiceSettings
from tests.conftest import ROOT
from tests.serving import settings_for

pytestmark = pytest.mark.repository

TEXT = (ROOT / "docs/service.md").read_text(encoding="utf-8")


def rows(heading):
    """Return the rows of the first table after a heading, without its head."""
    lines = TEXT[TEXT.index(heading) :].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("|"))
    table = lines[first : first + lines[first:].index("")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def shown(value):
    """Return a default as the table shows it."""
    return "-" if value in (None, [], False) else f"`{value}`"


def test_table_of_settings_is_the_settings():
    fields = ServiceSettings.model_fields
    assert rows("## Settings") == [
        [f"`{name}`", shown(field.default), field.description] for name, field in fields.items()
    ]


def test_table_of_paths_is_that_of_the_application(serving_repo):
    paths = create_app(settings_for(serving_repo)).openapi()["paths"]
    wanted = {f"`{method.upper()} {path}`" for path, methods in paths.items() for method in methods}
    wanted |= {"`POST /v1/txt2img`", "`POST /v1/img2img`"}  # described by the kinds of their answers
    assert {row[0] for row in rows("## Call it")} == wanted


def test_table_of_metrics_is_those_that_are_counted():
    told = set(re.findall(r"`(\w+?)(?:_total)?`", "".join(row[0] for row in rows("## Metrics"))))
    counted = {metric.name for metric in ServiceMetrics().registry.collect()}
    if not Path("/proc/self").exists():  # where prometheus_client cannot look at the process
        told = {name for name in told if not name.startswith("process_")}
    assert told == counted


def test_table_of_codes_holds_every_code_of_the_source():
    source = "".join(path.read_text() for path in (ROOT / "src/gentra_lora/service").rglob("*.py"))
    codes = set(re.findall(r"ServiceError\(\s*\d+,\s*\"(\w+)\"", source)) | set(
        re.findall(r"_refused\(\d+, \"(\w+)\"", source)
    )
    told = set(re.findall(r"`(\w+)`", "".join(row[1] for row in rows("### Answers"))))
    assert codes - {"client_gone", "cancelled"} <= told  # these two nobody reads as an answer


def test_manifest_gives_more_time_to_end_than_the_service_takes():
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    (manifest,) = [block for block in blocks if block.get("kind") == "Deployment"]
    pod = manifest["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > ServiceSettings().drain_seconds + 10
    assert pod["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("field", ["prompt", "seed", "lora_scale", "strength", "sampler", "num_images"])
def test_fields_of_requests_are_told(field):
    assert any(f"`{field}`" in row[0] for row in rows("### Fields of a request"))


def test_compose_and_docker_give_more_time_to_end_than_the_service_takes():
    most = ServiceSettings().drain_seconds + 10
    assert int(re.search(r"--stop-timeout (\d+)", TEXT)[1]) > most
    assert int(re.search(r"stop_grace_period: (\d+)s", TEXT)[1]) > most


def test_ray_file_names_what_can_be_imported_and_settings_that_there_are():
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    (application,) = next(block for block in blocks if "applications" in block)["applications"]
    assert application["import_path"] == "gentra_lora.service.ray:application"
    assert application["args"].keys() - {"num_replicas", "num_gpus"} <= ServiceSettings.model_fields.keys()
