"""The adapters that a training left on its way, for a sheet of what each step changed; and whose they are."""

from collections.abc import Mapping
from pathlib import Path

from gentra_lora.adapter.file import read_adapter
from gentra_lora.adapter.rows import Factors
from gentra_lora.errors import InputError
from gentra_lora.pictures.engine import PictureEngine

MOST_STEPS = 5
RUN, RUN_FILE = "gentra.run", "run.txt"  # what names a training, in its adapter's header and among what it reports


def write_run(folder: Path, run: str) -> None:
    """Note whose pictures, curves and adapters a folder is for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUN_FILE).write_text(f"{run}\n", encoding="utf-8")


def check_run(folder: Path, adapter: Path, header: Mapping[str, str]) -> None:
    """Refuse a folder of another training than the adapter's, as one that was stopped or failed leaves it.

    Args:
        header: of the adapter; one of an earlier version names no run, nor does its folder.

    Raises:
        InputError: they are two.
    """
    file = folder / RUN_FILE
    found = file.read_text(encoding="utf-8").strip() if file.exists() else None
    if folder.exists() and found != header.get(RUN):
        raise InputError(
            f"{folder}: is of the training {found or 'unknown'}, {adapter} of {header.get(RUN, 'unknown')}, and a "
            "report would mix the two; `dvc repro` ends the training that was begun, `dvc checkout` brings back what "
            "belongs together"
        )


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
