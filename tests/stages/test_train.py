import csv
import hashlib
import json
import os
import shutil
import signal
import sys
from contextlib import nullcontext
from itertools import chain, repeat
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from gentra_lora.adapter.file import module_names, read_adapter, write_adapter
from gentra_lora.adapter.hashes import hashes_of
from gentra_lora.adapter.lora import AdapterError
from gentra_lora.errors import InputError
from gentra_lora.latents.cached_photos import read_index
from gentra_lora.photos.photo import open_upright
from gentra_lora.stages import cache_latents, prepare, train
from gentra_lora.training import between_steps, samples
from gentra_lora.training import run as training
from gentra_lora.training.checkpoint import CheckpointError
from gentra_lora.training.held_out import BANDS
from tests.conftest import change, full_disk, link_to_cache, still_in_cache
from tests.reference import module_deltas

OUT = "models/sport_gentra_lora.safetensors"


def column(workspace, name):
    with (workspace / f"reports/train/plots/metrics/train/{name}.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def train_until_killed(step):
    """Run the stage until it is killed at the beginning of a step."""
    original = train.Training.run_step

    def run_step(self):
        if self.step == step:
            raise KeyboardInterrupt
        return original(self)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train.Training, "run_step", run_step)
        train.main()


def test_file_holds_rank_alpha_trigger_and_the_exact_base(trained):
    tensors, metadata = read_adapter(trained / OUT)
    assert {tensors[key].item() for key in tensors if key.endswith(".alpha")} == {2}
    assert metadata["ss_network_dim"] == "4"
    assert metadata["modelspec.trigger_phrase"] == "gentra"
    assert metadata["gentra.base"].startswith("tiny-sd@sha256:")
    assert json.loads(metadata["gentra.train_params"])["steps"] == 6
    assert not {"prodigyopt", "bitsandbytes"} & json.loads(metadata["gentra.versions"]).keys()


def test_adapter_of_sd2_says_so(workspace, tiny_base):
    base = workspace / "sd2"
    shutil.copytree(tiny_base, base)
    text = CLIPTextConfig.from_pretrained(base / "text_encoder", hidden_size=1024, num_attention_heads=16)
    CLIPTextModel(text).save_pretrained(base / "text_encoder")
    wide = {"cross_attention_dim": 1024, "use_linear_projection": True}
    config = UNet2DConditionModel.load_config(base / "unet")
    UNet2DConditionModel.from_config(config, **wide).save_pretrained(base / "unet")
    change(workspace, "base", model="sd2", prediction_type="v_prediction")
    (workspace / "dvc.yaml").write_text((workspace / "dvc.yaml").read_text().replace(str(tiny_base), "sd2"))
    for stage in (prepare, cache_latents, train):
        stage.main()
    metadata = read_adapter(workspace / OUT)[1]
    assert (metadata["ss_v2"], metadata["ss_base_model_version"]) == ("True", "sd_v2_v")
    assert metadata["modelspec.architecture"] == "stable-diffusion-v2-768-v/lora"
    assert metadata["gentra.base"].endswith(" + v_prediction")


def test_two_runs_write_the_same_bytes(trained, monkeypatch):
    first = (trained / OUT).read_bytes()
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(trained / "second"))
    train.main()
    assert (trained / OUT).read_bytes() == first


def test_killed_run_goes_on_from_its_last_checkpoint_to_the_same_bytes(trained, monkeypatch, capsys):
    whole, curve = (trained / OUT).read_bytes(), column(trained, "loss")
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(trained / "killed"))
    train_until_killed(5)
    train.main()
    assert "going on from step 4 of 6" in capsys.readouterr().out
    assert (trained / OUT).read_bytes() == whole
    assert column(trained, "loss") == curve


def test_changed_parameter_starts_fresh_and_says_which_it_was(trained, capsys):
    change(trained, "train", learning_rate=0.0003)
    train.main()
    shown = capsys.readouterr().out
    assert "starting fresh; checkpoints go to checkpoints/" in shown
    assert "step-0000006.pt, which differs: train.learning_rate: 0.002 then, 0.0003 now\n" in shown


