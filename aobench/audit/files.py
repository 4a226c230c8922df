"""Caption files: which ones a pattern names, of what kind they are, and their bytes; on this
machine or by URL.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from aobench.errors import UserError
from aobench.files import read_json

#: Ending, with or without .gz or .zst -> kind of file.
KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".tar": "tar",
    ".tgz": "tar",
}
PACKED = (".gz", ".zst")

UTF8_MARK, UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
#: A line of JSON that is longer (bytes) is none: the file lacks line ends, or is something else.
LONGEST_LINE = 1 << 26

#: Schemes that pyarrow reads; all others go through fsspec.
_ARROW_SCHEMES = ("s3", "gs", "gcs")
_WEB = ("http://", "https://")


class BadFileError(Exception):
    """A file cannot be read to its end. The message is one line."""


@dataclass
class Files:
    """``paths``: the files that patterns name. ``left_out``: what lay in a folder or glob and is
    no caption file.
    """

    paths: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def file_name(path: str) -> str:
    """The last part of a path or a URL; of a web address without its query.

    Example:
        >>> file_name("https://example.org/resolve/main/x.parquet?download=true")
        'x.parquet'
    """
    if path.lower().startswith(_WEB):
        path = re.split(r"[?#]", path, maxsplit=1)[0]
    return path.rsplit("/", 1)[-1]


def _kind(path: str) -> str | None:
    name = file_name(path).lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)


def kind_of(path: str) -> str:
    """The kind of a file by its ending. UserError for an ending that is not known."""
    kind = _kind(path)
    if kind is None:
        listed = ", ".join(KINDS)
        raise UserError(
            f"{path} is of no known kind; the endings are: {listed}, all but .parquet also with "
            ".gz, .zst"
        )
    return kind


def is_remote(path: str) -> bool:
    """Whether the path is a URL such as hf://datasets/org/name/file.parquet or
    s3://bucket/file.parquet.
    """
    return "://" in path


# --- which files
# --------------------------------------------------------------------------------------------------


def expand(patterns: Sequence[str], out: Path | None = None) -> Files:
    """The files that paths, folders and globs name, each once, sorted within its pattern. UserError
    for none.

    Of folders and globs, hidden files (``.x``, ``_x``) and unknown kinds are left out, and so is
    what an audit wrote; ``out`` is the folder of the audit to come. A tar beside a table of the
    same name is refused: downloaders write the captions into both.
    """
    found: dict[str, str] = {}
    files = Files()
    for pattern in patterns:
        named, several = (
            _remote(pattern) if is_remote(pattern) else _local(pattern, out)
        )
        if several:
            files.left_out += [path for path in named if not _is_caption_file(path)]
            named = [path for path in named if _is_caption_file(path)]
        if not named:
            raise UserError(
                f"{shown(pattern)} names no caption file; give files, folders or globs such as "
                "'part-*.parquet'"
            )
        for path in named:
            kind_of(path)
            found.setdefault(path if is_remote(path) else os.path.realpath(path), path)
    files.paths = list(found.values())
    _refuse_pairs(files.paths)
    return files


def _local(pattern: str, out: Path | None) -> tuple[list[str], bool]:
    """The files that a local pattern names, and whether it names several."""
    own = _real(out) if out else None
    if Path(pattern).is_dir():
        if own == _real(Path(pattern)):
            raise UserError(f"--out {out} is the folder that is read; name another")
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
        if _may_be_read(Path(path))
    )
    if own is not None:
        named = [
            path for path in named if not Path(path).absolute().is_relative_to(own)
        ]
    return named, True


def _real(path: Path) -> Path:
    """The path without links; unlike `Path.resolve`, also of one that links back to itself."""
    return Path(os.path.realpath(path))


def shown(path: str) -> str:
    """A path for messages and tables: what is no text in it, as escapes."""
    return path if path.isprintable() else ascii(path)[1:-1]


def _below(folder: Path) -> Iterator[Path]:
    """The files in a folder and below, but for hidden folders. UserError for a folder that can't
    be read.
    """

    def stop(error: OSError) -> None:
        raise UserError(
            f"the folder {error.filename} can't be read ({error.strerror}); leave it out or mend it"
        )

    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        fresh = {}  # a folder that links lead to twice, or back to, is read once
        for name in sorted(folders):
            real = os.path.realpath(Path(place, name))
            if not name.startswith(".") and real not in seen:
                fresh[name] = real
        seen |= set(fresh.values())
        folders[:] = fresh
        yield from (
            path for path in (Path(place, name) for name in names) if _may_be_read(path)
        )


def _may_be_read(path: Path) -> bool:
    """A file, or a link to nothing, which is told when it is read: captions that are missing are
    no novelty.
    """
    return path.is_file() or (path.is_symlink() and not path.is_dir())


def _is_audit(manifest: Path) -> bool:
    try:
        return "plan_hash" in read_json(manifest, "the manifest")
    except UserError:
        return False


def _is_caption_file(path: str) -> bool:
    return _kind(path) is not None and not file_name(path).startswith((".", "_"))


def _refuse_pairs(paths: Sequence[str]) -> None:
    """UserError where a tar has a table of the same name beside it."""
    kinds: dict[str, dict[str, str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        kinds.setdefault(f"{folder}/{name.split('.', 1)[0]}", {})[kind_of(path)] = path
    for found in kinds.values():
        if "tar" in found and len(found) > 1:
            table = next(path for kind, path in found.items() if kind != "tar")
            raise UserError(
                f"{found['tar']} and {table} stand side by side and would count each caption "
                "twice; "
                "name one kind, such as 'FOLDER/*.parquet'"
            )


# --- remote files
# --------------------------------------------------------------------------------------------------


@contextmanager
def remote_is_one_line(path: str) -> Iterator[None]:
    """Turn whatever a remote file system raises into a UserError; there is no list of what they
    may raise.
    """
    try:
        yield
    except (UserError, BadFileError):
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = (
            f"{type(error).__name__}: {lines[0][:200]}"
            if lines and lines[0] != path
            else type(error).__name__
        )
        raise UserError(
            f"{path} cannot be reached ({why}); check the URL, the network and the credentials"
        ) from error


def file_system(url: str) -> tuple[Any, str]:
    """An fsspec file system and the path in it. Amazon's and Google's stores are read by
    pyarrow, which is here.
    """
    scheme, _, rest = url.partition("://")
    if scheme in _ARROW_SCHEMES:
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow import fs

        bucket = rest.split("/", 1)[0]
        return ArrowFSWrapper(fs.FileSystem.from_uri(f"{scheme}://{bucket}")[0]), rest
    import fsspec

    system, path = fsspec.core.url_to_fs(url)
    return system, str(path)


def _remote(pattern: str) -> tuple[list[str], bool]:
    """The files that a URL names, and whether it names several."""
    web = pattern.lower().startswith(_WEB)  # there a question mark begins a query
    if not re.search(r"[*\[]" if web else r"[*?\[]", pattern):
        return [pattern], False
    scheme = pattern.split("://", 1)[0]
    with remote_is_one_line(pattern):
        system, path = file_system(pattern)
        if system.exists(path):  # a file may bear such a name
            return [pattern], False
        return sorted(
            p if is_remote(p) else f"{scheme}://{p}" for p in system.glob(path)
        ), True


def file_facts(path: str) -> dict[str, Any]:
    """``path``, ``size`` in bytes and ``changed``: a time stamp or tag, None where a remote
    system doesn't tell.
    """
    if not is_remote(path):
        stat = Path(path).stat()
        return {"path": path, "size": stat.st_size, "changed": stat.st_mtime_ns}
    with remote_is_one_line(path):
        system, inner = file_system(path)
        info = system.info(inner)
    keys = ("ETag", "etag", "blob_id", "LastModified", "mtime")
    tag = next((str(info[key]) for key in keys if info.get(key)), None)
    return {"path": path, "size": info.get("size"), "changed": tag}


def parquet_source(path: str) -> Any:
    """What polars reads a Parquet file by: its path, or for a web address, whose query it would
    drop, a stream.
    """
    return open_bytes(path) if path.lower().startswith(_WEB) else path


# --- bytes
# --------------------------------------------------------------------------------------------------


def open_bytes(path: str) -> IO[bytes]:
    """A file's bytes, unpacked by its ending."""
    if is_remote(path):
        with remote_is_one_line(path):
            system, inner = file_system(path)
            stream = system.open(inner, "rb")
    else:
        stream = Path(path).open("rb")  # noqa: SIM115 (the caller closes it)
    name = file_name(path).lower()
    if name.endswith((".gz", ".tgz")):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if name.endswith(".zst"):
        import pyarrow as pa

        return cast(
            "IO[bytes]",
            io.BufferedReader(cast(Any, pa.CompressedInputStream(stream, "zstd"))),
        )
    return cast("IO[bytes]", stream)


def check_encoding(start: bytes) -> None:
    """ValueError where the first bytes of a text are UTF-16: by its mark, or by a NUL in every
    other place.
    """
    head = start[:4096]
    places = [place % 2 for place, byte in enumerate(head) if byte == 0]
    every_other = len(places) * 16 > len(head) and len(set(places)) == 1
    if head.startswith(UTF16_MARKS) or every_other:
        raise ValueError("it is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8")


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream without their ends: newline, carriage return or both. ValueError for
    an endless one.
    """
    left, count = b"", 0
    while block := stream.read(1 << 20):
        block = left + block
        whole = len(block) - block.endswith(b"\r")  # a newline may follow
        *lines, left = re.split(rb"\r\n|\n|\r", block[:whole])
        left += block[whole:]
        count += len(lines)
        yield from lines
        if len(left) > LONGEST_LINE:
            raise ValueError(
                f"line {count + 1:,} is over {LONGEST_LINE >> 20} MiB: this is no file of JSON "
                "lines"
            )
    if left:
        yield left.removesuffix(b"\r")
