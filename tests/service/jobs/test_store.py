import subprocess
import sys

import pytest

from gentra_lora.errors import InputError
from gentra_lora.pictures.record import png_of, record_of
from gentra_lora.service.http.answers import job_state
from gentra_lora.service.jobs.store import JobStore
from tests.pictures.test_record import ORIGINS, PICTURE
from tests.service.jobs.test_job import job
from tests.serving import running, settings_for
from tests.waiting import until


def done(count=1, **values):
    """Return a job with its pictures."""
    found = job(count, **values)
    found.records = [record_of(request, ORIGINS) for request in found.requests]
    found.pngs = [png_of(PICTURE, record) for record in found.records]
    found.taken = [request.steps_run for request in found.requests]
    return found


@pytest.fixture
def opened(tmp_path):
    """Open a store in the same folder as often as a test wants."""
    stores = []

    def open_store(most_bytes=10**6, seconds=3600):
        stores.append(JobStore(tmp_path / "jobs", most_bytes, seconds))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def pictures_in(tmp_path):
    return sorted(path.name for path in (tmp_path / "jobs").glob("*.png"))


def test_job_that_was_kept_is_the_same_to_another_process(opened):
    kept = done(2, prompt="фото 雪")
    kept.warnings = ["lacks the trigger word"]
    opened().keep(kept)
    kept.end("done")
    found = opened().find(kept.id)
    assert job_state(found, None) == job_state(kept, None)
    assert found.pngs == kept.pngs
    assert found.ended and found.state == "done"


def test_job_that_is_not_there_is_none(opened):
    assert opened().find("nothing") is None
    assert opened().find("../jobs") is None


def test_job_survives_a_process_that_is_killed_and_what_it_half_wrote_does_not(opened, tmp_path):
    script = """
import os, pathlib, sys
from tests.service.jobs.test_store import JobStore, done
store, one = JobStore(pathlib.Path(sys.argv[1]), 10**6, 3600), done()
store.keep(one)
(store.folder / "halfwritten.0.png").write_bytes(b"half")
print(one.id, flush=True)
os.kill(os.getpid(), 9)
"""
    words = [sys.executable, "-c", script, str(tmp_path / "jobs")]
    killed = subprocess.run(words, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    job_id = killed.stdout.strip()
    assert opened().find(job_id).state == "done"
    assert pictures_in(tmp_path) == [f"{job_id}.0.png"]


def test_oldest_jobs_go_where_the_bytes_are_more_than_may_be(opened, tmp_path):
    jobs = [done(2) for _ in range(4)]
    store = opened(most_bytes=5 * len(jobs[0].pngs[0]))
    for one in jobs:
        store.keep(one)
    assert [store.find(one.id) is not None for one in jobs] == [False, False, True, True]
    assert pictures_in(tmp_path) == sorted(f"{one.id}.{index}.png" for one in jobs[2:] for index in (0, 1))


def test_job_that_is_too_old_is_not_answered_and_removed_at_the_next_start(opened, tmp_path):
    one = done()
    opened().keep(one)
    later = opened(seconds=1e-9)
    assert later.find(one.id) is None
    assert pictures_in(tmp_path) == []


def test_job_that_is_forgotten_leaves_nothing(opened, tmp_path):
    store, one, other = opened(), done(), done()
    store.keep(one)
    store.keep(other)
    store.forget(one)
    assert store.find(one.id) is None
    assert pictures_in(tmp_path) == [f"{other.id}.0.png"]


def test_job_of_which_a_file_was_removed_or_cut_is_none(opened, tmp_path):
    store, one, other = opened(), done(2), done()
    store.keep(one)
    store.keep(other)
    (tmp_path / f"jobs/{one.id}.1.png").unlink()
    (tmp_path / f"jobs/{other.id}.0.png").write_bytes(b"")
    assert store.find(one.id) is None
    assert store.find(other.id) is None


def test_job_that_cannot_be_written_leaves_nothing(opened, tmp_path):
    store, one = opened(), done(2)
    (tmp_path / f"jobs/{one.id}.1.png").mkdir()
    with pytest.raises(OSError):  # noqa: PT011  # Is a directory, or Permission denied
        store.keep(one)
    (tmp_path / f"jobs/{one.id}.1.png").rmdir()
    assert store.find(one.id) is None
    store.keep(one)
    assert store.find(one.id).pngs == one.pngs


def test_folder_that_cannot_be_one_is_refused_by_its_setting(tmp_path):
    (tmp_path / "file").write_text("words")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/jobs.sqlite").write_text("no database" * 100)
    for name in ("file", "other"):
        with pytest.raises(InputError, match=rf"jobs_dir: .*{name} cannot be used \(.*\); name another folder"):
            JobStore(tmp_path / name, 10**6, 3600)


def test_folder_is_its_owners_alone(opened, tmp_path):
    opened()
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


def test_finished_job_is_answered_after_a_restart_and_a_cancelled_one_is_not(serving_repo, tmp_path):
    settings = settings_for(serving_repo, weights_dir=tmp_path / "served", jobs_dir=tmp_path / "jobs")
    with running(settings) as served:
        one = served.job(num_images=2)
        before = served.ended(one)
        png = served.get(before["images"][1]["url"]).content
        assert served.service.store.find(one) is not None
    with running(settings, ready=False) as served:
        assert served.state(one) == before
        assert served.get(before["images"][1]["url"]).content == png
        assert served.get(f"/v1/jobs/{one}/events").text.startswith("event: done")
        until(lambda: served.service.life.state != "starting")


def test_disk_that_takes_nothing_costs_no_picture(serving_repo, tmp_path, caplog):
    settings = settings_for(serving_repo, weights_dir=tmp_path / "served", jobs_dir=tmp_path / "jobs")
    with running(settings) as served:
        served.service.store._database.execute("DROP TABLE jobs")  # what is written next fails
        assert served.draw().status_code == 200
        assert "a finished job could not be kept" in caplog.text
        assert served.get("/v1/jobs/nothing").status_code == 404
