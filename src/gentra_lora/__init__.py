"""Teach a Stable Diffusion 1.5-style model one subject, and keep doing it well."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version

# On import, transformers advises to install torchvision, which this project does without.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Read when torch first asks a GPU for memory: pieces that grow leave no gaps between sizes (buckets, a batch's last).
if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ and sys.platform == "linux":
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")


def _hide_old_torchao() -> None:
    """Let no library see a torchao that peft refuses, such as the one in Colab's image: nothing here needs it."""
    try:
        found = version("torchao")
    except PackageNotFoundError:
        return
    if tuple(map(int, found.split(".")[:2])) < (0, 16):
        # As if it were not installed, for this process alone: the import system takes None, typeshed does not say so.
        sys.modules["torchao"] = None  # type: ignore[assignment]


_hide_old_torchao()
