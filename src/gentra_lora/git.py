"""What git answers, and one sentence where it refuses a whole repository."""

import os
import re
import subprocess
from pathlib import Path

from gentra_lora.errors import InputError


def git(*words: str, cwd: Path | None = None) -> str:
    """Return what git prints; "" where it has no answer: no git, no repository, no commit, no such name.

    Raises:
        InputError: it refuses the repository, such as another user's, which is no answer either.
    """
    environment = os.environ | {"LC_ALL": "C"}  # its own words, which are looked for below
    try:
        done = subprocess.run(["git", *words], cwd=cwd, env=environment, capture_output=True, text=True)
    except OSError:
        return ""
    if reason := _refusal(done.stderr):
        raise InputError(f"{cwd or Path.cwd()}: {reason}")
    return "" if done.returncode else done.stdout.strip()


def _refusal(told: str) -> str | None:
    if found := re.search("dubious ownership in repository at '(.*)'", told):
        return (
            "belongs to another user, and git does not read it; work as that user, or "
            f"`git config --global --add safe.directory {found[1]}`"
        )
    if found := re.search("bad config line .* in file (.*)", told):
        return f"git cannot read {found[1]} ({found[0]}), as after a merge with conflicts; mend that line"
    return None
