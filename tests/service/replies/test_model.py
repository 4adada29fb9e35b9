import pytest
from pydantic import BaseModel

from gentra_lora.service.replies import faults, jobs, model, pictures
from gentra_lora.service.replies.model import ExampleList, Model, Tokens

KINDS = {kind for part in (faults, jobs, model, pictures) for kind in vars(part).values() if isinstance(kind, type)}


def test_what_is_served_is_told_as_is_promised(served):
    assert Model.model_validate(served.get("/v1/model").json())
    assert ExampleList.model_validate(served.get("/v1/examples").json())
    assert Tokens.model_validate(served.post("/v1/tokens", json={"text": "a gentra"}).json())


@pytest.mark.parametrize("kind", sorted(KINDS - {BaseModel}, key=lambda kind: kind.__name__))
def test_every_answer_says_what_it_is(kind):
    assert kind.__doc__
