from gentra_lora.service.replies.faults import ErrorBody


def test_every_refusal_is_what_is_promised(served):
    for answer in (served.draw(width=1), served.get("/v1/jobs/x"), served.get("/x"), served.draw("")):
        assert ErrorBody.model_validate(answer.json())
