from gentra_lora.pictures.request import PictureRequest
from gentra_lora.service.errors import ServiceError
from gentra_lora.service.jobs.job import Job, Place


def request(**values):
    return PictureRequest(**{"prompt": "a", "seed": 1, "num_inference_steps": 4, "guidance_scale": 2.0} | values)


def job(count=1, seconds=60, **values):
    sides = {"width": 64, "height": 64}
    return Job([request(**sides | {"seed": seed} | values) for seed in range(count)], seconds)


def test_ids_cannot_be_guessed_and_differ():
    ids = {job().id for _ in range(100)}
    assert len(ids) == 100
    assert min(map(len, ids)) >= 20


def test_job_that_was_cancelled_does_not_begin():
    one = job()
    one.end("cancelled")
    assert not one.begin("revision")
    assert one.state == "cancelled"


def test_job_begins_once_and_keeps_its_revision():
    one = job()
    assert one.begin("first")
    assert not one.begin("second")
    assert one.revision == "first"


def test_job_ends_once_and_the_first_end_stays():
    one = job()
    assert one.end("cancelled", ServiceError(409, "cancelled", "cancelled"))
    assert not one.end("done")
    assert (one.state, one.error.code) == ("cancelled", "cancelled")


def test_whoever_sees_a_new_state_without_the_lock_finds_what_belongs_to_it():
    known = {}

    class Noted(Job):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "state":
                known[value] = dict(vars(self))

    one, error = Noted([request(width=64, height=64)], 60), ServiceError(500, "failed", "failed")
    one.begin("first")
    one.end("failed", error)
    assert known["running"]["revision"] == "first"
    assert known["failed"]["error"] is error
    assert known["failed"]["ended_at"] is not None


def test_listeners_are_told_of_each_change_until_they_are_forgotten():
    one, told = job(), []

    def listener():
        told.append(one.state)

    one.listen(listener)
    one.changed()
    one.end("done")
    one.forget(listener)
    one.changed()
    assert told == ["queued", "done"]


def test_steps_are_those_of_all_pictures():
    assert job(3).steps == 12
    assert job(2, strength=0.5).steps == 4


def test_place_is_one_picture_of_its_job():
    assert Place(job(3), 2).request.seed == 2
