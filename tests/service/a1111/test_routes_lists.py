import pytest
from starlette.testclient import TestClient

from gentra_lora.base.samplers import SAMPLERS
from gentra_lora.service.http.app import create_app
from tests.serving import settings_for


def test_webuiapi_reads_options_and_the_model_that_they_name(webui):
    assert webui.get_options()["CLIP_stop_at_last_layers"] == 1
    assert [webui.util_get_current_model()] == webui.util_get_model_names()
    assert webui.get_sd_models()[0]["filename"] == webui.util_get_current_model()


def test_webuiapi_reads_samplers_schedules_and_that_there_are_no_scripts(webui):
    assert len(webui.util_get_sampler_names()) == len(SAMPLERS)
    assert webui.util_get_scheduler_names() == ["automatic", "karras", "sgm_uniform"]
    assert webui.get_scripts() == {"txt2img": [], "img2img": []}


def test_webuiapi_reads_the_adapter_by_whose_name_a_prompt_calls_it(webui, served):
    (lora,) = webui.get_loras()
    assert lora["name"] == "sport_gentra_lora"
    assert lora["metadata"]["sshs_model_hash"] == served.service.life.revision.model_hash
    assert "/" not in lora["path"]


def test_options_cannot_be_set_but_to_what_they_are(webui):
    assert webui.set_options({"sd_model_checkpoint": webui.util_get_current_model()}) is None
    refused = webui.set_options({"sd_model_checkpoint": "another"})
    assert (refused["error"], refused["param"]) == ("invalid_request", "sd_model_checkpoint")
    assert "sd_model_checkpoint cannot be changed here" in refused["detail"]


@pytest.fixture(scope="module")
def locked(serving_repo):
    """The routes of a service with a key, which serves nothing yet."""
    app = create_app(settings_for(serving_repo, api_keys="one"))
    return TestClient(app, base_url="http://localhost")


def test_key_is_the_password_under_any_name_as_a1111s_clients_send_it(locked):
    assert locked.get("/sdapi/v1/samplers", auth=("anyone", "one")).status_code == 200
    assert locked.get("/sdapi/v1/samplers", headers={"X-API-Key": "one"}).status_code == 200
    assert locked.get("/v1/model", auth=("anyone", "one")).status_code == 401


@pytest.mark.parametrize("header", ["Basic", "Basic one", "Basic ///", "Basic b25lOnR3bw=="])
def test_wrong_password_is_refused_in_the_shape_that_a1111s_clients_read(locked, header):
    answer = locked.get("/sdapi/v1/samplers", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("give an API key")


def test_what_is_served_is_told_only_once_it_is(locked):
    answer = locked.get("/sdapi/v1/loras", headers={"X-API-Key": "one"})
    assert (answer.status_code, answer.json()["error"]) == (503, "not_ready")
