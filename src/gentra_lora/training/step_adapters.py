"""The adapters that a training left on its way, for a sheet of what each step changed."""

from pathlib import Path

from gentra_lora.adapter.file import read_adapter
from gentra_lora.adapter.rows import Factors
from gentra_lora.pictures.engine import PictureEngine

MOST_STEPS = 5


def step_adapters(
    folder: Path, engine: PictureEngine, factors: dict[str, Factors], kept: int
) -> list[tuple[str, dict[str, Factors]]]:
    """Return (label, factors) pairs, in rising order of steps, the kept one last.

    Args:
        folder: holds step-NNNNNNN.safetensors, or does not exist.
        engine: that they are for.
        factors: of the kept adapter.
        kept: its step.
    """
    paths = {int(path.stem.removeprefix("step-")): path for path in sorted(folder.glob("step-*.safetensors"))}
    steps = spread([step for step in paths if step != kept], MOST_STEPS - 1)
    found = [(f"step {step}", engine.adapter.fit(paths[step], read_adapter(paths[step])[0])) for step in steps]
    return [*found, (f"step {kept}, kept", factors)]


def spread(values: list[int], most: int) -> list[int]:
    """Return at most `most` of the values, evenly spread, the first and the last among them."""
    if len(values) <= most:
        return values
    return [values[round(n * (len(values) - 1) / (most - 1))] for n in range(most)]
