"""A file's counts on disk, so that a killed scan goes on where it stopped.

Each file has ``<key>.safetensors``, sealed (`aobench.sealed`): counts, hashes, marginals and
examples as arrays, totals and what the manifest says of it as notes. The key stands for the file
(path, size, time of change) and for what is counted (names, forms, rules and their versions), so a
part that no longer fits is not found; nor is one of a remote file whose size and change aren't
told. The seal is over the key and all that the part holds: a part that was damaged, changed or
swapped for another's is counted again.

A thousand parts are read in half a second, so arrays are as they lie on disk, in the narrowest
type that holds them, and the examples' texts stay packed until one is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.counter import CountingPlan, PartialCounts
from aobench.audit.rules import VERSIONS
from aobench.audit.streams import is_remote
from aobench.audit.tally import ScanTotals, SparseCounts
from aobench.errors import UserError
from aobench.files import sha256_of
from aobench.sealed import (
    DamagedError,
    read_sealed_tensors,
    write_sealed_tensors,
)

#: Raised when the files of a part change their meaning.
FORMAT = 7
#: How the examples' texts are packed.
CODEC = "zstd"
#: The arrays of a rule's counts; and those that say where others begin.
FIELDS = tuple(field.name for field in fields(SparseCounts))
STARTS = ("hash_starts", "example_starts")
#: Bytes of the parts that are held between the look for them and the merge.
MOST_HELD = 1 << 27


def plan_hash(
    plan: CountingPlan, column: str | None, layout: str | None
) -> str:
    """16 hex digits of all that decides what is counted, beside the captions."""
    rules = {rule: VERSIONS[rule] for rule in plan.rules}
    content = [
        FORMAT,
        plan.vocabulary.hash,
        rules,
        plan.sketch,
        plan.examples,
        plan.sample,
        column,
        layout,
    ]
    return hashlib.sha256(
        json.dumps(content, sort_keys=True).encode()
    ).hexdigest()[:16]


def part_key(facts: Mapping[str, Any], plan_digest: str) -> str:
    """The stem of a part's files."""
    place = (
        facts["path"]
        if is_remote(facts["path"])
        else str(Path(facts["path"]).absolute())
    )
    content = [place, facts["size"], facts["changed"], plan_digest]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def write_part(
    folder: Path, key: str, part: PartialCounts, record: Mapping[str, Any]
) -> None:
    """Write a part; whoever reads it meanwhile sees all of it or nothing."""
    texts, rules = PackedTexts.of(part.texts), list(part.rules.values())
    marginals = part.attribute_counts, part.object_counts, part.named.ravel()
    arrays = {
        "marginals": np.concatenate(marginals),
        "text_rows": texts.rows,
        "text_sizes": np.diff(texts.starts),
        "texts": np.frombuffer(texts.packed, np.uint8),
    }
    for name in FIELDS:
        values = [getattr(sparse, name) for sparse in rules]
        if name in STARTS:  # how many each cell has, which takes fewer bytes
            values = [np.diff(starts) for starts in values]
        arrays[name] = np.concatenate(values)
    notes = {
        "record": dict(record),
        # in their order, which an object of JSON loses
        "rules": [[rule, len(one.cells)] for rule, one in part.rules.items()],
        "names": [len(marginals[0]), len(marginals[1])],
        "totals": vars(part.totals),
    }
    folder.mkdir(parents=True, exist_ok=True)
    narrow = {name: _narrow(values) for name, values in arrays.items()}
    write_sealed_tensors(_place(folder, key), key, narrow, notes)


def _place(folder: Path, key: str) -> Path:
    return folder / f"{key}.safetensors"


