"""docs/ and the README: every table and number is the measured one, and every link leads somewhere."""

import ast
import json
import re
import shlex
import statistics
import subprocess
from contextlib import suppress
from itertools import groupby

import pytest
from click import MissingParameter

from gentra_lora.commands.main import parsed
from gentra_lora.commands.params_edit import with_values
from gentra_lora.params import Params, read_params
from tests.conftest import ROOT, needs_git

pytestmark = pytest.mark.repository
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
TEXT = "\n".join(PAGES.values())
# Of the first columns of the tables of runs.
DIGITS = {"val_loss": 4, "subject_similarity": 3, "features_shown": 2, "prompt_match": 3, "drift_in_seeds": 2}


def measured(name):
    return json.loads((ROOT / f"bench/{name}.json").read_text(encoding="utf-8"))


def table(page, name):
    """Return {first cell: other cells} of the table that the comment about bench/NAME.json stands above."""
    text = PAGES[page]
    lines = text[text.index(f"<!-- a test compares this table with bench/{name}.json -->") :].splitlines()[3:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in [*lines, ""][: [*lines, ""].index("")]]
    return {row[0]: row[1:] for row in rows}


def test_table_of_recipes_is_the_one_that_was_measured():
    three = {name: found for name, found in measured("recipes").items() if len(found["runs"]) == 3}
    assert {"ours", "plain loop", "uniform timesteps"} <= three.keys()
    assert table("docs/training.md", "recipes") == {
        name: [f"{found['mean']:.4f}", f"{found['lowest']:.4f} to {found['highest']:.4f}"]
        for name, found in three.items()
    }


def span(values):
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def test_table_of_the_time_to_quality_is_the_one_that_was_measured():
    assert table("docs/training.md", "time_to_quality") == {
        name: [
            span(found["steps"]),
            f"{found['times']:.1f}",
            f"{found['sd15_times']:.1f}",
        ]
        for name, found in measured("time_to_quality")["recipes"].items()
    }


def test_table_of_going_on_is_the_one_that_was_measured():
    assert table("docs/training.md", "going_on") == {
        way: [f"{statistics.mean(losses):.4f}", f"{min(losses):.4f} to {max(losses):.4f}"]
        for way, losses in measured("going_on")["held_out_relative"].items()
    }


def test_table_of_preservation_is_the_one_that_was_measured():
    digits = DIGITS | {"features_leaked": 2, "class_leak": 2, "diversity": 2}
    assert table("docs/training.md", "preservation") == {
        f"{weight}, {seed}": [f"{found[key]:.{n}f}" for key, n in digits.items()]
        for weight, runs in measured("preservation")["weights"].items()
        for seed, found in runs.items()
    }


def test_table_of_speed_is_the_one_that_was_measured():
    bases = [measured("train")[name] for name in ("nano", "sd15")]
    faster = {
        f"times as fast, photos of {size}": [f"{base['faster_than_plain_loop'][size]:.2f}" for base in bases]
        for size in bases[0]["faster_than_plain_loop"]
    }
    assert table("docs/training.md", "train") == faster | {
        "seconds a step": [f"{base['seconds_a_step']:.3f}" for base in bases],
        "of its bare forward, backward and optimizer": [f"{base['of_the_bare_step']:.3f}" for base in bases],
        "with preservation, times the step": [f"{base['preserving_of_the_step']:.2f}" for base in bases],
        "peak memory, MB": [str(base["peak_mb"]) for base in bases],
        "with preservation, MB": [str(base["peak_mb_preserving"]) for base in bases],
        "the plain loop's, MB": [str(base["peak_mb_plain_loop"]) for base in bases],
    }


def test_table_of_what_backward_keeps_is_the_one_that_was_counted():
    found = measured("activations")["gb_of_batch_size"]
    assert table("docs/training.md", "activations") == {
        way: [f"{gb:.2f}" for gb in sizes.values()] for way, sizes in found.items()
    }
    two = {way: sizes["2"] for way, sizes in found.items()}
    assert f"by count a step keeps {two['as it trains']:.1f} GB" in (ROOT / "profiles/sd15_t4.yaml").read_text("utf-8")
    assert two["with `lora_dropout`"] / two["as it trains"] == pytest.approx(7 / 6, rel=0.02)
    assert two["with `gradient_checkpointing`"] / two["as it trains"] == pytest.approx(1 / 6, rel=0.02)


