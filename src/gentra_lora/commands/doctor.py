"""`gentra-lora doctor`: what would fail later, one line each; and the repair of a killed experiment."""

import os
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo

from gentra_lora.base.source import BaseSource
from gentra_lora.commands import checks as doctor
from gentra_lora.commands.checks import Finding
from gentra_lora.params import ParamsError, load_params
from gentra_lora.revisions import killed_experiment
from gentra_lora.whole_file import json_text


def doctor_command(for_programs: bool, repair: bool) -> None:
    """Print the Findings; exit status 1 where something will fail."""
    with suppress(NotDvcRepoError):  # from a folder of the project as from its root
        os.chdir(Repo.find_root())
    if repair:
        print("\n".join(killed_experiment.repair(Path.cwd())), file=sys.stderr if for_programs else sys.stdout)
    found = findings()
    if for_programs:
        print(json_text([asdict(finding) for finding in found], indent=1, ensure_ascii=True))
    else:
        width = max(len(finding.name) for finding in found)
        for finding in found:
            print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name:{width}}  {finding.text}")
    sys.exit(0 if all(finding.ok for finding in found) else 1)


def findings() -> list[Finding]:
    """Return all Findings of the current folder."""
    first = [
        doctor.check_versions(),
        doctor.check_code(),
        doctor.check_python(),
        doctor.check_git(),
        doctor.check_killed(),
        doctor.check_queue(),
    ]
    first += [doctor.check_disk(Path.cwd()), doctor.check_lock(), doctor.check_tracked()]
    try:
        params = load_params()
    except ParamsError as error:
        return [*first, Finding("params.yaml", False, str(error)), doctor.check_drive()]
    source = BaseSource(**params.base.model_dump())
    more = [Finding("params.yaml", True, "valid"), doctor.check_device(source.mixed_precision)]
    more += [doctor.check_optimizer(params.train.optimizer), doctor.check_base_model(source)]
    return [*first, *more, doctor.check_kept(), doctor.check_drive()]
