"""A step's folder: its manifest says what made it, so that a finished step is not run again and
a changed one is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import (
    parquet_errors,
    read_json,
    regular_file,
    remove_scratch_files,
    sha256_of,
    write_in_one_move,
)
from aobench.newset.step import STEPS, Step, StepResult
from aobench.sealed import MANIFEST, REST_DIGEST, json_lines_of, manifest_bytes
from aobench.versions import package_versions

#: Counted up when the meaning of a column or key changes.
FORMAT = 2
#: What a change of a part of ``made_from`` is called.
CHANGED = {
    "compositions": "an earlier compose",
    "images": "an earlier generate",
    "verdicts": "an earlier validate",
    "decisions": "an earlier distinct",
    "reference": "another reference",
    "seed": "another seed",
    "weights": "other weights of a model",
    "pictures": "other pictures",
    "people": "earlier verdicts of people",
}
PACKAGES = (
    "imagenet-ao",
    "torch",
    "transformers",
    "diffusers",
    "faiss-cpu",
    "ImageHash",
    "pillow",
    "numpy",
    "pyarrow",
)


def step_folder(out: Path, step: str) -> Path:
    """``out``/1-compose and so on."""
    return out / f"{list(STEPS).index(step) + 1}-{step}"


def table_digest(path: Path) -> str:
    """SHA-256 of a file. UserError where it is missing, or no regular file that can be read."""
    if not path.exists():
        raise UserError(
            f"{path} is missing; run the step that makes it first: imagenet-ao build CONFIG"
        )
    return sha256_of(path)


def remove_partial_files(out: Path, step: str) -> None:
    """Remove what a killed run was writing when it died."""
    remove_scratch_files(step_folder(out, step), below=True)


def read_manifest(out: Path, step: str) -> dict[str, Any] | None:
    """The manifest of a finished step, or None. UserError where it can't be read."""
    path = step_folder(out, step) / MANIFEST
    if not path.is_symlink() and not path.exists():
        return None
    again = "delete it, and the step runs again (what it made is kept where it is whole)"
    try:
        content = read_json(path, "the manifest")
    except UserError as error:
        raise UserError(f"{error}: it is damaged; {again}") from error
    mark = content.pop(REST_DIGEST, None)
    if mark is None:
        raise UserError(f"{path} was written by an earlier version; {again}")
    if mark != sha256_of(json_lines_of(content)):
        raise UserError(
            f"{path} is damaged: it is not as its step left it; {again}"
        )
    if content.get("format") != FORMAT:
        raise UserError(f"{path} was written by an earlier version; {again}")
    return content


def write_manifest(
    out: Path, step: str, made_from: Mapping[str, Any], result: StepResult
) -> None:
    """The last file of a step: what it was made from, the SHA-256 of what it wrote, and what it
    says of itself.
    """
    where = step_folder(out, step)
    content = {
        "format": FORMAT,
        "step": step,
        "made_from": dict(made_from),
        "files": {
            path.relative_to(where).as_posix(): table_digest(path)
            for path in result.files
        },
        "facts": dict(result.facts),
        "versions": package_versions(PACKAGES),
    }
    write_in_one_move(where / MANIFEST, manifest_bytes(content))


def is_done(out: Path, step: str, made_from: Mapping[str, Any]) -> bool:
    """Whether the step finished with the same options and inputs and its files are as it left
    them.
    """
    manifest = read_manifest(out, step)
    return (
        manifest is not None
        and not changed_parts(manifest["made_from"], made_from)
        and not _altered(out, step, manifest)
    )


def _altered(out: Path, step: str, manifest: Mapping[str, Any]) -> Path | None:
    """A file of the step that is gone or no longer as the step left it."""
    where = step_folder(out, step)
    paths = (
        (where / name, mark) for name, mark in manifest.get("files", {}).items()
    )
    return next(
        (
            path
            for path, mark in paths
            if not path.exists() or table_digest(path) != mark
        ),
        None,
    )


def changed_parts(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What a step was made from that is otherwise now, in words.

    Weights that can't be identified, for instance on a machine that lacks the model, are taken to
    be as they were.
    """
    now = json.loads(json.dumps(dict(now)))
    changes = []
    for key in sorted({*then, *now}):
        before, after = then.get(key), now.get(key)
        if before == after or (
            key == "weights" and _settled(before, after) == before
        ):
            continue
        if (
            key == "options"
            and isinstance(before, dict)
            and isinstance(after, dict)
        ):
            differing = [
                name
                for name in sorted({*before, *after})
                if before.get(name) != after.get(name)
            ]
            changes.append(f"other options ({', '.join(differing)})")
        else:
            changes.append(CHANGED.get(key, f"other inputs ({key})"))
    return changes


def _settled(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        return {
            key: _settled(before.get(key), value)
            for key, value in after.items()
        }
    return before if "unknown" in (before, after) else after


def refuse_stale(out: Path, step: Step) -> None:
    """UserError where an earlier step, which is not to be run now, isn't done as the configuration
    has it, or on other tables than those that are there now.

    What lies elsewhere is compared where it is on this machine.
    """
    name = step.name
    manifest = read_manifest(out, name)
    where, again = (
        step_folder(out, name),
        f"run it again: --steps {name}, or all steps",
    )
    if manifest is None:
        raise UserError(
            f"{where} is not finished; run that step first: imagenet-ao build CONFIG --steps {name}"
        )
    then = manifest["made_from"]
    now = {**step.options(), **step.earlier_tables()}
    try:
        now |= step.outside_inputs()
    except UserError:
        then = {key: then.get(key) for key in now}
    different = changed_parts(then, now)
    if different:
        raise UserError(f"{where} is of {' and '.join(different)}; {again}")
    altered = _altered(out, name, manifest)
    if altered:
        raise UserError(f"{altered} is not as its step left it; {again}")


def write_table(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    schema: Sequence[tuple[str, str]],
) -> Path:
    """Rows as Parquet, whole or not at all; ``schema``: (column, Arrow type by name), in order."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [(name, pa.type_for_alias(kind)) for name, kind in schema]
    table = pa.Table.from_pylist(
        [dict(row) for row in rows], schema=pa.schema(fields)
    )
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_in_one_move(path, stream.getvalue())
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a step's table. UserError where the step hasn't run, or the file is damaged."""
    import pyarrow.parquet as pq

    if not path.exists():
        raise UserError(
            f"{path} is missing; run the step before it first: imagenet-ao build CONFIG"
        )
    try:
        table = pq.read_table(regular_file(path))
        table.validate(
            full=True
        )  # else a damaged text fails later, as a UnicodeDecodeError
        return table.to_pylist()
    except parquet_errors() as error:
        raise UserError(
            f"{path} is damaged ({str(error).splitlines()[0]}); delete it, and the step runs again"
        ) from error
