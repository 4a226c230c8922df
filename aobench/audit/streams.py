"""The bytes of caption files, on this machine or by URL, unpacked by their ending."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from aobench.errors import UserError

PACKED = (".gz", ".zst")

UTF8_MARK, UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
#: A line of JSON that is longer (bytes) is none: the file lacks line ends, or is something else.
LONGEST_LINE = 1 << 26

#: Schemes that pyarrow reads; all others go through fsspec.
_ARROW_SCHEMES = ("s3", "gs", "gcs")


class BadFileError(Exception):
    """A file cannot be read to its end. The message is one line."""


def file_name(path: str) -> str:
    """The last part of a path or a URL; of a web address without its query.

    Example:
        >>> file_name("https://example.org/resolve/main/x.parquet?download=true")
        'x.parquet'
    """
    if is_web(path):
        path = re.split(r"[?#]", path, maxsplit=1)[0]
    return path.rsplit("/", 1)[-1]


def is_web(path: str) -> bool:
    """Whether the path is a web address; in those a question mark begins a query."""
    return path.lower().startswith(("http://", "https://"))


def is_remote(path: str) -> bool:
    """Whether the path is a URL such as hf://datasets/org/name/file.parquet or
    s3://bucket/file.parquet.
    """
    return "://" in path


def printable_path(path: str) -> str:
    """A path for messages and tables: what is no text in it, as escapes."""
    return path if path.isprintable() else ascii(path)[1:-1]


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
        lines = [
            line.strip() for line in str(error).splitlines() if line.strip()
        ]
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
        return ArrowFSWrapper(
            fs.FileSystem.from_uri(f"{scheme}://{bucket}")[0]
        ), rest
    import fsspec

    system, path = fsspec.core.url_to_fs(url)
    return system, str(path)


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


class _Unzipped(gzip.GzipFile):
    """A gzip file that closes what it reads from, too."""

    def close(self) -> None:
        """Close both."""
        under: Any = self.fileobj
        super().close()
        if under is not None:
            under.close()


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
        return cast("IO[bytes]", _Unzipped(fileobj=stream))
    if name.endswith(".zst"):
        import pyarrow as pa

        return cast(
            "IO[bytes]",
            io.BufferedReader(
                cast(Any, pa.CompressedInputStream(stream, "zstd"))
            ),
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
        raise ValueError(
            "it is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8"
        )


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