def test_finished_run_of_a_constant_rate_is_made_longer_to_the_bytes_of_a_long_one(cached, monkeypatch, capsys):
    change(cached, "train", lr_scheduler="constant", steps=4, held_out_every=2)
    train.main()
    short = (cached / OUT).read_bytes()
    change(cached, "train", steps=8)
    train.main()
    assert "going on from step 4 of 8, the last of the run that is made longer" in capsys.readouterr().out
    longer, curve = (cached / OUT).read_bytes(), column(cached, "held_out")
    change(cached, "train", steps=4)
    train.main()
    assert "starting fresh" in capsys.readouterr().out
    assert (cached / OUT).read_bytes() == short
    change(cached, "train", steps=8)
    train.main()
    assert "going on from step 8 of 8 (" in capsys.readouterr().out
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "straight"))
    train.main()
    assert (cached / OUT).read_bytes() == longer != short
    assert column(cached, "held_out") == curve


def test_training_goes_on_from_a_finished_adapter_and_says_so(trained, monkeypatch, capsys):
    first = hashlib.sha256((trained / OUT).read_bytes()).hexdigest()
    ended = float(column(trained, "held_out")[-1]["held_out"])
    change(trained, "train", start_from=f"{OUT}@{first}", lr_warmup_steps=0)
    train.main()
    shown, header = capsys.readouterr().out, read_adapter(trained / OUT)[1]
    assert f"beginning with {OUT}@{first}, trained for 6 steps\n" in shown
    assert (
        f"which differs: train.lr_warmup_steps: 1 then, 0 now; train.start_from: a file of sha256 None then, {first}"
        in shown
    )
    assert f"step 0: held-out loss {ended:.4f}, of the adapter that training goes on from" in shown
    assert header["gentra.start_from"] == first
    assert "start_from" not in json.loads(header["gentra.train_params"])
    assert header["gentra.held_out_loss_base"] == read_adapter(kept_of(trained, first))[1]["gentra.held_out_loss_base"]
    second = (trained / OUT).read_bytes()
    train.main()  # though the file that it began with is not in its place any more
    assert "going on from step 6 of 6" in capsys.readouterr().out
    assert (trained / OUT).read_bytes() == second
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(trained / "killed"))
    shutil.copytree(trained / "checkpoints/started_from", trained / "killed/started_from")
    train_until_killed(5)
    train.main()
    assert "going on from step 4 of 6" in capsys.readouterr().out
    assert (trained / OUT).read_bytes() == second


def kept_of(workspace, digest):
    return workspace / f"checkpoints/started_from/{digest}.safetensors"


@pytest.mark.parametrize("values", [{"rank": 8}, {"target_modules": "attention"}, {"lora_alpha": 4}], ids=str)
def test_adapter_of_another_shape_is_refused_before_the_base_is_loaded(trained, monkeypatch, values):
    digest = hashlib.sha256((trained / OUT).read_bytes()).hexdigest()
    change(trained, "train", start_from=f"{OUT}@{digest}", **values)
    monkeypatch.setattr(train, "load_unet", lambda *_: pytest.fail("loaded the base"))
    with pytest.raises(AdapterError, match=rf"train\.{next(iter(values))} is .*; set it to"):
        train.main()
    assert hashlib.sha256((trained / OUT).read_bytes()).hexdigest() == digest


def test_finished_run_of_another_schedule_starts_fresh_and_says_why(trained, capsys):
    change(trained, "train", steps=8)
    train.main()
    assert (
        "train.steps: 6 then, 8 now; the rate of cosine depends on it; only a constant one" in capsys.readouterr().out
    )


def test_parameter_that_only_says_when_to_save_does_not_start_fresh(trained, capsys):
    change(trained, "train", checkpoint_every=5, checkpoints_kept=1)
    train.main()
    assert "going on from step 6 of 6" in capsys.readouterr().out


def test_held_out_loss_is_logged_against_the_base(trained):
    assert [row["step"] for row in column(trained, "held_out")] == ["3", "6"]
    assert [row["step"] for row in column(trained, "loss")] == [str(n) for n in range(1, 7)]
    assert "step 0: held-out loss" in (trained / "shown.txt").read_text()


