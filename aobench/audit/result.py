"""An audit's result, in memory and as it is read from the folder that it was written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.checkpoints import own_digest
from aobench.errors import UserError
from aobench.files import parquet_errors, read_file, read_json, sha256_of

MANIFEST = "manifest.json"


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

    def pmi(self, rule: str | None = None) -> np.ndarray:
        """Pointwise mutual information of each pair, in bits: see `pair_information`."""
        counted = self.manifest["totals"]["counted"]
        return pair_information(self.matrix(rule), self.marginals, counted)

    def sketches(self, rule: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of the pairs seen, int64 (n), and their smallest hashes of different captions:
        starts int64 (n + 1) into hashes uint64.
        """
        table = self._seen_table(rule, "sketches").combine_chunks()
        lists = table["hashes"].combine_chunks()
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        hashes = np.asarray(
            lists.flatten().to_numpy(zero_copy_only=False), np.uint64
        )
        return table["pair"].to_numpy(), starts, hashes

    def _seen_table(self, rule: str, kind: str) -> Any:
        name = f"{kind}-{rule}.parquet"
        if name not in self.manifest.get("tables", {}):
            raise UserError(
                f"{self.folder} is an audit of an earlier version, without {name}; run the audit "
                "again"
            )
        return _table(self.folder, self.manifest, name, {})

    def groups(self, rule: str | None = None) -> np.ndarray:
        """The counts by group of captions, int64 (groups, attributes, objects); their sum is
        `matrix`. UserError where the audit is of an earlier version, or their table was changed.
        """
        rule = rule or next(iter(self.counts))
        shape = self.matrix(rule).shape
        table = self._seen_table(rule, "groups")
        pairs = table["pair"].to_numpy()
        every = np.zeros((table.num_columns - 1, shape[0] * shape[1]), np.int64)
        for number, counts in enumerate(table.columns[1:]):
            every[number, pairs] = counts.to_numpy()
        return every.reshape(-1, *shape)

    def novel(
        self, rule: str | None = None, threshold: int = 0
    ) -> list[tuple[str, str]]:
        """The compositions that at most ``threshold`` captions show."""
        pairs = np.argwhere(self.matrix(rule) <= threshold)
        return [(self.attributes[a], self.objects[o]) for a, o in pairs]

    def examples(
        self, rule: str | None = None
    ) -> dict[tuple[str, str], list[tuple[str, int, str]]]:
        """(attribute, object) -> its first different captions, as (file, row from 0, caption; ""
        where the audit was published without).
        UserError where their table isn't as the audit wrote it.
        """
        rule = rule or next(iter(self.counts))
        examples: dict[tuple[str, str], list[tuple[str, int, str]]] = {}
        name = f"examples-{rule}.parquet"
        for row in _table(self.folder, self.manifest, name, {}).to_pylist():
            examples.setdefault((row["attribute"], row["object"]), []).append(
                (row["file"], row["row"], row.get("caption") or "")
            )
        return examples


def pair_information(
    counts: np.ndarray, marginals: tuple[np.ndarray, np.ndarray], captions: int
) -> np.ndarray:
    """Pointwise mutual information of each pair, float (attributes, objects), in bits; NaN where
    no caption shows it.

    log2 of captions that show the pair, times all captions, over those that name the attribute and
    those that name the object (Church and Hanks 1990). Above 0: the pair is shown more often than
    by chance. The marginals are those of the rule ``words``.
    """
    expected = np.outer(marginals[0], marginals[1]).astype(np.float64)
    known = (counts > 0) & (expected > 0)
    result = np.full(counts.shape, np.nan)
    result[known] = np.log2(counts[known] * float(captions) / expected[known])
    return result


def load_audit(folder: str | Path) -> Audit:
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
            folder,
            manifest,
            name,
            {"attribute": text, "object": text, "count": whole},
        )
        pairs = [
            [n for n in attributes for _ in objects],
            list(objects) * split,
        ]
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
    if "tables" in manifest and manifest["tables"].get(name) != sha256_of(
        content
    ):
        raise _not_as_written(folder, name)
    try:
        table = pq.read_table(pa.BufferReader(content))
    except parquet_errors() as error:
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
