"""The result of a command as plain values: figures, what marks its input, what was wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Keys that differ from run to run, or only say how it was run.
PASSING = {
    "seconds",
    "date",
    "changed",
    "made_by",
    "stack",
    "versions",
    "captions_per_second",
    "resumed",
    "engine",
    "python",
}
#: Keys and columns whose values identify an input, or follow from those that do.
MARKS = {
    "revision",
    "fingerprint",
    "sha256",
    "hash",
    "text_hash",
    "predictions",
    "processor",
    "plan_hash",
    "size",
    "made_from",
    "files",
    "weights",
    "pictures",
    "set",
    "readme_sha256",
    "path",
    "logit_scale",
    "names",
    "class_map",
    "vocabulary",
    "reference",
}
#: Keys that list what could not be used.
COMPLAINTS = {
    "unreadable",
    "skipped_files",
    "left_out",
    "warnings",
    "recomputed",
    "bad",
}
#: Of a drawing in a page.
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def result_of(folder: Path, patterns: Sequence[str]) -> dict[str, Any]:
    """``figures``, ``marks`` and ``complaints`` of the files that hold the result, by path."""
    result: dict[str, Any] = {"figures": {}, "marks": {}, "complaints": []}
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                _add(result, str(path.relative_to(folder)), path)
            else:
                result["figures"][str(path.relative_to(folder))] = "no file"
    return result


def _add(result: dict[str, Any], name: str, path: Path) -> None:
    if path.suffix == ".json":
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        name = _without_mark(name)
        value = pq.read_table(path, use_threads=False).to_pylist()
    elif path.suffix in (".png", ".sqlite", ".safetensors"):
        value = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        value = RANDOM_ID.sub("", path.read_text())
    result["figures"][name] = _split(value, name, result)


def _without_mark(name: str) -> str:
    """A name of a prepared file without the fingerprint in it."""
    return re.sub(r"-[0-9a-f]{16}-", "-", name)


def _split(value: Any, where: str, result: dict[str, Any]) -> Any:
    """``value`` without what passes; what marks and what complains goes to ``result``."""
    if isinstance(value, list):
        return [
            _split(one, f"{where}/{i}", result) for i, one in enumerate(value)
        ]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if not isinstance(value, dict):
        return value
    rest = {}
    for key, one in value.items():
        if key in PASSING:
            continue
        if key in COMPLAINTS and isinstance(one, list):
            result["complaints"] += [
                json.dumps(item, default=str) for item in one
            ]
        elif key in MARKS or key.startswith("sha256"):
            result["marks"][f"{where}/{key}"] = _split(
                one, f"{where}/{key}", result
            )
        else:
            rest[key] = _split(one, f"{where}/{key}", result)
    return rest
