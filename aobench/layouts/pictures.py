"""The bytes of one picture: a file, a member of a zip, or a cell of a Parquet list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

BATCH = 64  # rows of a Parquet list that are held at once


class PictureReader:
    """Reads pictures below one place; forward in a Parquet list, which is quickest in the order of
    its rows."""

    def __init__(self, place: str) -> None:
        """``place``: a folder or a zip."""
        from imagenet_ao import _Reader

        self.place = place
        self.read_file = _Reader(place)
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

        with zipfile.ZipFile(self.place) as archive:
            return io.BytesIO(archive.read(member))


class _Cells:
    """Cells of the column ``image`` of a Parquet file, by row."""

    def __init__(self, source: Any) -> None:
        from pyarrow.parquet import ParquetFile

        self.file = ParquetFile(source)
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
                g for g in range(len(self.starts) - 1) if row < self.starts[g + 1]
            )
            groups = list(range(group, len(self.starts) - 1))
            self.batches = self.file.iter_batches(
                BATCH, row_groups=groups, columns=["image"]
            )
            self.stop = self.starts[group]
            self.held, self.begin = [], self.stop
        while row >= self.stop:
            column = next(self.batches).column(0)
            self.begin, self.stop = self.stop, self.stop + len(column)
            self.held = column
        cell = self.held[row - self.begin].as_py()
        return (cell["bytes"] if isinstance(cell, dict) else cell) or b""
