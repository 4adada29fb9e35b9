"""The routes that serve the page's first screen."""

from tests.evaluated_project import PROMPTS


def test_examples_are_those_of_the_served_weights_and_draw_their_pictures_again(evaluated_service):
    examples = evaluated_service.get("/v1/examples").json()["examples"]
    assert [example["prompt"] for example in examples] == PROMPTS
    url = examples[1].pop("url")
    assert evaluated_service.get(url).content.startswith(b"\x89PNG")
    assert evaluated_service.draw(**examples[1]).status_code == 200


def test_weights_without_an_evaluation_have_no_examples(served):
    assert served.get("/v1/examples").json() == {"examples": []}
    answer = served.get("/v1/examples/0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_tokens_are_counted_as_the_limit_of_a_prompt_is(served):
    counted = served.post("/v1/tokens", json={"text": "gentra " * 90}).json()
    assert counted["tokens"] > counted["limit"]
    answer = served.draw("gentra " * 90)
    assert f"more than {counted['limit']} tokens" in answer.text
    assert served.post("/v1/tokens", json={"text": ""}).json()["tokens"] == 0
