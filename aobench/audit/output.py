"""An audit's results: matrices, marginals, examples and manifest, in memory and in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from aobench.audit.checkpoints import own_digest, read_part
from aobench.audit.counter import Part, Plan, merge_parts
from aobench.audit.files import shown
from aobench.audit.scan import Outcome, parts_of
from aobench.audit.tally import FILE_SHIFT, Totals
from aobench.audit.vocabulary import Vocabulary
from aobench.errors import UserError
from aobench.files import read_file, read_json, sha256_of, write_in_one_move

MANIFEST = "manifest.json"
#: Parts merged at a time: bounds the memory that many files take.
BATCH = 16


@dataclass(frozen=True)
class Audit:
    """Counts by rule, int64 (attributes, objects); ``distinct`` likewise, with ``exact`` bool where
    it's no estimate.

    ``marginals``: captions that name each attribute and each object, by the forms of ``words``.
    ``folder``: where the examples lie.
    """

    attributes: tuple[str, ...]
    objects: tuple[str, ...]
    counts: dict[str, np.ndarray]
    distinct: dict[str, np.ndarray]
    exact: dict[str, np.ndarray]
    marginals: tuple[np.ndarray, np.ndarray]
    manifest: dict[str, Any]
    folder: Path

    def matrix(self, rule: str | None = None) -> np.ndarray:
        """The counts of a rule, by default the first that was counted. UserError where it
        wasn't.
        """
        rule = rule or next(iter(self.counts))
        if rule not in self.counts:
            raise UserError(
                f"{self.folder} has no counts of rule {rule!r}; it has: {', '.join(self.counts)}"
            )
        return self.counts[rule]

    def novel(
        self, rule: str | None = None, threshold: int = 0
    ) -> list[tuple[str, str]]:
        """The compositions that at most ``threshold`` captions show."""
        pairs = np.argwhere(self.matrix(rule) <= threshold)
        return [(self.attributes[a], self.objects[o]) for a, o in pairs]

    def examples(
        self, rule: str | None = None
    ) -> dict[tuple[str, str], list[tuple[str, int, str]]]:
        """(attribute, object) -> its first different captions, as (file, row from 0, caption)."""
        import pyarrow.parquet as pq

        rule = rule or next(iter(self.counts))
        found: dict[tuple[str, str], list[tuple[str, int, str]]] = {}
        for row in pq.read_table(self.folder / f"examples-{rule}.parquet").to_pylist():
            found.setdefault((row["attribute"], row["object"]), []).append(
                (row["file"], row["row"], row["caption"])
            )
        return found


def merge_files(
    plan: Plan, outcome: Outcome, parts: Path
) -> tuple[Part, dict[int, str]]:
    """All files as one part, its rows as file number * 2^40 + row, and the texts of its examples
    by that key.
    """
    whole: list[tuple[int, Part]] = []
    texts: dict[int, str] = {}
    keys = list(parts_of(outcome))
    bar = tqdm(total=len(keys), desc="merge", unit="file", disable=None, leave=False)
    for start in range(0, len(keys), BATCH):
        for number, key in keys[start : start + BATCH]:
            part = read_part(parts, key)
            bar.update()
            base = number << FILE_SHIFT
            texts.update((base + row, text) for row, text in part.texts.items())
            part.texts = {}
            whole.append((base, part))
        whole = [(0, merge_parts(plan, whole))]
        kept = {
            int(row) for sparse in whole[0][1].rules.values() for row in sparse.rows
        }
        texts = {row: text for row, text in texts.items() if row in kept}
    bar.close()
    return (whole[0][1] if whole else merge_parts(plan, [])), texts


def write_results(
    folder: Path, plan: Plan, outcome: Outcome, parts: Path, manifest: dict[str, Any]
) -> Audit:
    """Merge the parts and write the folder; the manifest comes last, and an earlier audit's files
    go first.

    UserError where no caption with a word was counted: an empty corpus would call every composition
    novel.
    """
    part, texts = merge_files(plan, outcome, parts)
    if not part.totals.words:
        left_out = sum("error" in record for record in outcome.records)
        raise UserError(
            f"no caption was counted: {len(outcome.records):,} files, {left_out:,} of them left "
            "out, hold "
            f"{part.totals.rows:,} captions and no word"
        )
    _remove_earlier(folder)
    counts, distinct, exact = {}, {}, {}
    paths = [record["path"] for record in outcome.records]
    for rule in plan.rules:
        sparse = part.rules[rule]
        n = plan.cells(rule)
        flat, different, sure = (
            np.zeros(n, np.int64),
            np.zeros(n, np.int64),
            np.ones(n, np.bool_),
        )
        flat[sparse.cells] = sparse.counts
        if plan.sketch:
            different[sparse.cells], sure[sparse.cells] = sparse.distinct(plan.sketch)
        cells = plan.cell_table(rule)
        counts[rule], distinct[rule], exact[rule] = (
            flat[cells],
            different[cells],
            sure[cells],
        )
        _write_matrix(
            folder / f"counts-{rule}.parquet",
            plan,
            part.totals,
            counts[rule],
            distinct[rule],
            exact[rule],
        )
        _write_examples(
            folder / f"examples-{rule}.parquet", plan, rule, part, texts, paths
        )
    manifest = {
        **manifest,
        "totals": part.totals.as_dict(),
        "rules": _rule_facts(plan, counts),
    }
    marginals = (part.attribute_counts, part.object_counts)
    _write_marginals(folder / "marginals.parquet", plan.vocabulary, marginals, counts)
    tables = [
        f"{kind}-{rule}.parquet"
        for rule in plan.rules
        for kind in ("counts", "examples")
    ]
    digests = {
        name: sha256_of(folder / name) for name in ("marginals.parquet", *tables)
    }
    manifest["tables"] = dict(sorted(digests.items()))
    manifest["sha256"] = own_digest(manifest)
    # ASCII, since a file's name may hold what is no character.
    write_in_one_move(
        folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode()
    )
    names = plan.vocabulary
    return Audit(
        names.attributes,
        names.objects,
        counts,
        distinct,
        exact,
        marginals,
        manifest,
        folder,
    )


#: What an audit and its command write.
WRITTEN = (
    "manifest.json",
    "counts-*.parquet",
    "examples-*.parquet",
    "marginals.parquet",
    "novel-*.csv",
    "matrix-*.png",
    "nmi.png",
    "disagreements.csv",
)


def _remove_earlier(folder: Path) -> None:
    """Nothing of another audit stays beside this one's results."""
    for pattern in WRITTEN:
        for path in folder.glob(pattern):
            path.unlink()


