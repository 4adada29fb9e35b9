"""Photos and models of the working folder that neither git nor DVC keeps, so that it alone has them."""

from pathlib import Path

from dvc.repo import Repo

from gentra_lora.errors import listed
from gentra_lora.git import git
from gentra_lora.params import params_text, parse_params

MODELS = ("evaluate.likeness_model", "evaluate.prompt_model", "evaluate.judge")
INPUTS = ("prepare.raw_dir", "base.model", "base.vae", *MODELS)


def unkept(repo: Repo) -> dict[str, str]:
    """Return {path: sentence} of the inputs in params.yaml with files that neither git nor DVC keeps.

    `dvc exp run --temp` and --queue, `gentra-lora noise` and a second clone go without them.

    Raises:
        ParamsTextError: params.yaml is no YAML.
    """
    root, found = Path(repo.root_dir), {}
    kept = [Path(out.fs_path) for out in repo.index.outs]
    for path in _inputs(root):
        if not (root / path).exists() or not _lies_in(root / path, root):
            continue
        names = git("ls-files", "-z", "--others", "--", path, cwd=root).split("\0")
        loose = [
            name
            for name in filter(None, names)
            if not any((root / name).is_relative_to(out) for out in kept)
            and not repo.dvcignore.is_ignored_file(str(root / name))
        ]
        if loose:
            found[path] = (
                f"{path}: {listed(len(loose), 'file')} in neither git nor DVC ({loose[0]}), so that --temp, --queue, "
                f"`noise` and a second clone go without; `dvc add {path}`, and commit what that writes"
            )
    return found


def _inputs(root: Path) -> list[str]:
    params = root / "params.yaml"
    values = parse_params(params_text(params), "params.yaml") if params.exists() else {}
    found = (values.get(block, {}).get(key) for block, key in (name.split(".") for name in INPUTS))
    return [path for path in dict.fromkeys(found) if path]


def _lies_in(path: Path, root: Path) -> bool:
    return path.absolute().is_relative_to(root) and ".." not in path.parts
