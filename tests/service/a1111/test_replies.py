from gentra_lora.service.a1111.replies import A1111Error, refusals
from gentra_lora.service.errors import ServiceError


def test_error_has_its_sentence_under_each_name_that_clients_read():
    body = ServiceError(422, "invalid_request", "steps is 0", param="steps").body_of_a1111("id")
    assert body == A1111Error.model_validate(body).model_dump()
    assert body["detail"] == body["errors"] == "steps is 0"
    assert (body["error"], body["param"], body["request_id"]) == ("invalid_request", "steps", "id")


def test_refusals_are_described_in_that_shape():
    assert refusals(422)[422]["model"] is A1111Error
