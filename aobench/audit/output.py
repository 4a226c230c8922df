"""An audit's folder is written: matrices, marginals, examples, and last the manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from aobench.audit.checkpoints import own_digest
from aobench.audit.counter import CountingPlan, PartialCounts, PartMerger
from aobench.audit.result import MANIFEST, Audit, pair_information
from aobench.audit.scan import ScanOutcome, parts_of
from aobench.audit.streams import printable_path
from aobench.audit.tally import FILE_SHIFT, ScanTotals, SparseCounts
from aobench.audit.vocabulary import Vocabulary
from aobench.errors import UserError
from aobench.files import sha256_of, write_in_one_move

#: Parts read ahead, and by how many threads: bounds the memory that many files take.
BATCH, READERS = 16, 4
#: Texts of examples held while parts are merged, before those that fell out are dropped.
MOST_TEXTS = 100_000


def merge_files(
    plan: CountingPlan, outcome: ScanOutcome, parts: Path
) -> tuple[PartialCounts, dict[int, str]]:
    """All files as one part, its rows as file number * 2^40 + row, and the texts of its examples
    by that key.
    """
    merger, texts = PartMerger(plan), dict[int, str]()
    keys = list(parts_of(outcome))
    most = MOST_TEXTS
    bar = tqdm(
        total=len(keys), desc="merge", unit="file", disable=None, leave=False
    )
    with bar, ThreadPoolExecutor(READERS) as threads:
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            read = threads.map(
                lambda one: outcome.held.take_part(parts, one[1]), batch
            )
            for (number, _), part in zip(batch, read, strict=True):
                base = number << FILE_SHIFT
                examples = merger.add(base, part)
                texts.update({base + row: part.texts[row] for row in examples})
                bar.update()
            if len(texts) > most:
                texts = _kept_texts(texts, merger)
                most = max(MOST_TEXTS, 2 * len(texts))
    return merger.whole(), _kept_texts(texts, merger)


def _kept_texts(texts: dict[int, str], merger: PartMerger) -> dict[int, str]:
    """Of the texts those of examples that are kept."""
    return {row: texts[row] for row in merger.example_rows() if row in texts}


def write_results(
    folder: Path,
    plan: CountingPlan,
    outcome: ScanOutcome,
    parts: Path,
    manifest: dict[str, Any],
) -> Audit:
    """Merge the parts and write the folder, as `write_counts` does.

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
    return write_counts(folder, plan, part, texts, outcome.records, manifest)


def write_counts(
    folder: Path,
    plan: CountingPlan,
    part: PartialCounts,
    texts: dict[int, str],
    records: Sequence[dict[str, Any]],
    manifest: dict[str, Any],
) -> Audit:
    """Write an audit's folder; the manifest comes last, and an earlier audit's files go first.

    Args:
        folder: what is written.
        plan: names, rules, and what is kept of each composition.
        part: the counts; their rows are file number * 2^40 + row.
        texts: the examples' captions by row; examples without one are told by file and row alone.
        records: what the manifest says of each file.
        manifest: what else it says.
    """
    _remove_earlier(folder)
    counts, distinct, exact = {}, {}, {}
    marginals = (part.attribute_counts, part.object_counts)
    paths = [record["path"] for record in records]
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
            different[sparse.cells], sure[sparse.cells] = sparse.distinct(
                plan.sketch
            )
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
            pair_information(counts[rule], marginals, part.totals.counted),
        )
        _write_sparse(folder, rule, cells, sparse)
        _write_examples(
            folder / f"examples-{rule}.parquet", plan, rule, part, texts, paths
        )
    manifest = {
        **manifest,
        "totals": part.totals.as_dict(),
        "named": _named(part),
        "rules": _rule_facts(plan, counts),
    }
    _write_marginals(
        folder / "marginals.parquet", plan.vocabulary, marginals, counts
    )
    tables = [
        f"{kind}-{rule}.parquet"
        for rule in plan.rules
        for kind in ("counts", "examples", "groups", "sketches")
    ]
    digests = {
        name: sha256_of(folder / name)
        for name in ("marginals.parquet", *tables)
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
    "groups-*.parquet",
    "sketches-*.parquet",
    "shown-*.parquet",
    "marginals.parquet",
    "novel-*.csv",
    "matrix-*.png",
    "nmi.png",
    "disagreements.csv",
)