def test_training_log_does_not_touch_dvc_yaml(trained, workspace_after):
    assert (trained / "dvc.yaml").read_bytes() == (workspace_after(None) / "dvc.yaml").read_bytes()


def test_half_precision_run_ends_in_a_file(cached, monkeypatch):
    AcceleratorState._reset_state()
    monkeypatch.setattr(train, "choose_precision", lambda requested, device: ("bf16", "as on a GPU"))
    train.main()
    assert len(read_adapter(cached / OUT)[0]) > 0
    AcceleratorState._reset_state()


def test_unwritable_checkpoint_folder_is_told_before_training(cached, monkeypatch):
    (cached / "file").write_text("")
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / "file"))
    with pytest.raises(InputError, match=r"cannot be written .*free it or name another place"):
        train.main()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_run_after_its_step_and_the_next_one_goes_on_to_the_same_bytes(
    trained, monkeypatch, capsys, number
):
    whole = (trained / OUT).read_bytes()
    change(trained, "train", checkpoint_every=100)
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(trained / "stopped"))
    original = train.Training.run_step

    def signalled_in_the_third_step(self):
        if self.step == 2:
            os.kill(os.getpid(), number)
        return original(self)

    monkeypatch.setattr(train.Training, "run_step", signalled_in_the_third_step)
    with pytest.raises(SystemExit) as caught:
        train.main()
    assert caught.value.code == 128 + number
    assert f"{number.name}: saved step 3 of 6; `dvc repro` goes on from it" in capsys.readouterr().out
    monkeypatch.setattr(train.Training, "run_step", original)
    train.main()
    assert "going on from step 3 of 6" in capsys.readouterr().out
    assert (trained / OUT).read_bytes() == whole


def test_checkpoint_is_saved_when_the_minutes_are_over(cached, monkeypatch):
    change(cached, "train", checkpoint_every=100, checkpoint_minutes=1e-9, checkpoints_kept=50)
    kept = []
    save = between_steps.save_checkpoint
    monkeypatch.setattr(
        between_steps, "save_checkpoint", lambda folder, step, *rest: (kept.append(step), save(folder, step, *rest))
    )
    train.main()
    assert kept == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("optimizer", [{"optimizer": "adamw"}, {"optimizer": "prodigy", "learning_rate": 1.0}], ids=str)
def test_ten_steps_with_a_kill_in_the_first_or_a_later_epoch_are_ten_steps_without(
    cached, monkeypatch, optimizer, accumulation
):
    change(cached, "prepare", held_out_share=0.1)
    prepare.main()
    cache_latents.main()
    values = {"steps": 10, "batch_size": 1, "gradient_accumulation_steps": accumulation, "checkpoint_every": 1}
    change(cached, "train", **values, **optimizer)
    photos, original = [], training.draw_step

    def noted(seed, step, *rest):
        draw = original(seed, step, *rest)
        photos.append((step, draw.photos.tolist()))
        return draw

    monkeypatch.setattr(training, "draw_step", noted)

    def outcome(killed_at=None):
        photos.clear()
        monkeypatch.setenv("GENTRA_CHECKPOINTS", str(cached / f"killed at {killed_at}"))
        if killed_at:
            train_until_killed(killed_at)
        train.main()
        rates = [row["learning_rate"] for row in column(cached, "learning_rate")]
        return hashlib.sha256((cached / OUT).read_bytes()).hexdigest(), rates, list(photos)

    straight = outcome()
    epoch = len({n for _, shown in straight[2] for n in shown}) / accumulation  # steps
    assert 1 < epoch <= 7
    for killed_at in (1, 7):
        assert outcome(killed_at) == straight


def test_checkpoint_is_an_adapter_in_the_final_layout_that_diffusers_loads(trained, tiny_base):
    (file,) = (trained / "checkpoints").glob("*/step-0000006.safetensors")
    assert read_adapter(file)[0].keys() == read_adapter(trained / OUT)[0].keys()
    assert read_adapter(file)[1]["gentra.steps"] == "6"
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_base)
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    loaded = sum(hasattr(module, "lora_A") for module in pipeline.unet.modules())
    assert loaded == len(module_names(read_adapter(file)[0]))


