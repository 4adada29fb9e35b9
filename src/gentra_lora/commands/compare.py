"""`gentra-lora compare`: which of two revisions is better."""

import json
from pathlib import Path

from dvc.repo import Repo

from gentra_lora.evaluation.compare import compare
from gentra_lora.evaluation.comparison_text import as_json, text_lines
from gentra_lora.evaluation.noise_floor import fitting_noise
from gentra_lora.evaluation.scored_run import NOISE
from gentra_lora.revisions.evaluated import WORKSPACE, newest_experiments, read_run


def add_to(commands):
    """Add the command to a parser's."""
    words = "branch, tag, commit, experiment or `workspace`"
    sub = commands.add_parser("compare", help="which of two evaluated revisions is better, and how sure that is")
    sub.add_argument("first", nargs="?", help=words)
    sub.add_argument("second", nargs="?", default=WORKSPACE, help=f"{words} (%(default)s)")
    sub.add_argument("--newest", action="store_true", help="the two newest experiments; of a single one, HEAD and it")
    sub.add_argument("--json", action="store_true", help="for programs")
    sub.set_defaults(command=lambda args: compare_command(args, sub))


def compare_command(args, parser):
    """Print the verdict and the table.

    Raises:
        RunError: a revision has no evaluation, or the two were not evaluated alike.
    """
    if bool(args.first) == args.newest:
        parser.error("give one or two revisions, or --newest")
    root = Path(Repo.find_root())
    revs = newest_experiments(root, 2) if args.newest else (args.first, args.second)
    one, other = (read_run(root, rev) for rev in revs)
    comparison = compare(one, other, fitting_noise(root / NOISE, one.setup))
    if args.json:
        print(json.dumps(as_json(comparison), indent=1))
    else:
        print("\n".join(text_lines(comparison)))
