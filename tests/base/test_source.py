import json
import shutil
import subprocess
import sys

import pytest

from gentra_lora.base.source import BaseModelError, BaseSource, base_identity, check_base

HUB_ID, REVISION = "owner/photoreal", "1e9f017a7b1eaefb63a1900ea6c5953d2739fd21"


def source(tiny_base, **changed):
    return BaseSource(**({"model": str(tiny_base)} | changed))


@pytest.mark.parametrize("revision", [None, "main", "1e9f017"])
def test_hub_id_without_a_full_revision_is_refused(revision):
    with pytest.raises(BaseModelError, match=r"base\.model: owner/photoreal .* needs its revision"):
        check_base(BaseSource(HUB_ID, revision))


def test_pinned_hub_id_is_accepted_without_a_network():
    check_base(BaseSource(HUB_ID, REVISION, vae="owner/vae", vae_revision=REVISION))


def test_separate_vae_must_be_pinned_too():
    with pytest.raises(BaseModelError, match=r"base\.vae: owner/vae"):
        check_base(BaseSource(HUB_ID, REVISION, vae="owner/vae"))


def test_revision_of_a_vae_that_is_not_there_is_refused():
    with pytest.raises(BaseModelError, match=r"base\.vae_revision"):
        check_base(BaseSource(HUB_ID, REVISION, vae_revision=REVISION))


def test_unknown_base_is_refused():
    with pytest.raises(BaseModelError, match=r"base\.model: models/nothing/here is neither a path"):
        check_base(BaseSource("models/nothing/here"))


def test_local_folder_has_no_revision(tiny_base):
    with pytest.raises(BaseModelError, match="set its revision to null"):
        check_base(source(tiny_base, revision=REVISION))


def test_folder_that_is_no_pipeline_is_refused(tmp_path):
    with pytest.raises(BaseModelError, match=r"holds no model_index\.json"):
        check_base(BaseSource(str(tmp_path)))


def test_pipeline_of_another_kind_is_refused(tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionXLPipeline"}))
    with pytest.raises(BaseModelError, match="is a StableDiffusionXLPipeline"):
        check_base(BaseSource(str(tmp_path)))


def test_identity_is_the_same_for_a_copy_and_another_when_a_byte_differs(tiny_base, tmp_path):
    copied = tmp_path / tiny_base.name
    shutil.copytree(tiny_base, copied)
    assert base_identity(source(copied)) == base_identity(source(tiny_base))
    with (copied / "unet/config.json").open("a") as file:
        file.write(" ")
    assert base_identity(source(copied)) != base_identity(source(tiny_base))


def test_identity_of_a_hub_model_names_both_revisions():
    identity = base_identity(BaseSource(HUB_ID, REVISION, "owner/vae", "f" * 40))
    assert identity == f"{HUB_ID}@{REVISION} + owner/vae@{'f' * 40}"


def test_a_base_can_be_checked_without_the_libraries_that_load_it():
    code = "import sys, gentra_lora.base.source; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "diffusers", "transformers"} & set(loaded)