def test_header_says_how_far_it_came_from_what(trained):
    _, metadata = read_adapter(trained / OUT)
    curve = column(trained, "held_out")
    assert float(metadata["gentra.held_out_loss"]) == pytest.approx(float(curve[-1]["held_out"]), abs=1e-6)
    assert metadata["gentra.steps"] == "6"
    assert metadata["gentra.git_revision"]
    assert "checkpoint_every" not in json.loads(metadata["gentra.train_params"])


def test_best_weights_are_exported_where_they_are_asked_for(cached, monkeypatch, capsys):
    change(cached, "train", keep="best", held_out_every=2, checkpoint_every=2, checkpoints_kept=9)
    losses = iter([0.9, 0.5, 0.3, 0.4])  # the base's, then after steps 2, 4 and 6
    monkeypatch.setattr(between_steps, "banded", lambda _: dict.fromkeys(("whole", *BANDS), next(losses)))
    kept = {}
    monkeypatch.setattr(between_steps, "save_checkpoint", lambda *args: kept.update({args[1]: args[3]}))
    train.main()
    tensors, metadata = read_adapter(cached / OUT)
    assert all(torch.equal(tensors[key], kept[4][key]) for key in tensors)
    assert any(not torch.equal(tensors[key], kept[6][key]) for key in tensors)
    assert (metadata["gentra.steps"], metadata["gentra.held_out_loss"]) == ("4", "0.300000")
    assert "weights of the best step; the lowest held-out loss was 0.3000 at step 4" in capsys.readouterr().out


def test_samples_lie_in_the_report_and_with_the_checkpoints_and_change_no_byte(trained, monkeypatch):
    for folders in (("samples", "adapters"), [next((trained / "checkpoints").glob("*/samples"))] * 2):
        for folder, suffix in zip(folders, ("png", "safetensors"), strict=True):
            names = sorted(path.name for path in (trained / "reports/train" / folder).glob(f"*.{suffix}"))
            assert names == [f"step-000000{n}.{suffix}" for n in (2, 4, 6)]
    kept = read_adapter(trained / "reports/train/adapters/step-0000006.safetensors")
    assert all(torch.equal(kept[0][key], tensor) for key, tensor in read_adapter(trained / OUT)[0].items())
    with_samples = (trained / OUT).read_bytes()
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(trained / "without"))
    change(trained, "train", sample_every=None)
    shutil.rmtree(trained / "reports/train")  # as DVC does before a stage
    train.main()
    assert not (trained / "reports/train/samples").exists()
    assert (trained / OUT).read_bytes() == with_samples


