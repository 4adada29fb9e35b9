import pytest
from pydantic import BaseModel

from gentra_lora.pictures.record import FIELDS
from gentra_lora.service.http import reply_schemas
from gentra_lora.service.http.reply_schemas import ErrorBody, JobState, Model, Parameters, Pictures
from tests.service.http.test_routes_pictures import photo


def test_what_is_answered_is_what_is_promised(served):
    accept = {"Accept": "application/json"}
    for answer in (served.draw(headers=accept), served.redraw(photo(), headers=accept)):
        assert Pictures.model_validate(answer.json())
    assert Model.model_validate(served.get("/v1/model").json())
    assert JobState.model_validate(served.get(f"/v1/jobs/{served.job()}").json())
    for answer in (served.draw(width=1), served.get("/v1/jobs/x"), served.get("/x"), served.draw("")):
        assert ErrorBody.model_validate(answer.json())


def test_parameters_name_everything_that_makes_the_picture_again():
    assert set(FIELDS) < set(Parameters.model_fields)
    assert {"base", "adapter_sha256", "commit", "precision"} < set(Parameters.model_fields)


@pytest.mark.parametrize("name", [name for name, kind in vars(reply_schemas).items() if isinstance(kind, type)])
def test_every_answer_says_what_it_is(name):
    kind = getattr(reply_schemas, name)
    assert kind is BaseModel or kind.__doc__
