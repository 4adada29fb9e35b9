"""The package beside this file, src/gentra_lora, whichever copy of it is installed.

Python looks into the current folder first: `python -m gentra_lora...`, the command of every stage, finds this file, and
this file gives way to src/. So an experiment that `dvc exp run` puts into a folder of its own (--queue, --temp) and a
second clone run the code that dvc.lock records of them.

It also shows Ctrl-C as one line: half of a stage's first seconds are its imports, before any `try` of its own.
"""

import importlib
import sys
from pathlib import Path
from types import TracebackType


def _say_that_it_was_stopped(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("stopped by Ctrl-C: this stage is not done; `dvc repro` goes on", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if sys.argv[:1] == ["-m"]:  # a stage is being started, not imported
    sys.excepthook = _say_that_it_was_stopped
sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
del sys.modules[__name__]
importlib.import_module(__name__)
