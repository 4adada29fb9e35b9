"""`gentra-lora compare`: which of two revisions is better."""

from pathlib import Path

import click
from dvc.repo import Repo

from gentra_lora.evaluation.compare import compare
from gentra_lora.evaluation.noise_floor import fitting_noise
from gentra_lora.evaluation.scored_run import NOISE
from gentra_lora.evaluation.shown.comparison_text import as_json, text_lines
from gentra_lora.revisions.evaluated import newest_experiments, read_run
from gentra_lora.whole_file import json_text


def compare_command(first: str | None, second: str, newest: bool, for_programs: bool) -> None:
    """Print the verdict and the table.

    Raises:
        click.UsageError: not one way of naming them.
        RunError: a revision has no evaluation, or the two were not evaluated alike.
    """
    root = Path(Repo.find_root())
    if first and not newest:
        revs = [(rev, rev) for rev in (first, second)]
    elif newest and not first:
        revs = newest_experiments(root, 2)
    else:
        raise click.UsageError("give one or two revisions, or --newest")
    one, other = (read_run(root, rev, name) for rev, name in revs)
    comparison = compare(one, other, fitting_noise(root / NOISE, one.setup))
    if for_programs:
        print(json_text(as_json(comparison), indent=1, ensure_ascii=True))
    else:
        print("\n".join(text_lines(comparison)))
