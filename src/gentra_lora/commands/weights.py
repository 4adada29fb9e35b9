"""`gentra-lora weights`: the exact weights of a revision, where a file came from, and what there is."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from gentra_lora.commands.drive import project
from gentra_lora.drive.folder import open_folder
from gentra_lora.errors import first_line
from gentra_lora.revisions.trained import table, trained_revisions
from gentra_lora.revisions.weights import WeightsError, pull_weights


def add_to(commands):
    """Add the command with its own commands to a parser's."""
    group = commands.add_parser("weights", help="the exact weights of a git revision")
    ways = group.add_subparsers(required=True, metavar="COMMAND")

    pull = ways.add_parser("pull", help="fetch the weights of a revision and prove that they are its own")
    pull.add_argument("--repo", default=".", help="address or path of the repository (this one)")
    pull.add_argument("--rev", help="branch, tag, commit, experiment, sport-gentra-lora@v1.0.0 or #prod (HEAD)")
    pull.add_argument("--dest", type=Path, default=Path("weights"), help="folder for the file (%(default)s)")
    pull.add_argument("--remote", help="gdrive://ID or a folder, in place of the repository's own remote")
    pull.add_argument("--credentials", help="key file for --remote; else the text in GDRIVE_CREDENTIALS_DATA")
    pull.set_defaults(command=pull_command)

    show = ways.add_parser("show", help="where an adapter's file came from")
    show.add_argument("file", type=Path)
    show.set_defaults(command=show_command)

    ways.add_parser("list", help="revisions and experiments with weights").set_defaults(command=list_command)


def pull_command(args):
    """Pull, and tell what was pulled."""
    found = pull_weights(args.repo, args.rev, args.dest, args.remote, args.credentials)
    print(f"{args.dest / found.file}: {found.size:,} bytes of commit {found.commit[:12]}, md5 {found.md5}")


def show_command(args):
    """Print the header of an adapter's file.

    Raises:
        WeightsError: it cannot be read, or says nothing of itself.
    """
    try:
        with safe_open(args.file, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{args.file}: cannot be read as safetensors ({first_line(error)})") from error
    if not metadata:
        raise WeightsError(f"{args.file}: does not say where it came from")
    width = max(map(len, metadata))
    print("\n".join(f"{key:{width}}  {metadata[key]}" for key in sorted(metadata)))


def list_command(_):
    """Print the table of revisions with weights."""
    with project() as repo:
        print("\n".join(table(trained_revisions(repo, open_folder(repo))) or ["nothing is trained yet: `dvc repro`"]))
