import pytest

from gentra_lora.commands.main import main


def refused(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["genrate"], "generate or regenerate"),
        (["drive", "pusch"], "push"),
        (["pull"], "drive pull or weights pull"),
        (["mount"], "drive mount"),
        (["weights", "lst"], "list"),
        (["generate", "a gentra", "--guidance", "7"], "--guidance-scale"),
        (["serve", "--max-sid", "64"], "--max-side"),
        (["generate", "a gentra", "--sampler", "eular"], "euler"),
        (["doctor", "--hepl"], "--help"),
    ],
)
def test_wrong_word_is_told_with_the_nearest(capsys, words, meant):
    assert refused(capsys, *words)[0].endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize(
    ("words", "known"), [(["xyz"], "profile, set, base"), (["doctor", "--xyz"], "--json, --repair, --help")]
)
def test_word_that_is_like_none_is_told_with_the_known_ones(capsys, words, known):
    assert f"; there are {known}" in refused(capsys, *words)[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["generate"], "error: PROMPT is missing"),
        (["drive", "login"], "error: --client is missing"),
        (
            ["generate", "a", "gentra", "in", "snow"],
            "error: gentra in snow: more words than it takes; those of one prompt",
        ),
        (["generate", "a gentra", "--seed"], "error: Option '--seed' requires an argument"),
    ],
)
def test_missing_and_stray_words_are_told_with_where_help_is(capsys, words, told):
    first, last = refused(capsys, *words)
    assert first.startswith(told)
    assert last.startswith(f"`gentra-lora {' '.join(words[: 2 if words[0] == 'drive' else 1])} --help`")
