import pytest

from gentra_lora.commands.main import main
from gentra_lora.commands.syntax.table import ENTRIES, HEADINGS, names_in


def screen(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_help_shows_every_command_once_in_its_group_by_an_example(capsys):
    shown = screen(capsys)
    places = [shown.index(heading) for heading in HEADINGS] + [len(shown)]
    for name in names_in(""):
        entry = ENTRIES[name]
        place = HEADINGS.index(entry.heading)
        assert f"\n  {entry.example} " in shown[places[place] : places[place + 1]]
        assert entry.told in shown


@pytest.mark.parametrize("width", [80, 120])
def test_help_takes_a_line_a_command_and_fits_the_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = screen(capsys).splitlines()
    assert max(map(len, shown)) < width
    assert len([line for line in shown if line.startswith("  ")]) == len(names_in(""))


def test_help_is_wider_where_the_terminal_is(capsys, monkeypatch):
    lines = {}
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines[width] = screen(capsys, "drive").splitlines()
    assert len(lines[120]) < len(lines[80])


@pytest.mark.parametrize("path", ENTRIES)
def test_help_of_a_command_says_what_it_is_for_and_gives_an_example_to_copy(capsys, monkeypatch, path):
    monkeypatch.setenv("COLUMNS", "80")
    shown = screen(capsys, *path.split())
    assert shown.startswith(f"usage: gentra-lora {path}")
    assert f"\n  gentra-lora {ENTRIES[path].example}\n" in shown
    assert shown.isascii()


def test_help_of_a_command_tells_its_words_options_and_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    shown = screen(capsys, "img2img")
    for line in (
        "usage: gentra-lora img2img [options] PHOTO PROMPT",
        "  PHOTO   any picture; its centre is taken where its shape is another",
        "  --seed N                seed of the first picture (1)",
        "  --strength X            0.3 keeps the photo, 1 forgets it (0.5)",
    ):
        assert line in shown.splitlines()