def _rule_facts(plan: Plan, counts: dict[str, np.ndarray]) -> dict[str, Any]:
    from aobench.audit.rules import VERSIONS

    return {
        rule: {
            "version": VERSIONS[rule],
            "pairs_seen": int((m > 0).sum()),
            "pairs": m.size,
            "sum": int(m.sum()),
        }
        for rule, m in counts.items()
    }


def _pairs(plan: Plan) -> tuple[Any, Any]:
    """Columns attribute and object of the whole matrix, row by row."""
    import pyarrow as pa

    a, o = plan.vocabulary.shape
    names = plan.vocabulary
    rows = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(a, dtype=np.int32), o), list(names.attributes)
    )
    columns = pa.DictionaryArray.from_arrays(
        np.tile(np.arange(o, dtype=np.int32), a), list(names.objects)
    )
    return rows.cast(pa.string()), columns.cast(pa.string())


def _write_matrix(
    path: Path,
    plan: Plan,
    totals: Totals,
    counts: np.ndarray,
    distinct: np.ndarray,
    exact: np.ndarray,
) -> None:
    """The counts; the file's metadata say of how many captions, and whether they are a sample."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    attribute, name = _pairs(plan)
    columns = {
        "attribute": attribute,
        "object": name,
        "count": pa.array(counts.ravel()),
    }
    if plan.sketch:
        columns |= {
            "distinct": pa.array(distinct.ravel()),
            "distinct_is_exact": pa.array(exact.ravel()),
        }
    scanned = {
        "captions": totals.rows,
        "counted": totals.counted,
        "sample": plan.sample,
    }
    table = pa.table(columns).replace_schema_metadata(
        {"imagenet_ao_audit": json.dumps(scanned)}
    )
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def _write_examples(
    path: Path,
    plan: Plan,
    rule: str,
    part: Part,
    texts: dict[int, str],
    paths: Sequence[str],
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sparse = part.rules[rule]
    place = np.full(plan.cells(rule), -1, np.int64)
    place[sparse.cells] = np.arange(len(sparse.cells))
    at = place[plan.cell_table(rule)]
    attributes, objects = np.nonzero(at >= 0)
    seen = at[attributes, objects]
    held = np.diff(sparse.example_starts)[seen]
    repeat = np.repeat(np.arange(len(seen)), held)
    offsets = np.arange(len(repeat)) - np.repeat(np.cumsum(held) - held, held)
    which = (
        sparse.example_starts[:-1][seen][repeat] + offsets
        if len(repeat)
        else np.zeros(0, np.int64)
    )
    keys = sparse.rows
    names = plan.vocabulary
    caption = pa.DictionaryArray.from_arrays(
        which.astype(np.int32), pa.array([texts[int(k)] for k in keys], pa.string())
    )
    rows = keys[which]
    table = pa.table(
        {
            "attribute": pa.array(names.attributes, pa.string()).take(
                pa.array(attributes[repeat])
            ),
            "object": pa.array(names.objects, pa.string()).take(
                pa.array(objects[repeat])
            ),
            "file": pa.array([shown(path) for path in paths], pa.string()).take(
                pa.array(rows >> FILE_SHIFT)
            ),
            "row": pa.array(rows & ((1 << FILE_SHIFT) - 1)),
            # a dictionary is written in an order of its own each time
            "caption": caption.cast(pa.string()),
        }
    )
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def _write_marginals(
    path: Path,
    names: Vocabulary,
    marginals: tuple[np.ndarray, np.ndarray],
    counts: dict[str, np.ndarray],
) -> None:
    """One row a name: captions that name it, and by rule the sum over its compositions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "kind": ["attribute"] * len(names.attributes) + ["object"] * len(names.objects),
        "name": [*names.attributes, *names.objects],
        "captions": np.concatenate(marginals),
    }
    for rule, matrix in counts.items():
        columns[f"sum_{rule}"] = np.concatenate([matrix.sum(1), matrix.sum(0)])
    pq.write_table(pa.table(columns), path, compression="zstd")


