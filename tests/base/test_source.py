import hashlib
import shutil
import subprocess
import sys

import pytest

from gentra_lora.base.source import (
    BaseModelError,
    BaseSource,
    base_identity,
    check_pinned,
    guarded,
    prediction_type_in,
)
from tests.conftest import ROOT

HUB_ID, REVISION = "owner/photoreal", "1e9f017a7b1eaefb63a1900ea6c5953d2739fd21"


@pytest.mark.parametrize("revision", [None, "main", "1e9f017"])
def test_hub_id_without_a_full_revision_is_refused(revision):
    with pytest.raises(BaseModelError, match=r"base\.model: owner/photoreal .* needs its revision"):
        check_pinned("base.model", HUB_ID, revision)


def test_unknown_base_is_refused():
    with pytest.raises(BaseModelError, match=r"base\.model: models/nothing/here is neither a path"):
        check_pinned("base.model", "models/nothing/here", None)


def test_local_folder_has_no_revision(tiny_base):
    with pytest.raises(BaseModelError, match="set its revision to null"):
        check_pinned("base.model", str(tiny_base), REVISION)


def test_identity_is_the_same_for_a_copy_and_another_when_a_byte_differs(tiny_base, tmp_path):
    copied = tmp_path / tiny_base.name
    shutil.copytree(tiny_base, copied)
    assert base_identity(BaseSource(str(copied))) == base_identity(BaseSource(str(tiny_base)))
    with (copied / "unet/config.json").open("a") as file:
        file.write(" ")
    assert base_identity(BaseSource(str(copied))) != base_identity(BaseSource(str(tiny_base)))


def test_identity_of_a_hub_model_names_both_revisions():
    identity = base_identity(BaseSource(HUB_ID, REVISION, "owner/vae", "f" * 40))
    assert identity == f"{HUB_ID}@{REVISION} + owner/vae@{'f' * 40}"


def test_identity_names_a_prediction_type_that_replaces_the_bases_own():
    source = BaseSource(HUB_ID, REVISION, "owner/vae", "f" * 40, prediction_type="v_prediction")
    assert base_identity(source) == f"{HUB_ID}@{REVISION} + owner/vae@{'f' * 40} + v_prediction"
    assert prediction_type_in(base_identity(source)) == "v_prediction"
    assert prediction_type_in(base_identity(BaseSource(HUB_ID, REVISION))) is None


def test_identity_of_the_embedded_base_is_the_hash_of_its_names_and_bytes():
    folder = ROOT / "models/nano-sd"
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in paths]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert base_identity(BaseSource(str(folder))) == f"nano-sd@sha256:{expected}"


def test_a_base_is_named_without_the_libraries_that_load_it():
    code = "import sys, gentra_lora.base.source; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "diffusers", "transformers"} & set(loaded)


def test_whatever_a_library_raises_becomes_one_line_with_the_key():
    def load():
        raise NotImplementedError("cannot copy out of meta tensor\nuse to_empty()")

    with pytest.raises(BaseModelError) as caught:
        guarded("base.vae", "models/vae", load)
    assert str(caught.value) == "base.vae: models/vae cannot be loaded: cannot copy out of meta tensor"


def test_what_is_said_already_is_not_said_again():
    def load():
        raise BaseModelError("base.model: x is cut")

    with pytest.raises(BaseModelError, match=r"^base\.model: x is cut$"):
        guarded("base.model", "x", load)
