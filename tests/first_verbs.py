"""What a user runs first, in the environment of the Python that runs this: for `make matrix`.

    python tests/first_verbs.py [no]         # no: torch is absent, leave out what needs it

Each verb runs in a process of its own, away from the checkout, so that the installed package is
what is used. The last line says what ran.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

CARD = Path(__file__).resolve().parents[1] / "model_cards" / "mini"
#: Words, and the exit status that they have where only the base is installed.
VERBS = (
    (["--version"], 0),
    (["--help"], 0),
    (["build", "--example", "first"], 0),
    (["score", str(CARD)], 0),
    (["effective"], 0),
    (["power", "--design", "80x600x12000x5"], 0),
    (["export", str(CARD), "--to", "csv"], 0),
    (["audit", "first/captions.txt", "--out", "audit"], 2),
    (["breakdown", str(CARD)], 2),
)
WITH_TORCH = ((["evaluate", "mini", "--limit", "4", "--cpu"], 0),)
#: What a verb says whose library is not in the base.
ABSENT = "which isn't installed: pip install 'imagenet-ao["


def run_verb(words: list[str], status: int, where: str) -> None:
    """Run it; ends with its output where it does other than it should."""
    call = [sys.executable, "-m", "aobench", *words]
    done = subprocess.run(call, cwd=where, capture_output=True, text=True)
    said = done.stderr.strip()
    if done.returncode != status or (status == 2 and ABSENT not in said):
        print(done.stdout[-2000:], said[-2000:], sep="\n")
        sys.exit(f"{' '.join(words)}: status {done.returncode}")


def main() -> None:
    """Run all verbs in a scratch folder."""
    verbs = VERBS if sys.argv[1:] == ["no"] else (*VERBS, *WITH_TORCH)
    with tempfile.TemporaryDirectory() as where:
        for words, status in verbs:
            run_verb(words, status, where)
    names = ("numpy", "pandas", "pyarrow", "transformers", "datasets")
    stack = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{len(verbs)} verbs on Python {platform.python_version()}: {stack}")


if __name__ == "__main__":
    main()