def test_table_of_abuse_is_the_one_that_was_measured():
    found = measured("abuse")
    before, beside, guesses = found["besieged"]["alone"], found["besieged"]["beside"], found["guesses"]
    memory = {"MB, 100 photos of 12 megapixels": "phone_photos_mb"}
    memory |= {"MB, six PNGs of 7000 x 7000, 16 bits": "large_pngs_mb"}
    asked = {"seconds of a picture of a prompt": "prompt", "seconds of a photo of 12 megapixels redrawn": "photo"}
    assert table("docs/service.md", "abuse") == {
        **{row: [str(found[name][when]) for when in ("before", "most", "after")] for row, name in memory.items()},
        **{row: [str(before[kind]), str(beside[kind]), "-"] for row, kind in asked.items()},
    }
    assert (found["besieged"]["let_in"], found["besieged"]["heads_closed"]) == (4, 300)
    assert found["phone_photos_mb"]["after"] < 1.1 * found["phone_photos_mb"]["before"]
    assert found["large_pngs_mb"]["after"] < 1.1 * found["large_pngs_mb"]["before"]
    text = " ".join(PAGES["docs/service.md"].split())
    assert f"one address in {guesses['seconds']} s, {guesses['looked_at']} were looked at" in text
    assert f"took {guesses['good']} s at most" in text


def test_a_step_costs_the_same_with_50_and_5000_photos():
    assert "50 and 5,000 were measured" in PAGES["docs/training.md"]
    nano = measured("train")["nano"]
    assert nano["step_with_5000_photos"] == pytest.approx(nano["step_with_50_photos"], rel=0.03)
    assert nano["peak_mb_after_5000_photos"] == pytest.approx(nano["peak_mb"], rel=0.03)


def test_table_of_evaluation_is_the_one_that_was_measured():
    ratios = measured("evaluate")["times_as_fast_as_the_plain_loop"]
    assert table("docs/evaluation.md", "evaluate") == {name: [f"{ratio:.2f}"] for name, ratio in ratios.items()}
    assert ratios["first evaluation"] >= 1.5


def test_readmes_run_is_told_on_the_page_of_the_demo_as_it_was_measured():
    found, origin = (json.loads((ROOT / f"docs/demo/{name}.json").read_text()) for name in ("metrics", "origin"))
    digits = DIGITS | {"class_leak": 2, "copy_rate": 2, "diversity": 2}
    threads = "one thread" if ", 1 threads" in origin["hardware"] else "two threads"
    row = " | ".join(["README, " + threads, *(f"{found[key]:.{n}f}" for key, n in digits.items())])
    assert f"\n| {row} |\n" in PAGES["docs/demo.md"]
    shown, real, leaked = (found[f"features_{name}"] for name in ("shown", "shown_real", "leaked"))
    told = (
        f"sees {shown:.1f} of the subject's six features, in real photos of it {real:.2f}; on other cars {leaked:.2f},"
    )
    assert told in PAGES["docs/demo.md"].replace("\n", " ")


def test_table_of_masks_is_the_one_that_was_measured():
    digits = DIGITS | {"copy_rate": 2, "diversity": 2}
    found = measured("masks")
    assert table("docs/photos.md", "masks") == {
        f"{weight}, {seed}": [f"{metrics[key]:.{n}f}" for key, n in digits.items()]
        for weight, runs in found["weights"].items()
        for seed, metrics in runs.items()
    }
    _, _, verdict, *_ = (list(lines) for _, lines in groupby(found["compare"], bool))
    assert "\n".join(verdict) in PAGES["docs/photos.md"]


def test_table_of_the_cache_is_the_one_that_was_measured():
    found = measured("cache")
    assert table("docs/photos.md", "cache") == {
        "`cache_latents`": [
            f"{found['photos_per_second']:.2f}",
            str(found["peak_mb_100_photos"]),
            str(found["peak_mb_2000_photos"]),
        ],
        "a plain loop of `vae.encode` over the same crops": [f"{found['photos_per_second_plain_loop']:.2f}", "-", "-"],
    }


def test_table_of_the_service_is_the_one_that_was_measured():
    found = measured("serve")
    one, three = (found["times_one_at_a_time"][name] for name in ("one scale", "three scales"))
    assert table("docs/service.md", "serve") == {
        "seconds of a picture by HTTP, of diffusers'": [
            f"{found[f'service_of_bare_{kind}']:.2f}" for kind in ("fused", "peft")
        ],
        "pictures a second, 1 client": [f"{one['1'][kind]:.2f}" for kind in ("fused", "peft")],
        "4 clients": [f"{one['4'][kind]:.2f}" for kind in ("fused", "peft")],
        "16 clients": [f"{one['16'][kind]:.2f}" for kind in ("fused", "peft")],
        "16 clients, three strengths of the adapter": [f"{three['16'][kind]:.2f}" for kind in ("fused", "peft")],
    }


