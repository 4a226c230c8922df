"""Loading a model that the configuration names: what goes wrong is told in one line, and which
weights it has.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from aobench.errors import UserError
from aobench.files import absolute_path
from aobench.models.bundled import BUNDLED_NAMES, model_folder

#: What libraries raise on a model that is missing, damaged or of another shape.
KNOWN = (
    OSError,
    ValueError,
    ImportError,
    KeyError,
    AttributeError,
    RuntimeError,
    TypeError,
)


@contextlib.contextmanager
def one_line(model: str) -> Iterator[None]:
    """Turn a library's error on loading into a UserError that names the model."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # Damaged weights: safetensors' own class, which can't be named without importing it.
        if (
            not isinstance(error, KNOWN)
            and type(error).__name__ != "SafetensorError"
        ):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{model!r} could not be loaded: {reason}") from error


def placed_model(config_path: Path, name: str) -> str:
    """A model's name for loading: a folder beside the configuration as its absolute path, any
    other name as it is.
    """
    place = absolute_path(config_path.parent / Path(name).expanduser())
    own = name and name not in BUNDLED_NAMES and place.is_dir()
    return str(place) if own else name


def weights_mark(model: str, revision: str | None = None) -> str:
    """What identifies the weights that loading ``model`` (as `placed_model` gives it) would read
    now.

    Of a folder, and of a bundled model, ``sha256:`` and a digest of the names and contents of its
    weights, configurations and vocabularies, in all its subfolders; of a Hub id the commit that
    ``revision`` (default: main) stands for, by the Hub or, where it can't be reached, by the local
    cache; of any
    other name, 'unknown'.
    """
    from aobench.models.revision import SUFFIXES

    folder = model_folder(model)
    if not folder.is_dir():
        return _commit(model, revision or "main")
    files = sorted(
        p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file()
    )
    stats = tuple(
        (
            p.relative_to(folder).as_posix(),
            p.stat().st_size,
            p.stat().st_mtime_ns,
        )
        for p in files
    )
    return _digest(folder, stats)


@lru_cache(maxsize=64)
def _digest(folder: Path, stats: tuple[tuple[str, int, int], ...]) -> str:
    """Contents are read once in a process while sizes and times stay as they are."""
    from aobench.models.revision import digest_of_named_files

    files = [(name, folder / name) for name, _, _ in stats]
    return f"sha256:{digest_of_named_files(files)}"


@lru_cache(maxsize=64)
def _commit(model: str, revision: str) -> str:
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model):
        return "unknown"  # such as open_clip:RN50/cc12m
    from huggingface_hub import HfApi, constants
    from huggingface_hub.file_download import repo_folder_name

    if not constants.HF_HUB_OFFLINE:
        with contextlib.suppress(
            Exception
        ):  # whatever it is, the cache is the next place to look
            return str(
                HfApi().model_info(model, revision=revision, timeout=10).sha
            )
    refs = (
        Path(constants.HF_HUB_CACHE)
        / repo_folder_name(repo_id=model, repo_type="model")
        / "refs"
    )
    try:
        return (refs / revision).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"
