"""A step's folder: its manifest says what made it, so that a finished step is not run again and a changed one is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.evaluation.store import write_in_one_move

MANIFEST = "manifest.json"
STEPS = ("compose", "generate", "validate", "distinct", "package")
PACKAGES = ("imagenet-ao", "torch", "transformers", "diffusers", "faiss-cpu", "ImageHash", "pillow", "numpy", "pyarrow")


def folder(out: Path, step: str) -> Path:
    """``out``/1-compose and so on."""
    return out / f"{STEPS.index(step) + 1}-{step}"


def digest(path: Path) -> str:
    """SHA-256 of a file. UserError where it is missing."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run the step that makes it first: imagenet-ao build CONFIG") from error


def versions() -> dict[str, str | None]:
    """Of the packages that a step's result may depend on."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def sweep(out: Path, step: str) -> None:
    """Remove what a killed run was writing when it died."""
    for path in folder(out, step).rglob(".*.part"):
        if path.is_file():
            path.unlink()


def read_manifest(out: Path, step: str) -> dict[str, Any] | None:
    """The manifest of a finished step, or None. UserError where it can't be read."""
    path = folder(out, step) / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete it, and the step runs again") from error


def write_manifest(
    out: Path, step: str, made_from: Mapping[str, Any], files: Sequence[Path], facts: Mapping[str, Any]
) -> None:
    """The last file of a step: what it was made from, the SHA-256 of what it made, and what it found."""
    where = folder(out, step)
    content = {
        "step": step,
        "made_from": dict(made_from),
        "files": {path.relative_to(where).as_posix(): digest(path) for path in files},
        "facts": dict(facts),
        "versions": versions(),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    write_in_one_move(where / MANIFEST, text.encode())


def is_done(out: Path, step: str, made_from: Mapping[str, Any]) -> bool:
    """Whether the step finished with the same options and inputs and its files are as it left them."""
    manifest = read_manifest(out, step)
    if manifest is None or manifest["made_from"] != json.loads(json.dumps(dict(made_from))):
        return False
    where = folder(out, step)
    for name, mark in manifest["files"].items():
        if not (where / name).exists() or digest(where / name) != mark:
            return False
    return True


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: Sequence[tuple[str, str]]) -> Path:
    """Rows as Parquet, whole or not at all; ``schema``: (column, Arrow type by name), in order."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [(name, pa.type_for_alias(kind)) for name, kind in schema]
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(fields))
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_in_one_move(path, stream.getvalue())
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a step's table. UserError where the step hasn't run, or the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise UserError(f"{path} is missing; run the step before it first: imagenet-ao build CONFIG")
    try:
        return pq.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path} is damaged ({str(error).splitlines()[0]}); delete it, and the step runs again"
        ) from error