def _narrow(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 in the narrowest type that holds them."""
    most = int(values.max()) if values.size else 0
    return values.astype(np.min_scalar_type(most))


@dataclass(frozen=True)
class PackedTexts(Mapping[int, str]):
    """Texts by row, packed until one is asked for: few examples of a part are kept where others
    come before it.

    ``rows`` int64 (n), sorted; ``starts`` int64 (n + 1) into the UTF-8 bytes of all texts, which
    ``packed`` holds compressed.
    """

    rows: np.ndarray
    starts: np.ndarray
    packed: bytes

    @classmethod
    def of(cls, texts: Mapping[int, str]) -> PackedTexts:
        """Pack texts."""
        import pyarrow as pa

        rows = sorted(texts)
        coded = [texts[row].encode() for row in rows]
        sizes = [0, *map(len, coded)]
        packed = pa.compress(b"".join(coded), CODEC, asbytes=True)
        return cls(np.array(rows, np.int64), np.cumsum(sizes), packed)

    @cached_property
    def _content(self) -> bytes:
        import pyarrow as pa

        size = int(self.starts[-1])
        return bytes(pa.decompress(self.packed, size, CODEC, asbytes=True))

    def __getitem__(self, row: int) -> str:
        place = int(np.searchsorted(self.rows, row))
        if place == len(self.rows) or self.rows[place] != row:
            raise KeyError(row)
        begin, stop = self.starts[place : place + 2]
        return self._content[begin:stop].decode()

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows.tolist())

    def __len__(self) -> int:
        return len(self.rows)


def own_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object without its entry ``sha256``, which is where the digest goes."""
    plain = {name: value for name, value in content.items() if name != "sha256"}
    return sha256_of(json.dumps(plain, sort_keys=True).encode())


class DamagedPartError(UserError):
    """A part that isn't as it was written."""


def _content(
    folder: Path, key: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A part's arrays and notes. DamagedPartError where they aren't as they were written."""
    place = _place(folder, key)
    try:
        return read_sealed_tensors(place, key)
    except DamagedError as error:
        raise DamagedPartError(f"{place.name} {error}") from error
    except UserError as error:
        raise DamagedPartError(str(error)) from error


class HeldParts:
    """Parts that were read to find out that they are there, at most `MOST_HELD` bytes of them, so
    that the merge needn't read and check them again.
    """

    def __init__(self) -> None:
        self._parts: dict[
            str, tuple[dict[str, np.ndarray], dict[str, Any]]
        ] = {}
        self._bytes = 0

    def read_record(self, folder: Path, key: str) -> dict[str, Any] | None:
        """What the manifest says of a part's file; None where there is no such part.
        DamagedPartError for a damaged one.
        """
        if not os.path.lexists(_place(folder, key)):
            return None
        arrays, notes = _content(folder, key)
        size = sum(values.nbytes for values in arrays.values())
        if self._bytes + size <= MOST_HELD:
            self._parts[key] = arrays, notes
            self._bytes += size
        return dict(notes["record"])

    def known_record(
        self, folder: Path, key: str, facts: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The record of a part that may be used again: not where nothing tells whether its file
        was changed.

        Where the part is damaged, ``facts`` say so, since its file is then counted again.
        """
        if (
            facts.get("error")
            or facts["size"] is None
            or facts["changed"] is None
        ):
            return None
        try:
            return self.read_record(folder, key)
        except DamagedPartError as error:
            facts["damaged_part"] = str(error)
            return None

    def take_part(self, folder: Path, key: str) -> PartialCounts:
        """A part that `write_part` wrote; it's held no longer. UserError where it is damaged."""
        if key in self._parts:
            return _unpacked(*self._parts.pop(key))
        try:
            return _unpacked(*_content(folder, key))
        except DamagedPartError as error:
            raise UserError(
                f"{folder / key} was damaged meanwhile ({error}); run it again: its file is read "
                "again"
            ) from error


def _unpacked(
    arrays: dict[str, np.ndarray], notes: dict[str, Any]
) -> PartialCounts:
    """A part of what lies on disk."""
    cell, hashed, example, rules = 0, 0, 0, {}
    for rule, n in notes["rules"]:
        held = slice(cell, cell + n)
        hash_starts = _starts(arrays["hash_starts"][held])
        example_starts = _starts(arrays["example_starts"][held])
        of_hashes = slice(hashed, hashed + int(hash_starts[-1]))
        of_examples = slice(example, example + int(example_starts[-1]))
        rules[rule] = SparseCounts(
            arrays["cells"][held].astype(np.int64),
            arrays["counts"][held].astype(np.int64),
            hash_starts,
            arrays["hashes"][of_hashes].astype(np.uint64),
            example_starts,
            arrays["rows"][of_examples].astype(np.int64),
            arrays["row_hashes"][of_examples].astype(np.uint64),
            arrays["groups"][held].astype(np.int64),
        )
        cell, hashed, example = held.stop, of_hashes.stop, of_examples.stop
    attributes, objects = notes["names"]
    marginals = arrays["marginals"].astype(np.int64)
    totals = ScanTotals(**notes["totals"])
    rows = arrays["text_rows"].astype(np.int64)
    packed = arrays["texts"].tobytes()
    return PartialCounts(
        rules,
        marginals[:attributes],
        marginals[attributes : attributes + objects],
        marginals[attributes + objects :].reshape(2, -1),
        totals,
        PackedTexts(rows, _starts(arrays["text_sizes"]), packed),
    )


def _starts(sizes: np.ndarray) -> np.ndarray:
    """Where each of so many values begins, and the end, int64 (n + 1)."""
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return starts
