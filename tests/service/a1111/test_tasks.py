import numpy as np

from gentra_lora.pictures.request import PictureRequest
from gentra_lora.service.a1111.tasks import Tasks, progress_of
from gentra_lora.service.jobs.job import Job


def job():
    return Job([PictureRequest("a", 1, 4, 3.0, 64, 64)], seconds=60)


def test_each_client_sees_its_own_oldest_job_that_has_not_ended():
    tasks, first, second = Tasks(), job(), job()
    with tasks.at_work("one", first), tasks.at_work("one", second):
        assert tasks.current("one") is first
        assert tasks.current("two") is None
        first.end("cancelled")
        assert tasks.current("one") is second
    assert tasks.current("one") is None


def test_nothing_at_work_is_no_progress():
    found = progress_of(None, None, with_preview=True)
    assert (found["progress"], found["state"]["job"], found["current_image"]) == (0.0, "", None)


def test_progress_is_the_share_of_steps_and_never_nothing_once_it_has_begun():
    waiting = job()
    assert progress_of(waiting, 3, with_preview=True)["textinfo"] == "waiting, place 3"
    waiting.begin(None)
    assert progress_of(waiting, None, with_preview=True)["progress"] > 0
    waiting.taken = [3]
    found = progress_of(waiting, None, with_preview=True)
    assert found["progress"] == 0.75
    assert found["eta_relative"] >= 0
    assert (found["state"]["sampling_step"], found["state"]["sampling_steps"]) == (3, 4)


def test_preview_is_told_without_the_address_before_it_and_only_by_wish():
    shown = job()
    shown.begin(None)
    shown.previews[0] = np.zeros((8, 8, 3), np.uint8)
    assert progress_of(shown, None, with_preview=True)["current_image"].startswith("iVBOR")
    assert progress_of(shown, None, with_preview=False)["current_image"] is None
