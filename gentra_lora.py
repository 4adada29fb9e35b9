"""The package beside this file, src/gentra_lora, whichever copy of it is installed.

Python looks into the current folder first: `python -m gentra_lora...`, the command of every stage, finds this file, and
this file gives way to src/. So an experiment that `dvc exp run` puts into a folder of its own (--queue, --temp) and a
second clone run the code that dvc.lock records of them.
"""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))
del sys.modules[__name__]
importlib.import_module(__name__)
