"""The outputs of a revision's stages, back from DVC's cache without a loss."""

import shutil
import time
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo

from gentra_lora.errors import InputError, first_line


def outputs_back(root: Path) -> list[str]:
    """Bring back the outputs of the stages whose objects are all in DVC's cache; return what was done, a line each.

    What stands in their place and is in no cache is moved aside.
    """
    aside, lines = root / ".dvc/tmp" / f"before-repair-{time.strftime('%Y%m%d-%H%M%S')}", []
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            if not stage.cmd:
                continue
            if not all(_is_cached(repo, out) for out in stage.outs if out.use_cache):
                lines.append(
                    f"outputs of {stage.name}: not all in DVC's cache; `gentra-lora drive pull` or `dvc repro`"
                )
                continue
            for path in _checked_out(repo, stage.addressing):
                (aside / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, aside / path.relative_to(root))
                lines.append(f"{path.relative_to(root)}: was in no cache, and is now in {aside}")
            _checked_out(repo, stage.addressing)
    return lines or ["outputs are back from DVC's cache"]


def _is_cached(repo: Repo, out: Output) -> bool:
    if not out.hash_info or not repo.cache.local.exists(out.hash_info.value):
        return False
    tree = out.get_obj() if out.hash_info.isdir else ()
    return tree is not None and all(repo.cache.local.exists(oid.value) for _, _, oid in tree)


def _checked_out(repo: Repo, stage: str) -> list[Path]:
    try:
        return check_out(repo, [stage])
    except DvcException as error:
        raise InputError(f"outputs of {stage}: {first_line(error)}") from error


def check_out(repo: Repo, targets: list[str] | None = None) -> list[Path]:
    """Check outputs out of DVC's cache; return the paths that stand in the way because they are in no cache.

    Raises:
        DvcException: any other reason.
    """
    try:
        repo.checkout(targets=targets)
    except DvcException as error:
        if "unsaved files" not in str(error):
            raise
        return [Path(line.strip()) for line in str(error).splitlines()[1:] if line.strip()]
    return []
