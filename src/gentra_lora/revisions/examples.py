"""The prompts of a revision's evaluation, each with the first picture that its weights drew of it."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gentra_lora.drive.folder import open_folder
from gentra_lora.evaluation.scored_run import SETUP, Setup
from gentra_lora.revisions.weights import on_drive, opened

IMAGES = "reports/images"
PICTURE = re.compile(r"prompt_(\d+)_.*\.png")  # of pictures/sheets.py


@dataclass(frozen=True)
class Example:
    """A request of an evaluation, at the adapter's full strength, and the PNG that came of it."""

    prompt: str
    seed: int
    num_inference_steps: int
    guidance_scale: float
    side: int  # px
    png: bytes = field(repr=False)


def examples_beside(weights: Path, sha256: str) -> list[Example]:
    """Return the examples of a weights file in a project's models/: of the reports there that are of these weights."""
    project = weights.parent.parent
    names = [path.name for path in (project / IMAGES).glob("*.png")]
    return _examples(lambda name: (project / name).read_bytes(), names, sha256) if names else []


def numbers_beside(weights: Path, sha256: str) -> dict[str, float]:
    """Return the steps and guidance by which a weights file in a project's models/ was evaluated; none elsewhere."""
    try:
        setup: Setup = json.loads((weights.parent.parent / SETUP).read_bytes())
        of_these = setup["weights_sha256"] == sha256
        numbers = {"num_inference_steps": setup["num_inference_steps"], "guidance_scale": setup["guidance_scale"]}
    except (OSError, ValueError, KeyError, TypeError):  # never evaluated, or half written: they are defaults, no more
        return {}
    return numbers if of_these else {}


def pull_examples(
    repo: str, commit: str, sha256: str, remote: str | None = None, credentials: str | None = None
) -> list[Example]:
    """Return the examples of a commit whose evaluation is of the weights with that hash; none where nothing is kept.

    Args:
        remote, credentials: as for weights.pull_weights.

    Raises:
        InputError: the repository cannot be opened.
        FileNotFoundError: not on the remote.
    """
    with opened(repo, commit, remote, credentials) as found:
        if not found.dvcfs.exists(SETUP) or not found.dvcfs.exists(IMAGES):
            return []
        if on_drive(found):
            open_folder(found)
        names = [Path(path).name for path in found.dvcfs.ls(IMAGES, detail=False)]
        return _examples(found.dvcfs.cat_file, names, sha256)


def _examples(read: Callable[[str], bytes], names: Iterable[str], sha256: str) -> list[Example]:
    """Return the examples of an evaluation whose files `read` returns; none where it is of other weights."""
    setup: Setup = json.loads(read(SETUP))
    if setup["weights_sha256"] != sha256:
        return []
    prompts = list(dict.fromkeys(setup["prompts"]))  # as the sheet has them
    numbers = setup["num_inference_steps"], setup["guidance_scale"], setup["resolution"]
    found = {int(match[1]): name for name in names if (match := PICTURE.fullmatch(name))}
    return [
        Example(prompt, setup["seeds"][0], *numbers, png=read(f"{IMAGES}/{found[place]}"))
        for place, prompt in enumerate(prompts, 1)
        if place in found
    ]
