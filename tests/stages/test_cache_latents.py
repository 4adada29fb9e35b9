import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from gentra_lora.latents.cached_photos import load_split, read_empty_prompt, read_index
from gentra_lora.photos.manifest import read_manifest
from gentra_lora.photos.photo import open_upright
from gentra_lora.stages import cache_latents, prepare
from tests.conftest import change

FOLDER = "data/latents"
COMMAND = "gentra_lora.stages.cache_latents"


def content(folder=FOLDER):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_each_photo_is_cached_under_its_own_caption_and_split(cached):
    rows = {row.file_name: row for row in read_manifest(cached / "data/processed/manifest.jsonl")}
    listed = read_index(cached / FOLDER)["photos"]
    assert {row["file_name"]: (row["sha256"], row["split"]) for row in listed} == {
        name: (row.sha256, row.split) for name, row in rows.items()
    }


def test_training_photos_have_all_crop_variants_and_held_out_ones_only_the_centre(cached):
    for split, crops in (("train", 2), ("held_out", 1)):
        photos = load_split(cached / FOLDER, split)
        assert photos.crops == crops
        assert set(photos.shapes) == {(4, 16, 16)}


def test_empty_prompt_is_cached_for_dropped_captions(cached):
    assert read_empty_prompt(cached / FOLDER).shape == (40, 32)


def test_folder_holds_exactly_the_files_of_the_current_set(cached):
    (cached / FOLDER / "old.safetensors").write_bytes(b"")
    cache_latents.main()
    index = read_index(cached / FOLDER)
    keys = [row["key"] for row in index["photos"]] + [index["empty_prompt"]]
    assert {path.name for path in (cached / FOLDER).iterdir()} == {
        "index.json",
        *(f"{key}.safetensors" for key in keys),
    }


def test_second_run_encodes_nothing_and_says_so(cached, capsys):
    before = content()
    cache_latents.main()
    assert "0 encoded, 0 captions embedded, the rest was there" in capsys.readouterr().out
    assert content() == before


def test_added_photo_is_the_only_one_encoded_though_prepare_ran_again(cached, capsys):
    Image.radial_gradient("L").resize((90, 90)).save(cached / "data/raw/images/new.png")
    with (cached / "data/raw/captions.txt").open("a") as file:
        file.write("new.png\ta gentra\n")
    prepare.main()
    cache_latents.main()
    assert ": 1 encoded, 1 captions embedded" in capsys.readouterr().out


def test_buckets_keep_the_photos_shape(workspace):
    change(workspace, "prepare", aspect="buckets", resolution=128)
    images = workspace / "data/raw/images"
    for n, path in enumerate(sorted(images.iterdir())):
        open_upright(path).resize((700, 200) if n % 2 else (200, 200)).save(path)
    prepare.main()
    cache_latents.main()
    shapes = load_split(workspace / FOLDER, "train").shapes + load_split(workspace / FOLDER, "held_out").shapes
    assert sorted(shapes) == [(4, 16, 64)] * 4 + [(4, 32, 32)] * 4


# Loads the libraries once; each line of the input starts cache_latents in a process of its own and kills it with
# SIGKILL after that many seconds. 0: lets it end. Answers with the exit code.
FORKS = """
import os, signal, sys, time
from gentra_lora.stages import cache_latents
from gentra_lora.base.libraries import hush_libraries
hush_libraries()
for line in sys.stdin:
    pid, seconds = os.fork(), float(line)
    if pid == 0:
        sys.stdout = open(os.devnull, "w")
        cache_latents.main()
        os._exit(0)
    if seconds:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_what_an_undisturbed_run_makes(cached):
    change(cached, "cache_latents", crop_variants=40)
    command = [sys.executable, "-W", "ignore", "-c", FORKS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:

        def run_for(seconds):
            print(seconds, file=forks.stdin, flush=True)
            return int(forks.stdout.readline())

        assert run_for(0) == 0  # the libraries are loaded by now
        for path in Path(FOLDER).iterdir():
            path.unlink()
        started = time.monotonic()
        assert run_for(0) == 0
        seconds, whole, rng, killed = time.monotonic() - started, content(), random.Random(3), 0
        for _ in range(20):
            for path in Path(FOLDER).iterdir():
                if rng.random() < 0.8:
                    path.unlink()
            killed += run_for(rng.uniform(0.05, 0.9) * seconds) != 0
            for path in Path(FOLDER).glob("*.safetensors"):
                load_file(path)  # what has its final name is whole
            assert run_for(0) == 0
            assert content() == whole
        forks.stdin.close()
    assert killed >= 15


@pytest.mark.slow
def test_two_processes_write_the_bytes_of_one(cached):
    alone = content()
    for path in Path(FOLDER).iterdir():
        path.unlink()
    # What `accelerate launch` starts for GPUs; for CPUs that would need MPI.
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    done = subprocess.run([*launch, "-m", COMMAND], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "8 encoded" in done.stdout and "2 x cpu" in done.stdout
    assert content() == alone


def test_progress_is_quiet_where_there_is_no_terminal(cached, capfd):
    cache_latents.main()
    assert capfd.readouterr().err == ""


def test_class_pictures_are_drawn_once_and_kept_while_nothing_of_theirs_changes(cached, capsys):
    change(cached, "cache_latents", class_pictures=3)
    cache_latents.main()
    assert "3 class pictures drawn" in capsys.readouterr().out
    photos = load_split(cached / FOLDER, "class")
    assert len(photos) == 3
    assert photos.shapes == [(4, 16, 16)] * 3
    assert photos.read(0, 0)[1].abs().max() == 0
    before = content()
    cache_latents.main()
    assert "0 class pictures drawn" in capsys.readouterr().out
    assert content() == before
    change(cached, "evaluate", guidance_scale=4.0)
    cache_latents.main()
    assert "3 class pictures drawn" in capsys.readouterr().out
    change(cached, "cache_latents", class_pictures=0)
    cache_latents.main()
    assert not list((cached / FOLDER).glob("class-*"))
