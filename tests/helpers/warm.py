"""Programs in processes of their own that begin at once.

A new Python imports torch, transformers and datasets for many seconds before it does anything.
These processes are forked from one that has done so. They have an interpreter, files, signals and
a process group of their own, so they can be killed, limited and made to meet; what depends on the
order of imports needs a new Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("warm_server.py")
#: What an evaluation needs.
EVALUATION = (
    "torch",
    "datasets",
    "evaluate",
    "accelerate",
    "scipy.io",
    "scipy.stats",
    "pyarrow.parquet",
    "pandas",
    "transformers.models.clip.modeling_clip",
    "transformers.models.siglip.modeling_siglip",
    "transformers.models.clip.image_processing_clip",
    "aobench.evaluation.api",
    "aobench.evaluation.commands",
    "aobench.evaluation.runner",
    "aobench.mini.splits",
    "aobench.models.dual_encoder",
    "compositional_ood.compositional_ood",
    "helpers.warm_caches",
)
#: What a build needs beyond it.
BUILD = (
    "diffusers.pipelines.auto_pipeline",
    "faiss",
    "imagehash",
    "polars",
    "aobench.mini.own_pictures",
    "aobench.newset.distinct",
    "aobench.newset.generate",
    "aobench.newset.running",
    "aobench.newset.package.step",
    "aobench.newset.validate.step",
    "helpers.warm_kernels",
)
#: The command line as a program.
COMMAND = "import sys\nfrom aobench.cli import command\nsys.exit(command())\n"
#: Environment of programs that work alone on the CPU.
CPU = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}


@dataclass
class Ended:
    """How a program ended; a status less than 0 is a signal."""

    returncode: int
    stdout: str
    stderr: str


class Started:
    """A program that runs, or ran."""

    def __init__(self, server, pid, out, err):
        self.server, self.pid, self.out, self.err = server, pid, out, err
        self.status = None

    def poll(self):
        """Its status; None while it runs."""
        if self.status is None:
            self.status = self.server.ask(do="poll", pid=self.pid)
        return self.status

    def wait(self):
        """How it ended."""
        while self.poll() is None:
            time.sleep(0.02)
        texts = (
            path.read_text(errors="replace") for path in (self.out, self.err)
        )
        return Ended(self.status, *texts)

    def kill(self):
        """End it and whatever it started, as ``kill -9`` does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class WarmProcesses:
    """Starts programs.

    Args:
        said: a folder for their output.
        modules: what is imported once, before any of them.
        environment: of that import, and so of all programs, beyond `CPU`; by default the tests' own.
        address: the Unix socket of a server that others use, too; it is started where there is
            none. By default one of these processes' own.
    """

    def __init__(
        self, said, modules=EVALUATION, environment=None, address=None
    ):
        self.said, self.numbers = said, itertools.count()
        address = address or said / "server"
        with open(f"{address}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.socket = connect(address) or start_server(address, environment)
        self.lines = self.socket.makefile("rw")
        self.import_modules(*modules)

    def ask(self, **request):
        """The server's answer."""
        print(json.dumps(request), file=self.lines, flush=True)
        return json.loads(self.lines.readline())

    def import_modules(self, *names):
        """Import once what the programs that follow need."""
        self.ask(do="import", modules=names)

    def start(
        self,
        arguments,
        code=COMMAND,
        folder=ROOT,
        preamble="",
        path=(),
        err=None,
        **environment,
    ):
        """Start ``python -c CODE ARGUMENTS`` in ``folder``.

        Args:
            arguments: words after the program's name.
            code: the program; without it the command line `imagenet-ao`.
            folder: where it works.
            preamble: code that runs before it, such as a limit.
            path: folders that are put before others on the search path.
            err: the file to which stderr is appended; by default one of its own.
            environment: variables beyond those of the tests and `CPU`.
        """
        number = next(self.numbers)
        out, err = (
            self.said / f"{number}.out",
            err or self.said / f"{number}.err",
        )
        out.touch()
        pid = self.ask(
            do="run",
            code=code,
            argv=["program", *map(str, arguments)],
            folder=str(folder),
            preamble=preamble,
            path=[str(one) for one in path],
            environment={**CPU, **environment},
            out=str(out),
            err=str(err),
        )
        return Started(self, pid, out, err)

    def start_group(self, count, arguments, **options):
        """Start ``count`` programs that see each other as torchrun's do."""
        if count == 1:
            return [self.start(arguments, **options)]
        meeting = {
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(free_port()),
        }
        ranks = ({"RANK": str(n), "LOCAL_RANK": str(n)} for n in range(count))
        return [
            self.start(arguments, **meeting, **rank, **options)
            for rank in ranks
        ]

    def run(self, count, arguments, **options):
        """How each of ``count`` programs ended."""
        running = self.start_group(count, arguments, **options)
        return [one.wait() for one in running]

    def close(self):
        """Leave the server, which ends with its last client."""
        self.lines.close()
        self.socket.close()


def connect(address):
    """A connection to the server there; None where there is none."""
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(str(address))
    except OSError:
        client.close()
        return None
    return client


def start_server(address, environment=None):
    """Start one, and connect to it."""
    # As the command line sets it before it imports transformers.
    environment = {
        "TRANSFORMERS_VERBOSITY": "error",
        **(environment or os.environ),
    }
    environment |= CPU
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    Path(address).unlink(missing_ok=True)
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(address)], env=environment
    )
    while (client := connect(address)) is None:
        assert server.poll() is None, "the server ended at once"
        time.sleep(0.02)
    # Whoever started it doesn't wait for it: others may need it longer.
    server.returncode = 0
    return client


def free_port():
    """A port of the loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
