import base64
import io

import numpy as np
from PIL import Image

from gentra_lora.pictures.request import PictureRequest
from gentra_lora.service.a1111.tasks import Tasks, grid_of, progress_of
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


def test_previews_of_several_pictures_are_a_grid_that_is_black_where_there_is_none_yet():
    previews = [np.full((2, 4, 3), level, np.uint8) for level in (1, 2, 3, 4, 5)]
    assert grid_of([None, None]) is None
    assert np.array_equal(grid_of(previews[:1]), previews[0])
    assert grid_of([*previews[:2], None])[::2, ::4, 0].tolist() == [[1, 2], [0, 0]]
    assert grid_of(previews)[::2, ::4, 0].tolist() == [[1, 2, 3], [4, 5, 0]]


def test_progress_shows_every_picture_of_a_job():
    shown = Job([PictureRequest("a", seed, 4, 3.0, 64, 64) for seed in (1, 2)], seconds=60)
    shown.begin(None)
    shown.previews = [np.full((8, 8, 3), level, np.uint8) for level in (10, 200)]
    found = progress_of(shown, None, with_preview=True)["current_image"]
    with Image.open(io.BytesIO(base64.b64decode(found))) as image:
        assert np.array(image)[0, ::8, 0].tolist() == [10, 200]