def _remove_earlier(folder: Path) -> None:
    """Nothing of another audit stays beside this one's results; a link goes, what it leads to
    stays. UserError for a folder in a file's place, before anything is removed.
    """
    earlier = [
        path
        for path in folder.iterdir()
        if any(fnmatch(path.name, pattern) for pattern in WRITTEN)
    ]
    for path in earlier:
        if path.is_dir() and not path.is_symlink():
            raise UserError(
                f"{path} is a folder where the audit's file belongs; move it away, or name "
                "another --out"
            )
    for path in earlier:
        path.unlink()


def _rule_facts(
    plan: CountingPlan, counts: dict[str, np.ndarray]
) -> dict[str, Any]:
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


def _pairs(plan: CountingPlan) -> tuple[Any, Any]:
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
    plan: CountingPlan,
    totals: ScanTotals,
    counts: np.ndarray,
    distinct: np.ndarray,
    exact: np.ndarray,
    information: np.ndarray,
) -> None:
    """The counts, and each pair's PMI in bits (null where it was never seen); the file's metadata
    say of how many captions, and whether they are a sample.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    attribute, name = _pairs(plan)
    columns = {
        "attribute": attribute,
        "object": name,
        "count": pa.array(counts.ravel()),
        "pmi": pa.array(
            information.ravel(), mask=np.isnan(information.ravel())
        ),
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


def _named(part: PartialCounts) -> dict[str, list[int]]:
    """How many captions name 0, 1, 2, ... attributes, and objects; the last: so many and more."""
    counts = part.named.copy()
    counts[:, 0] = part.totals.counted - counts[:, 1:].sum(1)
    return {"attributes": counts[0].tolist(), "objects": counts[1].tolist()}


def _write_sparse(
    folder: Path, rule: str, cells: np.ndarray, sparse: SparseCounts
) -> None:
    """Two tables with a row for each composition that was seen, by its place in the matrix: its
    counts by group of captions, and the smallest hashes of its different captions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = np.full(int(cells.max()) + 1, -1, np.int64)
    place[sparse.cells] = np.arange(len(sparse.cells))
    at = place[cells.ravel()]
    pairs = np.flatnonzero(at >= 0)
    counts = sparse.groups[at[pairs]]
    columns = {f"group_{k}": counts[:, k] for k in range(counts.shape[1])}
    groups = pa.table({"pair": pairs, **columns})
    pq.write_table(
        groups, folder / f"groups-{rule}.parquet", compression="zstd"
    )
    hashes = pa.LargeListArray.from_arrays(
        pa.array(sparse.hash_starts), pa.array(sparse.hashes)
    ).take(pa.array(at[pairs]))
    sketches = pa.table({"pair": pairs, "hashes": hashes})
    pq.write_table(
        sketches, folder / f"sketches-{rule}.parquet", compression="zstd"
    )


def _write_examples(
    path: Path,
    plan: CountingPlan,
    rule: str,
    part: PartialCounts,
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
        which.astype(np.int32),
        pa.array([texts.get(int(k)) for k in keys], pa.string()),
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
            "file": pa.array(
                [printable_path(path) for path in paths], pa.string()
            ).take(pa.array(rows >> FILE_SHIFT)),
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
        "kind": ["attribute"] * len(names.attributes)
        + ["object"] * len(names.objects),
        "name": [*names.attributes, *names.objects],
        "captions": np.concatenate(marginals),
    }
    for rule, matrix in counts.items():
        columns[f"sum_{rule}"] = np.concatenate([matrix.sum(1), matrix.sum(0)])
    pq.write_table(pa.table(columns), path, compression="zstd")
