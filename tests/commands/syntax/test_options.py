from pathlib import Path

import click
import pytest

from gentra_lora.commands.main import parsed
from gentra_lora.commands.syntax.options import ADAPTER, PARAMETERS
from gentra_lora.commands.syntax.table import ENTRIES
from gentra_lora.pictures.limits import MOST_SEED
from gentra_lora.revisions.evaluated import WORKSPACE
from gentra_lora.revisions.weights import WEIGHTS
from gentra_lora.stages import evaluate, train


def of_generate(*words):
    return parsed(["generate", "a gentra", *words])[1]


def test_every_command_has_its_options():
    assert {*PARAMETERS, "serve"} == {path for path, entry in ENTRIES.items() if entry.work}


def test_what_is_left_out_is_as_it_always_was():
    assert of_generate() == {
        "prompt": "a gentra", "negative_prompt": "", "out": Path("generated/generate.png"), "adapter": ADAPTER,
        "seed": 1, "count": 1, "scale": None, "steps": None, "guidance_scale": None, "width": None, "height": None,
        "sampler": "dpmpp_2m",
    }  # fmt: skip
    assert parsed(["img2img", "a.png", "b"])[1]["strength"] == 0.5
    assert parsed(["compare", "HEAD"])[1]["second"] == WORKSPACE
    assert parsed(["noise"])[1] == {"seeds": 3}
    assert parsed(["regenerate", "a.png"])[1]["out"] == Path("regenerated.png")
    assert parsed(["weights", "pull"])[1]["dest"] == Path("weights")


def test_adapter_is_the_file_that_train_writes():
    assert ADAPTER == train.OUT == evaluate.ADAPTER == Path(WEIGHTS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--width", "65"], "65 is not from 64 to 2048 in steps of 8"),
        (["--height", "2056"], "2056 is not from 64 to 2048 in steps of 8"),
        (["--height", "56"], "56 is not from 64 to 2048 in steps of 8"),
        (["--width", "wide"], "wide is no whole number"),
        (["--guidance-scale", "-1"], "-1 is not from 0 to 30"),
        (["--guidance-scale", "30.5"], "30.5 is not from 0 to 30"),
        (["--guidance-scale", "nan"], "nan is not from 0 to 30"),
        (["--count", "0"], "0 is not from 1 to 16"),
        (["--count", "17"], "17 is not from 1 to 16"),
        (["--count", "1.5"], "1.5 is no whole number"),
        (["--scale", "inf"], "inf is not finite"),
        (["--seed", str(MOST_SEED + 1)], f"{MOST_SEED + 1} is not from "),
        (["--negative-prompt", "\udcff"], "is not UTF-8; look at the terminal's encoding"),
    ],
)
def test_value_beyond_the_limits_is_refused_with_them(words, told):
    with pytest.raises(click.BadParameter) as refused:
        of_generate(*words)
    assert refused.value.message.startswith(told)
    assert refused.value.param.opts == words[:1]


@pytest.mark.parametrize("words", [["--scale", "-0.5"], ["--seed", "-5"], ["--guidance-scale", "0"], ["--count", "16"]])
def test_values_at_the_limits_and_below_zero_are_taken(words):
    assert of_generate(*words)[words[0].strip("-").replace("-", "_")] == float(words[1])


def test_edits_are_pairs_and_only_the_first_sign_parts_them():
    assert parsed(["set", "a.b=1", "c.d=x=y"])[1] == {"edits": (("a.b", "1"), ("c.d", "x=y"))}


def test_texts_are_kept_as_they_are():
    assert of_generate("--negative-prompt", "снег 雪 -")["negative_prompt"] == "снег 雪 -"
