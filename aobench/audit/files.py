"""Caption files: which ones a pattern names, on this machine or by URL."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aobench.audit.readers import caption_format, known_format
from aobench.audit.streams import (
    file_name,
    file_system,
    is_remote,
    is_web,
    printable_path,
    remote_is_one_line,
)
from aobench.errors import UserError
from aobench.files import read_json


@dataclass
class CaptionFiles:
    """``paths``: the files that patterns name. ``left_out``: what lay in a folder or glob and is
    no caption file.
    """

    paths: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find_caption_files(
    patterns: Sequence[str], out: Path | None = None
) -> CaptionFiles:
    """The files that paths, folders and globs name, each once, sorted within its pattern. UserError
    for none.

    Of folders and globs, hidden files (``.x``, ``_x``) and unknown kinds are left out, and so is
    what an audit wrote; ``out`` is the folder of the audit to come. A tar beside a table of the
    same name is refused: downloaders write the captions into both.
    """
    formats: dict[str, str] = {}
    files = CaptionFiles()
    for pattern in patterns:
        named, several = (
            _remote(pattern) if is_remote(pattern) else _local(pattern, out)
        )
        if several:
            readable = {path: _is_readable_caption_file(path) for path in named}
            files.left_out += [path for path in named if not readable[path]]
            named = [path for path in named if readable[path]]
        if not named:
            raise UserError(
                f"{printable_path(pattern)} names no caption file; give files, folders or globs "
                "such as 'part-*.parquet'"
            )
        for path in named:
            caption_format(path)  # refuses an unknown ending
            formats.setdefault(
                path if is_remote(path) else os.path.realpath(path), path
            )
    files.paths = list(formats.values())
    _refuse_pairs(files.paths)
    return files


def _local(pattern: str, out: Path | None) -> tuple[list[str], bool]:
    """The files that a local pattern names, and whether it names several."""
    own = _real(out) if out else None
    if Path(pattern).is_dir():
        if own == _real(Path(pattern)):
            raise UserError(
                f"--out {out} is the folder that is read; name another"
            )
        paths = sorted(_below(Path(pattern)))
        audits = {
            _real(path.parent)
            for path in paths
            if path.name == "manifest.json" and _is_audit(path)
        }
        audits |= {own} if own else set()
        inside = {
            place: audits & {_real(place), *_real(place).parents}
            for place in {p.parent for p in paths}
        }
        return [str(p) for p in paths if not inside[p.parent]], True
    if Path(pattern).exists() or Path(pattern).is_symlink():
        if not Path(pattern).is_file() and Path(pattern).exists():
            raise UserError(
                f"{pattern} is no regular file; write its captions to one first"
            )
        return [pattern], False
    named = sorted(
        path
        for path in glob.glob(pattern, recursive=True)  # noqa: PTH207
        if _may_be_read(Path(path)) or _only_bears_the_name(Path(path))
    )
    if own is not None:
        named = [
            path
            for path in named
            if not Path(path).absolute().is_relative_to(own)
        ]
    return named, True


def _real(path: Path) -> Path:
    """The path without links; unlike `Path.resolve`, also of one that links back to itself."""
    return Path(os.path.realpath(path))


def _below(folder: Path) -> Iterator[Path]:
    """The files in a folder and below, but for hidden folders. UserError for a folder that can't
    be read.
    """

    def stop(error: OSError) -> None:
        raise UserError(
            f"the folder {error.filename} can't be read ({error.strerror}); leave it out or mend it"
        )

    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(
        folder, onerror=stop, followlinks=True
    ):
        fresh = {}  # a folder that links lead to twice, or back to, is read once
        for name in sorted(folders):
            real = os.path.realpath(Path(place, name))
            if not name.startswith(".") and real not in seen:
                fresh[name] = real
        seen |= set(fresh.values())
        folders[:] = fresh
        yield from (Path(place, name) for name in names)
        if _only_bears_the_name(Path(place)):
            yield Path(place)


def _may_be_read(path: Path) -> bool:
    """A file, or a link to nothing, which is told when it is read: captions that are missing are
    no novelty.
    """
    return path.is_file() or (path.is_symlink() and not path.is_dir())


def _only_bears_the_name(path: Path) -> bool:
    """Something named as captions are that can't hold any: a pipe, a device, an empty folder."""
    if _may_be_read(path) or not _is_caption_file(str(path)):
        return False
    return not path.is_dir() or not any(path.iterdir())


def _is_readable_caption_file(path: str) -> bool:
    return _is_caption_file(path) and (
        is_remote(path) or _may_be_read(Path(path))
    )


def _is_audit(manifest: Path) -> bool:
    try:
        return "plan_hash" in read_json(manifest, "the manifest")
    except UserError:
        return False


def _is_caption_file(path: str) -> bool:
    return known_format(path) is not None and not file_name(path).startswith(
        (".", "_")
    )


def _refuse_pairs(paths: Sequence[str]) -> None:
    """UserError where a tar has a table of the same name beside it."""
    kinds: dict[str, dict[str, str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        kinds.setdefault(f"{folder}/{name.split('.', 1)[0]}", {})[
            caption_format(path).name
        ] = path
    for by_format in kinds.values():
        if "tar" in by_format and len(by_format) > 1:
            table = next(
                path for kind, path in by_format.items() if kind != "tar"
            )
            raise UserError(
                f"{by_format['tar']} and {table} stand side by side and would count each caption "
                "twice; "
                "name one kind, such as 'FOLDER/*.parquet'"
            )


def _remote(pattern: str) -> tuple[list[str], bool]:
    """The files that a URL names, and whether it names several."""
    if not re.search(r"[*\[]" if is_web(pattern) else r"[*?\[]", pattern):
        return [pattern], False
    scheme = pattern.split("://", 1)[0]
    with remote_is_one_line(pattern):
        system, path = file_system(pattern)
        if system.exists(path):  # a file may bear such a name
            return [pattern], False
        return sorted(
            p if is_remote(p) else f"{scheme}://{p}" for p in system.glob(path)
        ), True
