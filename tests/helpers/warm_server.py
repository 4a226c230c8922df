"""The process that `helpers.warm` forks from: it imports the library once and then waits for lines.

It listens at the Unix socket that its argument names, to any number of clients. Each line is one
JSON request: ``import`` modules, ``run`` a program in a fork of this process, ``poll`` for one;
each is answered by one JSON line. It ends when its last client has gone.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import types

#: Forks that nobody has waited for; they end with this process.
RUNNING = set()
#: Sockets: where clients come in, and theirs.
CLIENTS = selectors.DefaultSelector()


def import_modules(names):
    """Import what is there; an extra that is absent is left to those who need it."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Forks share these objects' memory until they write to it, as a search for garbage does.
    gc.freeze()


def become(request):
    """In the fork: its own process group, output, environment and working folder."""
    os.setpgid(0, 0)
    for key in list(CLIENTS.get_map().values()):
        if key.data:
            key.data.close()
        key.fileobj.close()
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


def status_of(pid):
    """The exit status of a fork, less than 0 for a signal; None while it runs."""
    gone, status = os.waitpid(pid, os.WNOHANG)
    RUNNING.discard(gone)
    return os.waitstatus_to_exitcode(status) if gone else None


def answer(request):
    """What is said to one request."""
    kind = request["do"]
    if kind == "import":
        return import_modules(request["modules"])
    if kind != "run":
        return status_of(request["pid"])
    pid = os.fork()
    if pid == 0:
        carry_out(request)
    RUNNING.add(pid)
    # In the fork, too: whichever comes first, its group is there when its number is known.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def serve(address):
    """Answer the lines of all clients until the last of them has gone."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(address)
    door.listen()
    CLIENTS.register(door, selectors.EVENT_READ)
    came = False
    while not came or len(CLIENTS.get_map()) > 1:
        for key, _ in CLIENTS.select():
            if key.fileobj is door:
                client = door.accept()[0]
                lines = client.makefile("rw")
                CLIENTS.register(client, selectors.EVENT_READ, lines)
                came = True
            elif line := key.data.readline():
                reply = json.dumps(answer(json.loads(line)))
                print(reply, file=key.data, flush=True)
            else:
                CLIENTS.unregister(key.fileobj)
                key.data.close()
                key.fileobj.close()


def main():
    """Serve at the address that the argument names."""
    os.fsync = lambda _descriptor: None  # as in tests/conftest.py
    os.dup2(2, 1)
    serve(sys.argv[1])
    for pid in RUNNING:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
