from gentra_lora.evaluation.shown.report import origin_of
from tests.scored import SETUP

HEADER = {
    "gentra.git_revision": "abc",
    "gentra.photos_sha256": "p",
    "gentra.dataset_md5": "m",
    "gentra.train_params": "{}",
}


def test_origin_names_revision_hashes_hardware_and_versions():
    found = dict(origin_of(HEADER | {"gentra.git_dirty": "no"}, SETUP))
    assert found["revision of the training"] == "abc"
    assert found["weights, sha256"] == "1" * 64
    assert found["pictures"] == "128 px, 20 steps, guidance 2.5"
    assert found["hardware"] == "cpu; precision no"
    assert found["versions"] == "torch 2.13"


def test_uncommitted_changes_are_told():
    assert dict(origin_of(HEADER | {"gentra.git_dirty": "yes"}, SETUP))["revision of the training"].endswith(
        "abc and uncommitted changes"
    )
