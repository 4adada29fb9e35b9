from gentra_lora.service.replies.jobs import JobAccepted, JobState


def test_job_is_told_as_is_promised(served):
    accepted = served.post("/v1/jobs", json={"prompt": "a gentra"}).json()
    assert JobAccepted.model_validate(accepted)
    assert JobState.model_validate(served.state(accepted["id"]))
