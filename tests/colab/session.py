"""The notebook's cells, run in a kernel on a machine that can be killed and thrown away; what they show, as text."""

import base64
import io
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from PIL import Image

os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or the kernel's debugger warns of each start
ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks/sport_gentra_colab.ipynb"
# A command of a `!` line that fails does not stop its cell.
BAD_LINE = re.compile(
    r"\s*(error|fatal|FAIL|Traceback)\b|.*(command not found|No such file|has diverged)", re.IGNORECASE
)
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Machine:
    """What a session has, in folders under `top`: the project, Drive, and the address that the project is cloned from.

    Drive outlives the machine; `renew` gives a new one.
    """

    def __init__(self, top):
        self.origin, self.project = top / "origin.git", top / "content/project"
        self.mount, self.unmounted = top / "content/drive", top / "drive"
        self.downloads = top / "downloads"
        for folder in (self.mount.parent, self.unmounted, self.downloads):
            folder.mkdir()
        self.outputs = self.mount / "MyDrive/sport_gentra_lora"

    def environment(self):
        """Return the variables of the kernel and of all that it starts."""
        mine = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parent),
            "GIT_CONFIG_GLOBAL": os.devnull,  # a new machine knows no name to commit under
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GENTRA_PROJECT": str(self.project),
            "GENTRA_MOUNT": str(self.mount),
            "GENTRA_FAKE_DRIVE": str(self.unmounted),
            "GENTRA_FAKE_DOWNLOADS": str(self.downloads),
        }
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GENTRA_", "GIT_", "DVC_"))}
        return kept | mine

    def renew(self):
        """Take the machine away, with all that is not on Drive."""
        if not self.unmounted.exists():
            self.mount.rename(self.unmounted)
        shutil.rmtree(self.mount.parent)
        self.mount.parent.mkdir()


def with_form(notebook, values):
    """Fill the notebook's form: {name: value} for lines such as `STEPS = 1500  # @param {type:"integer"}`."""
    for name, value in values.items():
        line, places = re.compile(rf"^{name} = .*(?=  # @param)", re.MULTILINE), 0
        for cell in notebook.cells:
            cell.source, count = line.subn(lambda _, text=f"{name} = {value!r}": text, cell.source)
            places += count
        if places != 1:
            raise ValueError(f"{name}: stands {places} times in the notebook's form")


class Session:
    """One run of the notebook from the top, in a kernel of its own."""

    def __init__(self, machine, form, executed):
        """Read the notebook; `executed` is the file to write it to with its outputs, whatever happens."""
        self.machine, self.executed = machine, executed
        self.notebook = nbformat.read(NOTEBOOK, as_version=4)
        with_form(self.notebook, form)
        where = {"metadata": {"path": str(machine.mount.parent)}}
        self.client = NotebookClient(self.notebook, timeout=1200, kernel_name="python3", resources=where)

    def run(self):
        """Run all cells; return self.

        Raises:
            AssertionError, CellExecutionError: a line of an output tells an error, or a cell raised one.
        """
        try:
            with self.client.setup_kernel(env=self.machine.environment()):
                for index, cell in enumerate(self.notebook.cells):
                    self.client.execute_cell(cell, index)
                    bad = [line for line in lines(cell) if BAD_LINE.match(line)]
                    assert not bad, f"cell {index}, {cell.source.splitlines()[0]}: {bad[0]}"
        finally:
            nbformat.write(self.notebook, self.executed)
        return self

    def run_until_killed(self, step):
        """Run the cells until training has saved a checkpoint of `step`, then kill the kernel and all it started."""
        watch = threading.Thread(target=self._kill_at, args=[step], daemon=True)
        watch.start()
        try:
            self.run()
        except DeadKernelError:
            watch.join()
            return self
        raise AssertionError("training ended before it could be killed; give it more steps")

    def _kill_at(self, step):
        while not list(self.machine.outputs.glob(f"checkpoints/*/step-{step:07d}.pt")):
            time.sleep(0.05)
        kernel = psutil.Process(self.client.km.provisioner.pid)
        for process in [kernel, *kernel.children(recursive=True)]:
            process.kill()

    def shown(self, title):
        """Return the lines that a cell printed, by the start of its title."""
        return "\n".join(lines(self._cell(title)))

    def pictures(self, title):
        """Return the pictures that a cell showed."""
        found = []
        for output in self._cell(title).outputs:
            for kind in ("image/png", "image/jpeg"):
                if kind in output.get("data", {}):
                    found.append(Image.open(io.BytesIO(base64.b64decode(output.data[kind]))))
        return found

    def pages(self, title):
        """Return the HTML that a cell showed."""
        return [page for output in self._cell(title).outputs if (page := output.get("data", {}).get("text/html"))]

    def _cell(self, title):
        (cell,) = [cell for cell in self.notebook.cells if cell.source.startswith(f"# @title {title}")]
        return cell


def lines(cell):
    """Return the lines of a cell's output without colours; each state of a progress bar is one."""
    text = "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")
    return re.split(r"[\r\n]+", CODES.sub("", text))
