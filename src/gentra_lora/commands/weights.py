"""`gentra-lora weights`: the exact weights of a revision, where a file came from, and what there is."""

from pathlib import Path

from dvc.repo import Repo
from safetensors import SafetensorError, safe_open

from gentra_lora.drive.folder import open_folder
from gentra_lora.errors import first_line
from gentra_lora.revisions.trained import table, trained_revisions
from gentra_lora.revisions.weights import WeightsError, pull_weights


def pull_command(repo: str, rev: str | None, dest: Path, remote: str | None, credentials: str | None) -> None:
    """Pull, and tell what was pulled."""
    found = pull_weights(repo, rev, dest, remote, credentials)
    print(f"{dest / found.file}: {found.size:,} bytes of commit {found.commit[:12]}, md5 {found.md5}")
    if found.metrics_fault:
        print(f"without metrics, since those of the commit are not of these weights: {found.metrics_fault}")


def show_command(file: Path) -> None:
    """Print the header of an adapter's file.

    Raises:
        WeightsError: it cannot be read, or says nothing of itself.
    """
    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file}: cannot be read as safetensors ({first_line(error)})") from error
    if not metadata:
        raise WeightsError(f"{file}: does not say where it came from")
    width = max(map(len, metadata))
    print("\n".join(f"{key:{width}}  {metadata[key]}" for key in sorted(metadata)))


def list_command() -> None:
    """Print the table of revisions with weights."""
    with Repo(".") as repo:
        folder = open_folder(repo) if repo.config["core"].get("remote") else None
        rows = trained_revisions(repo, folder)
    print("\n".join(table(rows) if rows else ["nothing is trained yet: `dvc repro`"]))
