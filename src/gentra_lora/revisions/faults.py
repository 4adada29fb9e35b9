"""What DVC and git raise of a whole folder, each in one sentence that says what to do: for all commands."""

from pathlib import Path

from dvc.config import ConfigError
from dvc.exceptions import DvcException, NotDvcRepoError
from scmrepo.exceptions import SCMError

from gentra_lora.drive.faults import chain
from gentra_lora.errors import InputError, first_line
from gentra_lora.git import git

NO_GIT = ("not a git repository", "No git repository was found")


def sentence(error: Exception, folder: Path) -> str | None:
    """Return what is wrong with a folder in which DVC raised an error, None where it is something else."""
    try:
        git("rev-parse", "HEAD", cwd=folder)  # DVC reads git's files by code of its own, which says less of them
    except InputError as refused:
        return str(refused)
    causes = chain(error)
    without_git = any(text in str(cause) for cause in causes for text in NO_GIT)
    if without_git and (folder / ".dvc").exists():
        return f"{folder}: is no git repository, as a download as ZIP is none; clone the project instead"
    if without_git or any(isinstance(cause, NotDvcRepoError) for cause in causes):
        return f"{folder}: is no clone of this project; run the command in one"
    if any(isinstance(cause, ConfigError) for cause in causes) and "config file error" in str(error):
        return (
            f"{folder}: .dvc/config or .dvc/config.local cannot be read ({first_line(causes[-1])}); after a merge with "
            "conflicts, take one side: `git checkout --ours .dvc/config` or `--theirs`"
        )
    return None


def told(error: Exception) -> str | None:
    """Return what to do about an error of DVC's or git's in the current folder, None where it is no such error."""
    here = Path.cwd()
    if text := sentence(error, here):
        return text
    if any(isinstance(cause, DvcException | SCMError) for cause in chain(error)):
        return f"{here}: {first_line(error)}; `gentra-lora doctor` looks at it"
    return None
