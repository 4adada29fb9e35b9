from pathlib import Path

import psutil
import pytest


def value(served, name):
    for line in served.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    return 0.0


def test_pictures_rejections_and_requests_are_counted(served):
    before = value(served, 'gentra_pictures_total{mode="txt2img"}')
    rejected = value(served, 'gentra_rejections_total{code="invalid_request"}')
    served.draw(num_images=2)
    served.draw(width=65)
    assert value(served, 'gentra_pictures_total{mode="txt2img"}') == before + 2
    assert value(served, 'gentra_rejections_total{code="invalid_request"}') == rejected + 1
    assert value(served, 'gentra_requests_total{route="/v1/txt2img",status="422"}') >= 1


def test_seconds_of_each_phase_are_measured(served):
    served.draw()
    for phase in ("queued", "denoising", "decoding", "encoding"):
        assert value(served, f'gentra_phase_seconds_count{{phase="{phase}"}}') >= 1


def test_gauges_tell_what_is_now(served):
    assert value(served, "gentra_ready") == 1
    assert value(served, "gentra_jobs_waiting") == 0
    revision = served.service.life.revision
    labels = f'{{commit="{revision.commit}",sha256="{revision.file["sha256"]}"}}'
    assert value(served, f"gentra_revision{labels}") == 1


def test_unknown_paths_do_not_make_labels_of_their_own(served):
    served.get("/made/up/path")
    assert "made/up" not in served.get("/metrics").text


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="prometheus_client looks at processes by way of /proc")
def test_memory_of_the_process_is_told(served):
    assert value(served, "process_resident_memory_bytes") == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
