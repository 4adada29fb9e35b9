"""Stages in processes of their own, without each of them loading the libraries first: forks of one that has."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# Loads what `train` loads and no other module of ours: the files that are loaded count in a checkpoint's name. Each
# line of the input is a command: "run" answers with the process that does as `python -m` of the stage would, "wait"
# with how it ended.
PARENT = """
import json, os, runpy, sys, traceback
import gentra_lora.stages.train
del sys.modules["gentra_lora.stages.train"]

def child(folder, stage, before, environment, output):
    shown = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(shown, 1)
    os.dup2(shown, 2)
    os.chdir(folder)
    os.environ.update(environment)
    code = 1
    try:
        exec(before, {})
        runpy.run_module(f"gentra_lora.stages.{stage}", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        print(ended)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)

print("ready", flush=True)
for line in sys.stdin:
    command, values = json.loads(line)
    if command == "run":
        pid = os.fork()
        if pid == 0:
            child(**values)
        print(pid, flush=True)
    else:
        print(os.waitstatus_to_exitcode(os.waitpid(values, 0)[1]), flush=True)
"""


@dataclass
class Fork:
    """A stage that runs."""

    parent: "Forks"
    pid: int
    output: Path

    def kill(self):
        """End it by SIGKILL, at once."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        """Return its exit code, the signal's number below zero where one ended it."""
        return self.parent.ask("wait", self.pid)

    @property
    def shown(self):
        """What it has printed, stdout and stderr together."""
        return self.output.read_text()


class Forks:
    """The process that the stages are forked from."""

    def __init__(self, folder):
        """Start it; `folder` takes what the stages print."""
        self.folder, self.count = folder, 0
        words = [sys.executable, "-W", "ignore", "-c", PARENT]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, command, values):
        """Return the number that it answers with."""
        print(json.dumps([command, values]), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def start(self, folder, stage, before="", **environment):
        """Return the Fork of a stage that begins in a folder; `before` is code that it runs first."""
        self.count += 1
        output = self.folder / f"{self.count}.txt"
        values = {"folder": str(folder), "stage": stage, "before": before, "output": str(output)}
        return Fork(self, self.ask("run", values | {"environment": environment}), output)

    def run(self, folder, stage, **environment):
        """Return what a stage printed that ended well."""
        fork = self.start(folder, stage, **environment)
        assert fork.wait() == 0, fork.shown
        return fork.shown

    def run_together(self, folder, stage, count, **environment):
        """Return what `count` processes of a stage printed, the main one's first; they are told of each other as by
        torchrun.
        """
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
        ranks = [dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank)) for rank in range(count)]
        started = [self.start(folder, stage, **place, **rank, **environment) for rank in ranks]
        assert [fork.wait() for fork in started] == [0] * count, [fork.shown for fork in started]
        return [fork.shown for fork in started]

    def close(self):
        """End it."""
        self.process.communicate()


def free_port():
    """Return a port that nobody listens to, of those that are never given to a connection that asks for any."""
    while True:
        with closing(socket.socket()) as found, suppress(OSError):
            found.bind(("127.0.0.1", random.randrange(20_000, 30_000)))
            return found.getsockname()[1]


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """The Forks of this run."""
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()
