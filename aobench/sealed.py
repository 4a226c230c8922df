"""Intermediate files that are believed only as they were written: arrays and JSON with a seal.

The seal is a SHA-256 over the file's name in the work (what it is, of which model and images, which
part of it) and over everything in it. Flipped or zeroed bytes, a file cut short, one swapped with
its neighbour or brought from another model's folder: each fails, and what fails is computed again.
A seal guards against accidents, not against someone who means to deceive.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.files import read_file, regular_file, write_in_one_move
from aobench.strict_json import parse_json

if TYPE_CHECKING:
    import numpy as np

SEAL = "seal"

#: What numpy raises where an .npz is damaged.
NPZ_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    AttributeError,
    SyntaxError,  # a header that was altered
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


class DamagedError(Exception):
    """A sealed file is not what was written under this name; the message says in what way."""


def say_again(path: Path, error: DamagedError) -> None:
    """One line on standard error: this file is not believed, and is made again."""
    print(f"Note: {path} {error}: it is computed again", file=sys.stderr)


def seal_of(
    name: str, arrays: Mapping[str, np.ndarray], notes: Any = None
) -> str:
    """SHA-256, hexadecimal, of a name, arrays with their types and shapes, and JSON."""
    import numpy as np

    whole = hashlib.sha256()
    for part in (name, json.dumps(notes, sort_keys=True)):
        whole.update(f"{len(part.encode())}:".encode() + part.encode())
    for key, array in sorted(arrays.items()):
        whole.update(f"{key} {array.dtype.str} {array.shape}:".encode())
        whole.update(
            np.ascontiguousarray(array).view(np.uint8).data
            if array.size
            else b""
        )
    return whole.hexdigest()


def write_sealed_tensors(
    path: Path, name: str, arrays: Mapping[str, np.ndarray], notes: Any = None
) -> None:
    """A safetensors file of ``arrays``, with ``notes`` (any JSON) beside them, in one move."""
    import numpy as np
    from safetensors.numpy import save

    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    # in one entry: safetensors writes several in any order, and equal content has equal bytes
    said = json.dumps(
        {"notes": notes, SEAL: seal_of(name, arrays, notes)}, sort_keys=True
    )
    write_in_one_move(path, save(arrays, metadata={"sealed": said}))


def read_sealed_tensors(
    path: Path, name: str
) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays and notes that `write_sealed_tensors` wrote to ``path`` under ``name``.

    Raises:
        DamagedError: where the file holds anything else.
        UserError: where it is missing or can't be opened.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    regular_file(path)
    try:
        with safe_open(path, framework="numpy") as content:
            said = (content.metadata() or {}).get("sealed", "{}")
            # copied: what is read may lie in memory that can't be written to
            names = list(content.keys())
            arrays = {
                name: np.array(content.get_tensor(name)) for name in names
            }
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedError("is damaged") from error
    try:
        sealed = parse_json(said, str(path))
    except UserError:
        raise DamagedError("is damaged") from None
    notes = sealed.get("notes")
    _check(sealed.get(SEAL), seal_of(name, arrays, notes))
    return arrays, notes


def write_sealed_npz(
    path: Path,
    name: str,
    arrays: Mapping[str, np.ndarray],
    compressed: bool = False,
) -> None:
    """An .npz of ``arrays`` and their seal, in one move."""
    import numpy as np

    content = io.BytesIO()
    sealed: dict[str, Any] = {**arrays, SEAL: np.array(seal_of(name, arrays))}
    (np.savez_compressed if compressed else np.savez)(content, **sealed)
    write_in_one_move(path, content.getvalue())


def read_sealed_npz(path: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays that `write_sealed_npz` wrote to ``path`` under ``name``. Raises as the others."""
    import numpy as np

    content = io.BytesIO(read_file(path, most=1 << 36))
    try:
        stored = np.load(content, allow_pickle=False)
        if isinstance(stored, np.ndarray):  # an .npy file under this name
            raise DamagedError("is damaged")
        with stored:
            arrays = {key: stored[key] for key in stored.files}
    except NPZ_DAMAGED as error:
        raise DamagedError("is damaged") from error
    _check(str(arrays.pop(SEAL, "")), seal_of(name, arrays))
    return arrays


def write_sealed_json(
    path: Path, name: str, content: Mapping[str, Any]
) -> None:
    """The JSON object ``content`` and its seal, in one move."""
    sealed = {**content, SEAL: seal_of(name, {}, content)}
    write_in_one_move(
        path, (json.dumps(sealed, allow_nan=False) + "\n").encode()
    )


def read_sealed_json(path: Path, name: str) -> dict[str, Any]:
    """The object that `write_sealed_json` wrote to ``path`` under ``name``. Raises as the
    others.
    """
    data = read_file(path)
    try:
        content = parse_json(data, str(path))
    except UserError as error:
        raise DamagedError("is damaged") from error
    _check(content.pop(SEAL, None), seal_of(name, {}, content))
    return content


def _check(seal: Any, right: str) -> None:
    if not seal:
        raise DamagedError(
            "has no seal: it is damaged, or of an earlier version"
        )
    if seal != right:
        raise DamagedError(
            "is not what was written here: damaged, or from elsewhere"
        )


#: The file of a step's folder that says what made it, and the key of its digest of the rest.
MANIFEST, REST_DIGEST = "manifest.json", "sha256_of_the_rest"


def json_lines_of(content: Mapping[str, Any]) -> bytes:
    """JSON as people read it, with the keys in order."""
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode()


def manifest_bytes(content: Mapping[str, Any]) -> bytes:
    """A manifest as it is written: JSON with a digest of the rest in it, so that damage shows."""
    plain = json.loads(json.dumps(dict(content)))
    digest = hashlib.sha256(json_lines_of(plain)).hexdigest()
    return json_lines_of({**plain, REST_DIGEST: digest})