def test_samples_that_fail_are_told_and_training_ends_in_the_same_bytes(trained, monkeypatch, capsys):
    well = (trained / OUT).read_bytes()

    def out_of_memory(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(samples, "generate_latents", out_of_memory)
    monkeypatch.setenv("GENTRA_CHECKPOINTS", str(trained / "badly"))
    train.main()
    told = (
        "step 2: no sample pictures (OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB); training goes on"
    )
    assert told in capsys.readouterr().out
    assert (trained / OUT).read_bytes() == well


def test_optimizer_whose_package_is_missing_is_told_before_anything_is_read(workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    change(workspace, "train", optimizer="prodigy", learning_rate=1.0)
    with pytest.raises(InputError, match=r"train\.optimizer: prodigy needs prodigyopt"):
        train.main()


@pytest.mark.parametrize("file", ["base/model.py", "base/files/tokens.py", "base/files/sd1/unet/config.json"])
def test_a_checkpoint_is_of_the_files_of_all_rooms_and_of_their_sub_rooms(tmp_path, file):
    package = Path(shutil.copytree(Path(train.__file__).parents[1], tmp_path / "gentra_lora"))
    before = train.code_digest(package)
    (package / "base/__pycache__").mkdir(exist_ok=True)
    (package / "base/__pycache__/model.pyc").write_bytes(b"compiled")
    assert train.code_digest(package) == before
    with (package / file).open("a") as opened:
        opened.write("\n")
    assert train.code_digest(package) != before


def test_header_names_the_optimizers_package_where_one_was_used(cached):
    change(cached, "train", optimizer="prodigy", learning_rate=1.0, steps=2)
    train.main()
    assert "prodigyopt" in json.loads(read_adapter(cached / OUT)[1]["gentra.versions"])


def test_header_tells_of_the_photos_and_of_the_file_itself(trained):
    tensors, header = read_adapter(trained / OUT)
    captions = [row["caption"] for row in read_index(trained / "data/latents")["photos"] if row["split"] == "train"]
    folders, buckets = (json.loads(header[key]) for key in ("ss_dataset_dirs", "ss_bucket_info"))
    assert folders["images"]["img_count"] == len(captions)
    assert buckets["buckets"] == {"0": {"resolution": [64, 64], "count": len(captions)}}
    assert json.loads(header["ss_tag_frequency"])["images"]["gentra"] == len(captions)
    assert hashes_of(tensors, header).items() <= header.items()
    assert str(trained) not in str(header)


def test_file_that_does_not_read_back_is_not_left_where_results_lie(cached, monkeypatch):
    change(cached, "train", steps=2)
    Path(cached / OUT).parent.mkdir(exist_ok=True)
    (cached / OUT).write_bytes(b"of before")
    monkeypatch.setattr(
        train, "write_adapter", lambda path, tensors, header: write_adapter(path, zeroed(tensors), header)
    )
    with pytest.raises(AdapterError, match="does not read back as it was trained"):
        train.main()
    assert {path.name: path.read_bytes() for path in (cached / "models").iterdir()} == {
        "sport_gentra_lora.safetensors": b"of before"
    }


def zeroed(tensors):
    return {key: torch.zeros_like(tensor) if key.endswith("up.weight") else tensor for key, tensor in tensors.items()}


def test_sample_prompt_that_would_be_cut_is_refused_before_training(cached):
    change(cached, "train", sample_every=2, sample_prompts=["gentra" + "a" * 50])
    with pytest.raises(InputError, match="the text encoder would not see"):
        train.main()
    assert not list((cached / "checkpoints").glob("*/step-*"))


def test_base_predictions_are_trained_on_where_they_have_a_weight(trained):
    kept, _ = read_adapter(trained / OUT)
    change(trained, "train", prior_weight=0.0)
    train.main()
    plain, _ = read_adapter(trained / OUT)
    assert any(not torch.equal(plain[key], tensor) for key, tensor in kept.items())


def test_full_disk_ends_the_run_loudly_and_the_next_one_goes_on_from_the_checkpoint_before(cached, capsys, monkeypatch):
    change(cached, "train", steps=4, checkpoint_every=4, sample_every=None)
    change(cached, "train", checkpoint_minutes=1e-9)
    original = between_steps.save_checkpoint

    def disk_full_at_the_third_step(folder, step, *rest):
        with full_disk() if step == 3 else nullcontext():
            original(folder, step, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(between_steps, "save_checkpoint", disk_full_at_the_third_step)
        with pytest.raises(CheckpointError, match=r"step-0000003\.pt: cannot be saved"):
            train.main()
    train.main()
    assert "going on from step 2 of 4" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_train_the_weights_of_one(cached, forks, accumulation):
    change(cached, "train", batch_size=3, gradient_accumulation_steps=accumulation, learning_rate=0.001)
    results = []
    for processes in (1, 2):
        shown = forks.run_together(cached, "train", processes, GENTRA_CHECKPOINTS=str(cached / str(processes)))
        assert ["starting fresh" in text for text in shown] == [True, False][:processes]
        results.append((module_deltas(read_adapter(cached / OUT)[0]), column(cached, "loss")))
    (one, losses), (two, others) = results
    for name, delta in one.items():
        torch.testing.assert_close(two[name], delta, rtol=2e-3, atol=1e-5 + 2e-3 * delta.abs().max().item())
    assert [float(row["loss"]) for row in others] == pytest.approx([float(row["loss"]) for row in losses], rel=1e-4)


def test_run_leaves_nothing_of_the_one_before_and_writes_nothing_through_links_into_dvcs_cache(trained):
    (trained / "reports/train/samples/step-9999999.png").write_bytes(b"of an earlier run")
    kept = link_to_cache(OUT, "reports/train")
    change(trained, "train", learning_rate=0.001)
    train.main()
    assert still_in_cache(kept)
    assert (trained / OUT).read_bytes() not in kept.values()
    assert not (trained / "reports/train/samples/step-9999999.png").exists()


def test_refused_parameters_leave_the_model_of_the_run_before(trained):
    before = (trained / OUT).read_bytes()
    change(trained, "train", optimizer="sgd")
    with pytest.raises(InputError):
        train.main()
    assert (trained / OUT).read_bytes() == before


def test_background_weight_without_masks_is_refused_before_training(cached):
    change(cached, "train", background_weight=0.1)
    with pytest.raises(
        InputError, match=r"train\.background_weight is 0\.1, but no photo that is trained on has a mask"
    ):
        train.main()


def test_masks_reach_the_training_from_their_folder(cached, capsys):
    (cached / "data/raw/masks").mkdir()
    for path in (cached / "data/raw/images").iterdir():
        mask = Image.new("L", open_upright(path).size)
        mask.paste(255, (0, 0, mask.width // 2, mask.height))
        mask.save(cached / "data/raw/masks" / f"{path.stem}.png")
    prepare.main()
    cache_latents.main()
    made = []
    for background_weight in (1.0, 0.1):
        change(cached, "train", background_weight=background_weight)
        train.main()
        made.append(read_adapter(cached / OUT)[0])
    assert any(not torch.equal(made[0][key], tensor) for key, tensor in made[1].items())
    assert "what is outside of the masks counts 0.1" in capsys.readouterr().out


@pytest.mark.parametrize("keep", ["last", "best"])
def test_training_that_ends_in_nan_fails_says_what_to_lower_and_leaves_the_model_of_before(trained, monkeypatch, keep):
    before = {path.name: path.read_bytes() for path in (trained / "models").iterdir()}
    folders = [*(trained / "checkpoints").iterdir()]
    change(trained, "train", keep=keep, learning_rate=0.09, held_out_every=3)
    losses = chain([0.9, 0.5], repeat(float("nan")))  # the base's, then after steps 3 and 6
    monkeypatch.setattr(between_steps, "banded", lambda _: dict.fromkeys(("whole", *BANDS), next(losses)))
    told = r"loss is nan \(after 6 steps; the lowest was 0\.5000 at step 3\); lower train\.learning_rate, now 0\.09"
    for _ in range(2):  # and again, where all steps are done
        with pytest.raises(InputError, match=told):
            train.main()
    assert {path.name: path.read_bytes() for path in (trained / "models").iterdir()} == before
    json.loads((trained / "reports/train/metrics.json").read_text(), parse_constant=pytest.fail)
    (spoiled,) = (path for path in (trained / "checkpoints").iterdir() if path not in folders)
    assert not list(spoiled.glob("step-0000006*"))


@pytest.mark.parametrize(("keep", "told"), [("last", 1), ("best", 0)])
def test_model_that_is_worse_than_none_on_unseen_photos_is_said_to_be_so(trained, monkeypatch, capsys, keep, told):
    change(trained, "train", keep=keep, learning_rate=0.005, held_out_every=3)
    losses = iter([0.9, 0.5, 0.95])  # the base's, then after steps 3 and 6
    monkeypatch.setattr(between_steps, "banded", lambda _: dict.fromkeys(("whole", *BANDS), next(losses)))
    train.main()
    words = "its held-out loss, 0.9500, is above the base's own 0.9000: for unseen photos this is worse than no adapter"
    assert capsys.readouterr().out.count(f"{words}; lower train.learning_rate, now 0.005") == told


def test_rate_at_which_weights_grow_without_bound_ends_in_an_error_and_no_file(cached):
    change(cached, "train", learning_rate=0.09, weight_decay=1e6)
    with pytest.raises(InputError, match=r"lower train\.learning_rate"):
        train.main()
    assert not list(Path("models").glob("*"))


def test_run_is_named_in_the_header_and_among_what_it_reports(trained):
    (folder,) = (path.parent for path in (trained / "checkpoints").glob("*/step-0000006.pt"))
    assert read_adapter(trained / OUT)[1]["gentra.run"] == folder.name
    assert (trained / "reports/train/run.txt").read_text() == f"{folder.name}\n"
