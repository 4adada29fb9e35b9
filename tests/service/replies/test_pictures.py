from gentra_lora.pictures.record import FIELDS
from gentra_lora.service.replies.pictures import Parameters, Pictures
from tests.service.http.test_routes_pictures import photo


def test_pictures_are_answered_as_is_promised(served):
    accept = {"Accept": "application/json"}
    for answer in (served.draw(headers=accept), served.redraw(photo(), headers=accept)):
        assert Pictures.model_validate(answer.json())


def test_parameters_name_everything_that_makes_the_picture_again():
    assert set(FIELDS) < set(Parameters.model_fields)
    assert {"base", "adapter_sha256", "commit", "precision"} < set(Parameters.model_fields)
