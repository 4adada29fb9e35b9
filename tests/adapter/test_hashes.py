import hashlib

import torch
from safetensors.torch import save_file

from gentra_lora.adapter.file import write_adapter
from gentra_lora.adapter.hashes import hashes_of

TENSORS = {"a": torch.arange(6, dtype=torch.float16), "b": torch.ones(3, dtype=torch.float16)}
HEADER = {"format": "pt", "ss_seed": "1"}


def after_header(path):
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def test_hash_is_of_the_bytes_after_the_header_whatever_it_says(tmp_path):
    hashes = hashes_of(TENSORS, HEADER)
    write_adapter(tmp_path / "a.safetensors", TENSORS, HEADER | hashes | {"notes": "added later"})
    assert hashes["sshs_model_hash"] == hashlib.sha256(after_header(tmp_path / "a.safetensors")).hexdigest()
    assert hashes_of(TENSORS, HEADER | {"notes": "x"}) == hashes != hashes_of(TENSORS | {"b": torch.zeros(3)}, HEADER)


def test_legacy_hash_is_of_64_kb_past_the_first_mb_of_a_file_with_the_trainers_fields(tmp_path):
    tensors = {"w": torch.arange(700_000, dtype=torch.float32).half()}
    save_file(tensors, tmp_path / "bare.safetensors", {"ss_seed": "1"})
    content = (tmp_path / "bare.safetensors").read_bytes()
    stretch = content[0x100000 : 0x100000 + 0x10000]
    assert hashes_of(tensors, HEADER)["sshs_legacy_hash"] == hashlib.sha256(stretch).hexdigest()[:8]
