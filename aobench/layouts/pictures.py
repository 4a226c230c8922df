"""The bytes of one picture: a file, a member of a zip or a tar, or a cell of a Parquet list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aobench.layouts.archives import tar_members
from aobench.layouts.lists import picture_cells
from aobench.layouts.tree import TAR_ENDING

BATCH = 64  # rows of a Parquet list that are held at once


class PictureReader:
    """Reads pictures below one place; forward in a Parquet list, which is quickest in the order of
    its rows."""

    def __init__(self, place: str) -> None:
        """``place``: a folder, a zip or a tar."""
        from imagenet_ao import _Reader

        self.place = place
        tar = place.lower().endswith(TAR_ENDING) and not Path(place).is_dir()
        self.read_file: Callable[[str], tuple[bytes, str | None]]
        self.read_file = _TarReader(place) if tar else _Reader(place)
        self.cells: dict[str, _Cells] = {}

    def __call__(self, member: str, row: int = -1) -> tuple[bytes, str | None]:
        """The bytes, and what is wrong with them (None where nothing is)."""
        from imagenet_ao import MAX_BYTES, image_fault

        if row < 0:
            return self.read_file(member)
        if member not in self.cells:
            self.cells[member] = _Cells(self._source(member))
        data = self.cells[member].bytes_of(row)
        if len(data) > MAX_BYTES:
            return b"", f"{len(data)} bytes, more than {MAX_BYTES}"
        return data, image_fault(data)

    def _source(self, member: str) -> Any:
        if Path(self.place).is_dir():
            return f"{self.place}/{member}"
        import io
        import zipfile

        if isinstance(self.read_file, _TarReader):
            return io.BytesIO(self.read_file.bytes_of(member))
        with zipfile.ZipFile(self.place) as archive:
            return io.BytesIO(archive.read(member))


class _TarReader:
    """Reads members of an uncompressed tar where they lie."""

    def __init__(self, place: str) -> None:
        self.members = tar_members(place)
        self.stream = Path(place).open("rb")  # noqa: SIM115 (closed with the reader)

    def __del__(self) -> None:
        self.stream.close()

    def __call__(self, member: str) -> tuple[bytes, str | None]:
        """The bytes, and what is wrong with them (None where nothing is)."""
        from imagenet_ao import MAX_BYTES, image_fault

        if self.members[member].size > MAX_BYTES:
            return (
                b"",
                f"{self.members[member].size} bytes, more than {MAX_BYTES}",
            )
        data = self.bytes_of(member)
        return data, image_fault(data)

    def bytes_of(self, member: str) -> bytes:
        """The bytes of a member."""
        self.stream.seek(self.members[member].offset_data)
        return self.stream.read(self.members[member].size)


class _Cells:
    """Cells of the column of pictures of a Parquet file, by row."""

    def __init__(self, source: Any) -> None:
        from pyarrow.parquet import ParquetFile

        self.file = ParquetFile(source)
        self.column = picture_cells(self.file.schema_arrow)
        self.starts = [0]
        for group in range(self.file.num_row_groups):
            self.starts.append(
                self.starts[-1] + self.file.metadata.row_group(group).num_rows
            )
        self.batches: Iterator[Any] = iter(())
        self.held: list[Any] = []
        self.begin = self.stop = -1

    def bytes_of(self, row: int) -> bytes:
        if row < self.begin or self.begin < 0:
            group = next(
                g
                for g in range(len(self.starts) - 1)
                if row < self.starts[g + 1]
            )
            groups = list(range(group, len(self.starts) - 1))
            self.batches = self.file.iter_batches(
                BATCH, row_groups=groups, columns=[self.column]
            )
            self.stop = self.starts[group]
            self.held, self.begin = [], self.stop
        while row >= self.stop:
            column = next(self.batches).column(0)
            self.begin, self.stop = self.stop, self.stop + len(column)
            self.held = column
        cell = self.held[row - self.begin].as_py()
        return (cell["bytes"] if isinstance(cell, dict) else cell) or b""
