"""A configuration to begin with, and all that it needs: ``imagenet-ao build --example DIR``."""

from __future__ import annotations

import shlex
from pathlib import Path

from aobench.errors import UserError
from aobench.files import write_in_one_move

#: The files that are copied, beside this module.
EXAMPLE = Path(__file__).parent / "example_build"
CONFIGURATION = "set.yaml"


def example_files() -> list[Path]:
    """The example's files, by name."""
    return sorted(path for path in EXAMPLE.iterdir() if path.is_file())


def write_example(folder: Path) -> Path:
    """Write the example's files to ``folder``, which is made if need be.

    Returns:
        The configuration, which `imagenet-ao build` runs as it is.

    Raises:
        UserError: where one of the files is there already; nothing is written then.

    Example:
        >>> from tempfile import mkdtemp
        >>> write_example(Path(mkdtemp()) / "first").name
        'set.yaml'
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder for the example")
    there = [
        one.name for one in example_files() if (folder / one.name).exists()
    ]
    if there:
        raise UserError(
            f"{folder} holds {' and '.join(there)} already; name another folder for the example"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path in example_files():
        write_in_one_move(folder / path.name, path.read_bytes())
    return folder / CONFIGURATION


def example_text(configuration: Path) -> str:
    """What to type next."""
    folder = configuration.parent
    package = folder / "out" / "5-package" / "my-first-set"
    return (
        f"Written: {', '.join(path.name for path in example_files())} in {folder}\n"
        "Read the comments of set.yaml; it runs as it is:\n"
        f"  imagenet-ao build {shlex.quote(str(configuration))}\n"
        f"  imagenet-ao evaluate mini --data {shlex.quote(str(package))}"
    )
