import json


def test_webuiapi_reads_how_a_picture_of_ours_was_made(webui):
    made = webui.txt2img(prompt="a gentra (blue)", seed=3, width=64, height=64, cfg_scale=3.0)
    found = webui.png_info(made.image)
    assert found.info == made.info["infotexts"][0]
    assert found.parameters["Seed"] == "3"
    assert found.parameters["Sampler"] == "DPM++ 2M"
    assert json.loads(found.json["items"]["gentra"])["prompt"] == "a gentra (blue)"


def test_what_is_no_picture_is_refused_in_words(served):
    answer = served.post("/sdapi/v1/png-info", json={"image": "AAAA"})
    assert (answer.status_code, answer.json()["detail"]) == (415, "image is no picture")