def test_losses_with_six_crops_and_with_one_are_those_of_the_recipes():
    six, one = (measured("recipes")[name]["mean"] for name in ("ours", "no crop variants"))
    text = " ".join(PAGES["docs/tuning.md"].split())
    assert f"six crops end at {six:.3f} of the base's held-out loss and a single one at {one:.3f}" in text


def test_table_of_packages_names_each_of_them():
    listed = re.findall(r"^\| \[(\w+)\]\(\.\./src/gentra_lora/\1\) \|", PAGES["docs/code.md"], flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.parent.name for path in ROOT.glob("src/gentra_lora/*/__init__.py"))


def links():
    """Return all (page, target) of links that lead into this repository."""
    found = [(page, target) for page, text in PAGES.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    return sorted({(page, target) for page, target in found if not target.startswith(("http://", "https://"))})


@needs_git
def test_linked_files_are_in_git():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for page, target in links():
        path = (ROOT / page).parent / target.partition("#")[0]
        name = path.resolve().relative_to(ROOT.resolve()).as_posix() if target.partition("#")[0] else page
        assert any(line == name or line.startswith(f"{name}/") for line in tracked.splitlines()), f"{page}: {target}"


def anchors(text):
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_anchors_of_links_are_headings_of_their_pages():
    found = [(page, *target.partition("#")[::2]) for page, target in links() if "#" in target]
    assert found
    for page, path, anchor in found:
        other = ((ROOT / page).parent / path).resolve().relative_to(ROOT.resolve()).as_posix() if path else page
        assert anchor in anchors(PAGES[other]), f"{page}: {path}#{anchor}"


def test_every_page_can_be_reached_from_the_readme():
    assert {page for page in PAGES if page.startswith("docs/")} <= {
        target.partition("#")[0] for page, target in links() if page == "README.md"
    }


@pytest.mark.parametrize("page", PAGES)
def test_params_named_on_a_page_exist(page):
    blocks = "|".join(Params.model_fields)
    for block, key in re.findall(rf"\b({blocks})\.(\w+)", PAGES[page]):
        if key not in ("main", "yaml", "json", "png", "jpg", "md"):  # ends of file names
            assert key in Params.model_fields[block].annotation.model_fields, f"{block}.{key}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z][\w-]+)", TEXT, flags=re.MULTILINE))))
def test_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def texts_of(path):
    """Return the texts of a Python file, 1 for each value of an f-string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    found = ["".join(part.value if isinstance(part, ast.Constant) else "1" for part in n.values) for n in joined]
    plain = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in parts)
    return found + [node.value for node in plain if isinstance(node.value, str)]


def test_commands_that_messages_and_pages_name_can_be_typed():
    texts = [text for path in ROOT.glob("src/gentra_lora/**/*.py") for text in texts_of(path)] + [*PAGES.values()]
    named = {name for text in texts for name in re.findall(r"`gentra-lora ([^`]+)`", " ".join(text.split()))}
    typed = [words for words in map(shlex.split, named) if not {"...", "--help"} & {*words} and len(words) > 1]
    assert len(typed) > 20
    for words in typed:
        with suppress(MissingParameter):  # `drive login`: what it takes besides is not said here
            parsed(words)


def blocks_of_commands():
    """Return (page, its commands of ours) of each block of shell lines."""
    blocks = [
        (page, block) for page, text in PAGES.items() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    ]
    lines = [(page, block.replace("\\\n", " ").splitlines()) for page, block in blocks]
    return [
        (page, [shlex.split(line, comments=True)[1:] for line in of if re.match("gentra-lora ", line)])
        for page, of in lines
    ]


def test_commands_in_blocks_can_be_typed_and_set_valid_values():
    for page, commands in blocks_of_commands():
        text = (ROOT / "profiles/sd15_t4.yaml").read_text(encoding="utf-8")
        for words in commands:
            edits = parsed(words)[1].get("edits", [])
            text = with_values(text, dict(edits))
            read_params(text, source=f"{page}: {shlex.join(words)}")
