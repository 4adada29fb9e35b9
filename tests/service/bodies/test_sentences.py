import pytest


def error_of(answer):
    assert set(answer.json()) == {"error", "request_id"}
    return answer.json()["error"]


def test_error_names_each_field_and_repeats_no_value(served):
    answer = served.draw(width=65, colour="red", seed=-987)
    error = error_of(answer)
    assert {found["field"] for found in error["details"]} == {"width", "colour", "seed"}
    assert error["param"] in ("width", "colour", "seed")
    assert "987" not in answer.text


@pytest.mark.parametrize(
    ("path", "values", "message"),
    [
        ("txt2img", {"prompt": " "}, "prompt: is empty; say what to draw"),
        ("txt2img", {"prompt": "\u200b\u200d \ufeff"}, "prompt: is empty; say what to draw"),
        ("txt2img", {}, "prompt: is missing"),
        ("txt2img", {"prompt": "a", "width": 65}, "width: must be a multiple of 8"),
        ("txt2img", {"prompt": "a", "seed": 1.5}, "seed: must be a whole number"),
        ("txt2img", {"prompt": "a", "guidance_scale": 99}, "guidance_scale: must be at most 30"),
        ("txt2img", {"prompt": "a", "colour": 1}, "colour: is not known here; remove it"),
        ("txt2img", {"prompt": "what / of: /this"}, None),
        ("images/generations", {"prompt": "a", "size": "3"}, "size: must be WIDTHxHEIGHT, such as 512x512, or auto"),
        ("images/generations", {"prompt": "a", "size": "2048x2048"}, "size does not fit: width"),
        ("images/generations", {"prompt": "a", "n": 16}, "n is 16; this service makes at most"),
    ],
)
def test_refusal_is_in_words_and_names_the_field_that_was_sent(served, path, values, message):
    answer = served.post(f"/v1/{path}", json=values)
    if message is None:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 422
        assert error_of(answer)["message"].startswith(message)


def test_what_a_message_repeats_of_a_prompt_keeps_its_slashes(served):
    answer = served.draw(prompt="a gentra " + "and " * 100 + "/one /two/three")
    assert "/one /two/three" in served.draw(prompt="<lora:/one /two/three:1> a gentra").json()["error"]["message"]
    assert answer.status_code == 422
