"""The process that `helpers.warm` forks from: it imports the library once and then waits for lines.

Each line is one JSON request: ``import`` modules, ``run`` a program in a fork of this process,
``wait`` or ``poll`` for one; each is answered by one JSON line. It ends with its input.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import types

#: Forks that nobody has waited for; they end with this process.
RUNNING = set()


def import_modules(names):
    """Import what is there; an extra that is absent is left to those who need it."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def become(request):
    """In the fork: its own process group, output, environment and working folder."""
    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        place = os.open(
            request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        os.dup2(place, number)
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[:0] = request["path"]
    if request["preamble"]:
        exec(request["preamble"], {})


def carry_out(request):
    """Run the request's program as ``python PROGRAM ARGUMENTS`` would; never returns."""
    become(request)
    sys.argv = request["argv"]
    program = types.ModuleType("__main__")
    sys.modules["__main__"] = program
    exec(compile(request["code"], sys.argv[0], "exec"), program.__dict__)
    sys.exit(0)


def ended(pid, options):
    """The exit status of a fork, less than 0 for a signal; None while it runs."""
    gone, status = os.waitpid(pid, options)
    RUNNING.discard(gone)
    return os.waitstatus_to_exitcode(status) if gone else None


def answer(request):
    """What is said to one request."""
    kind = request["do"]
    if kind == "import":
        return import_modules(request["modules"])
    if kind != "run":
        return ended(request["pid"], os.WNOHANG if kind == "poll" else 0)
    pid = os.fork()
    if pid == 0:
        carry_out(request)
    RUNNING.add(pid)
    # In the fork, too: whichever comes first, its group is there when its number is known.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def main():
    """Answer the lines of the input until it ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    while line := sys.stdin.readline():
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
    for pid in RUNNING:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
