"""The hashes by which kohya's trainer and A1111 know an adapter file, whatever is written into its header later."""

import hashlib
from collections.abc import Mapping

import torch
from safetensors.torch import save

LEGACY_START, LEGACY_LENGTH = 0x100000, 0x10000  # bytes; of a smaller file it is the hash of nothing


def model_hash(content: bytes) -> str:
    """Return the sha256 of all that follows the header in a safetensors file's bytes; A1111 finds the file by it."""
    return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()


def hashes_of(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the two fields: sha256 of all that follows the header, and of a stretch of the file with ss_* alone."""
    kept = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    content = save(dict(tensors), kept)
    legacy = content[LEGACY_START : LEGACY_START + LEGACY_LENGTH]
    return {
        "sshs_model_hash": model_hash(content),
        "sshs_legacy_hash": hashlib.sha256(legacy).hexdigest()[:8],
    }