def load(folder: str | Path) -> Audit:
    """An audit from its folder. UserError where it is none, or isn't as it was written."""
    import pyarrow as pa

    folder = Path(folder)
    try:
        manifest = read_json(folder / MANIFEST, "the manifest")
    except UserError as error:
        raise UserError(
            f"{folder} holds no audit ({error}); give a folder that imagenet-ao audit wrote"
        ) from error
    _check_manifest(manifest, folder)
    text, whole = pa.string(), pa.int64()
    marginals = _table(
        folder,
        manifest,
        "marginals.parquet",
        {"kind": text, "name": text, "captions": whole},
    )
    kinds, names = marginals["kind"].to_pylist(), marginals["name"].to_pylist()
    split = kinds.count("attribute")
    attributes, objects = tuple(names[:split]), tuple(names[split:])
    if kinds != ["attribute"] * split + ["object"] * len(objects) or len(
        set(objects)
    ) < len(objects):
        raise _not_as_written(folder, "marginals.parquet")
    shape = split, len(objects)
    counts, distinct, exact = {}, {}, {}
    for rule in manifest["rules"]:
        name = f"counts-{rule}.parquet"
        table = _table(
            folder, manifest, name, {"attribute": text, "object": text, "count": whole}
        )
        pairs = [[n for n in attributes for _ in objects], list(objects) * split]
        if [table[c].to_pylist() for c in ("attribute", "object")] != pairs:
            raise _not_as_written(folder, name)
        counts[rule] = table["count"].to_numpy().reshape(shape)
        if (counts[rule] < 0).any():
            raise _not_as_written(folder, name)
        if "distinct" in table.column_names:
            distinct[rule] = table["distinct"].to_numpy().reshape(shape)
            exact[rule] = table["distinct_is_exact"].to_numpy().reshape(shape)
    sums = marginals["captions"].to_numpy()
    return Audit(
        attributes,
        objects,
        counts,
        distinct,
        exact,
        (sums[:split], sums[split:]),
        manifest,
        folder,
    )


def _check_manifest(manifest: dict[str, Any], folder: Path) -> None:
    """UserError where a manifest is another file's or was changed; audits of earlier versions
    have no digest.
    """
    totals, rules, names = (
        manifest.get(key) for key in ("totals", "rules", "vocabulary")
    )
    right = (
        isinstance(totals, dict)
        and type(totals.get("counted")) is int
        and isinstance(names, dict)
        and isinstance(names.get("hash"), str)
        and isinstance(rules, dict)
        and bool(rules)
        and all(
            isinstance(facts, dict) and type(facts.get("version")) is int
            for facts in rules.values()
        )
        and isinstance(manifest.get("tables", {}), dict)
    )
    if not right:
        raise UserError(
            f"{folder / MANIFEST} is no manifest of an audit; give a folder that imagenet-ao audit "
            "wrote"
        )
    if "sha256" in manifest and manifest["sha256"] != own_digest(manifest):
        raise _not_as_written(folder, MANIFEST)


def _not_as_written(folder: Path, name: str) -> UserError:
    return UserError(
        f"{folder / name} is not as the audit wrote it: it was damaged or changed; run the audit "
        "again"
    )


def _table(
    folder: Path, manifest: dict[str, Any], name: str, types: dict[str, Any]
) -> Any:
    """A table of the audit, if it is as it was written and has these columns without nulls."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = read_file(folder / name, "the audit's table", most=1 << 40)
    if "tables" in manifest and manifest["tables"].get(name) != sha256_of(content):
        raise _not_as_written(folder, name)
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise _not_as_written(folder, name) from error
    for column, kind in types.items():
        known = column in table.column_names
        if (
            not known
            or table.schema.field(column).type != kind
            or table[column].null_count
        ):
            raise _not_as_written(folder, name)
    return table
