"""With HF_HUB_OFFLINE=1 an evaluation opens no network socket, and --help imports nothing heavy."""

import os
import subprocess
import sys

GUARD = """
import socket, sys
real = socket.socket.connect
def refuse(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        raise SystemExit(f"a socket was opened to {{address}}")
    return real(self, address)
socket.socket.connect = refuse
def lookup(*args, **kwargs):
    raise SystemExit(f"a name was looked up: {{args[:2]}}")
socket.getaddrinfo = lookup
from aobench.cli import main
sys.exit(main({arguments!r}))
"""


def _run(code: str, **extra: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_socket_when_offline(tmp_path):
    templates = tmp_path / "one.txt"
    templates.write_text("a photo of a {}.\n")
    data = tmp_path / "data" / "red_teapot"
    data.mkdir(parents=True)
    from PIL import Image

    Image.new("RGB", (32, 32), "red").save(data / "0.png")
    arguments = [
        "evaluate",
        "mini",
        "--data",
        str(data.parent),
        "--cpu",
    ]
    arguments += ["--templates", str(templates), "--out", str(tmp_path / "out")]
    done = _run(
        GUARD.format(arguments=arguments),
        HF_HUB_OFFLINE="1",
        HF_EVALUATE_OFFLINE="1",
        HF_HOME=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "a socket was opened" not in done.stderr
    assert (tmp_path / "out" / "mini" / "results.json").exists()


def test_the_guard_itself_works():
    done = _run(
        "import socket\n"
        + GUARD.format(arguments=[]).split("from aobench")[0]
        + "socket.create_connection(('127.0.0.1', 9))"
    )
    assert done.returncode != 0


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom aobench.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'evaluate', 'numpy', 'polars', 'ray', "
        "'diffusers',\n"
        "              'gradio', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = _run(code)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stdout
