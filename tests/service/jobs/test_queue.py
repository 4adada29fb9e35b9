import threading
import time

import pytest

from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.queue import JobQueue
from tests.service.jobs.test_job import job
from tests.waiting import PATIENCE


def filled(*jobs, most=16):
    queue = JobQueue(most)
    for one in jobs:
        queue.put(one)
    return queue


def test_pictures_that_fit_are_taken_together_in_order_and_the_others_wait():
    one, other, third = job(2), job(width=128), job(guidance_scale=5.0)
    queue = filled(one, other, third)
    assert [place.job for place in queue.take()] == [one, one, third]
    assert [place.job for place in queue.take()] == [other]


@pytest.mark.parametrize(
    "values",
    [{"width": 72}, {"height": 72}, {"num_inference_steps": 5}, {"sampler": "ddim"}, {"guidance_scale": 1.0},
     {"strength": 0.5}],
)  # fmt: skip
def test_pictures_of_another_shape_sampler_number_of_steps_or_without_guidance_are_not_batched(values):
    queue = filled(job(), job(**values))
    assert len(queue.take()) == 1


def test_scales_prompts_seeds_and_guidance_values_may_differ():
    queue = filled(job(), job(lora_scale=0.3), job(prompt="b"), job(guidance_scale=9.0), job(negative_prompt="c"))
    assert len(queue.take()) == 5


def test_batch_is_bounded_by_the_pixels_that_memory_takes():
    queue = filled(*[job(width=512, height=512) for _ in range(6)])
    assert [len(queue.take()) for _ in range(2)] == [4, 2]


def test_first_come_is_first_served_whatever_fits_better_behind_it():
    big = job(width=512, height=512)
    queue = filled(job(), big, job())
    queue.take()
    assert queue.take()[0].job is big


def test_full_queue_is_429_with_the_seconds_after_which_to_come_again():
    queue = filled(job(), job(), most=2)
    queue.measured(10.0, 1)
    for _ in range(50):
        queue.measured(10.0, 1)
    with pytest.raises(ServiceError) as refused:
        queue.put(job())
    assert (refused.value.status, refused.value.code) == (429, "queue_full")
    assert int(refused.value.headers["Retry-After"]) == 20
    queue.take()
    queue.put(job())


def test_retry_after_follows_what_was_measured():
    queue = filled(job(), most=1)
    for _ in range(50):
        queue.measured(3.0, 4)  # a batch of four jobs
    with pytest.raises(ServiceError) as refused:
        queue.check_room()
    assert refused.value.headers["Retry-After"] == "1"


def test_dropped_job_frees_its_place():
    one = job(3)
    queue = filled(one, most=1)
    queue.drop(one)
    queue.put(job())
    assert [place.job is one for place in queue.take()] == [False]


def test_position_is_counted_in_jobs():
    jobs = [job(2), job(2, width=128), job()]
    queue = filled(*jobs)
    assert [queue.position(one) for one in jobs] == [1, 2, 3]
    queue.drop(jobs[0])
    assert [queue.position(one) for one in jobs] == [None, 1, 2]


def test_commands_go_before_what_waits_and_none_is_taken_once_closed():
    queue = filled(job())
    queue.call(len)
    assert queue.take() is len
    queue.close()
    assert len(queue.take()) == 1
    assert queue.take() is None
    with pytest.raises(ServiceError, match="is being stopped"):
        queue.call(len)


def test_command_waits_for_the_job_that_has_begun_and_for_no_other():
    parts, other = job(3, width=1024, height=512), job()  # two pictures at once
    queue = filled(other, parts)
    queue.drop(other)
    first = queue.take()
    parts.begin("revision")
    queue.put(other)
    queue.call(len)
    assert len(first) == 2
    assert [place.job for place in queue.take()] == [parts]
    assert queue.take() is len
    assert [place.job for place in queue.take()] == [other]


def test_taker_waits_for_work():
    queue, taken = JobQueue(1), []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    time.sleep(0.05)
    assert not taken
    queue.put(job())
    thread.join(PATIENCE)
    assert len(taken[0]) == 1


def test_jobs_whose_time_is_over_are_found():
    late, early = job(seconds=-1), job()
    assert filled(late, early).expired() == [late]
