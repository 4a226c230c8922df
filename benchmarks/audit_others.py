"""The rule ``words`` in pyahocorasick, polars and DuckDB: the same forms, gaps, longer names and
different words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

SOFT = "-_'+\u2010\u2011\u2019\u02bc"


class _Folding(dict):
    """Character -> what `str.translate` puts for it; fills itself."""

    def __missing__(self, code: int) -> str:
        c = chr(code)
        if c.isalnum() or unicodedata.category(c)[0] == "M":
            self[code] = c.lower()[0]
        else:
            self[code] = " " if c.isspace() or c in SOFT else " | "
        return self[code]


def _forms(names: Any) -> list[tuple[str, int, int]]:
    """(form, kind: 0 attribute or 1 object, number)."""
    return [
        (" ".join(sequence), kind, number)
        for kind, every in enumerate(
            (names.attribute_forms, names.object_forms)
        )
        for number, forms in enumerate(every)
        for sequence in forms
    ]


def by_ahocorasick(captions: Sequence[str], names: Any) -> np.ndarray:
    """int64 (attributes, objects), one core. Equal keys share a value: the library would keep
    the last one only.
    """
    import ahocorasick

    meant = _meant(names)
    automaton = ahocorasick.Automaton()
    for key, ids in meant.items():
        automaton.add_word(key, (len(key), any(k for k, _ in ids), ids))
    automaton.make_automaton()
    folding, matrix = _Folding(), np.zeros(names.shape, np.int64)
    for caption in captions:
        text = f" {' '.join(caption.translate(folding).split())} "
        found = [
            (end - length + 2, end, is_object, ids)
            for end, (length, is_object, ids) in automaton.iter(text)
        ]
        _count(found, matrix)
    return matrix


def _meant(names: Any) -> dict[str, list[tuple[int, int]]]:
    """Each form with a space around it -> the names that it stands for."""
    meant: dict[str, list[tuple[int, int]]] = {}
    for form, kind, number in _forms(names):
        meant.setdefault(f" {form} ", []).append((kind, number))
    return meant


def _count(found: list[tuple[int, int, bool, Any]], matrix: np.ndarray) -> None:
    """Count one caption: (first and last place, whether an object's, names) of each occurrence."""
    if len(found) >= 2:
        attributes: dict[int, list[tuple[int, int]]] = {}
        objects: dict[int, list[tuple[int, int]]] = {}
        for start, end, _, ids in found:
            over = [
                o
                for s, e, o, _ in found
                if s <= start and end <= e and e - s > end - start
            ]
            for kind, number in ids:
                if kind == 0 and not any(over):
                    attributes.setdefault(number, []).append((start, end))
                elif kind == 1 and not over:
                    objects.setdefault(number, []).append((start, end))
        for a, a_spans in attributes.items():
            for o, o_spans in objects.items():
                if any(
                    ae < os or oe < as_
                    for as_, ae in a_spans
                    for os, oe in o_spans
                ):
                    matrix[a, o] += 1


def by_polars(captions: Sequence[str], names: Any) -> np.ndarray:
    """int64 (attributes, objects), all threads: `contains_any` leaves captions with both kinds,
    `extract_many` and `find_many` give the occurrences.
    """
    import polars as pl

    meant = _meant(names)
    keys = list(meant)
    kinds = [
        [k for k in keys if any(kind == n for kind, _ in meant[k])]
        for n in (0, 1)
    ]
    text = pl.col("caption").str.to_lowercase()
    for pattern, put in (
        (rf"[\s\-{SOFT[1:]}]+", " "),
        (r"[^\p{L}\p{N}\p{M} ]+", " | "),
        (" +", " "),
    ):
        text = text.str.replace_all(pattern, put)
    rows = (
        pl.DataFrame({"caption": list(captions)})
        .select(
            text=pl.concat_str(
                pl.lit(" "), text.str.strip_chars(" "), pl.lit(" ")
            )
        )
        .filter(
            pl.col("text").str.contains_any(kinds[0]),
            pl.col("text").str.contains_any(kinds[1]),
        )
        .select(
            key=pl.col("text").str.extract_many(keys, overlapping=True),
            at=pl.col("text").str.find_many(keys, overlapping=True),
        )
    )
    matrix = np.zeros(names.shape, np.int64)
    for words, places in zip(
        rows["key"].to_list(), rows["at"].to_list(), strict=True
    ):
        found = [
            (
                at + 1,
                at + len(word.encode()) - 1,
                any(k for k, _ in meant[word]),
                meant[word],
            )
            for word, at in zip(words, places, strict=True)
        ]
        _count(found, matrix)
    return matrix


QUERY = """
WITH cut AS (
    SELECT id, string_split(trim(
        regexp_replace(regexp_replace(regexp_replace(lower(caption), '[\\s\\-_''+\u2010\u2011\u2019\u02bc]+', ' ', 'g'),
        '[^\\p{L}\\p{N}\\p{M} ]+', ' | ', 'g'), ' +', ' ', 'g')), ' ') AS w
    FROM captions
), places AS (
    SELECT id, w, unnest(range(1, len(w) + 1)) AS pos FROM cut
), starts AS (
    SELECT id, w, pos FROM places WHERE w[pos] IN (SELECT first FROM firsts)
), windows AS (
    SELECT id, pos, n, array_to_string(w[pos:pos + n - 1], ' ') AS form
    FROM starts, (SELECT unnest(range(1, $longest + 1)) AS n) WHERE pos + n - 1 <= len(w)
), found AS (
    SELECT id, pos AS s, pos + n - 1 AS e, kind, number FROM windows JOIN forms USING (form)
), live AS (
    SELECT * FROM found f WHERE NOT EXISTS (
        SELECT 1 FROM found g WHERE g.id = f.id AND g.s <= f.s AND f.e <= g.e AND g.e - g.s > f.e - f.s
            AND (f.kind = 1 OR g.kind = 1))
)
SELECT a, o, count(*) FROM (
    SELECT DISTINCT x.id, x.number AS a, y.number AS o FROM live x JOIN live y USING (id)
    WHERE x.kind = 0 AND y.kind = 1 AND (x.e < y.s OR y.e < x.s)
) GROUP BY a, o
"""


def by_duckdb(captions: Sequence[str], names: Any) -> np.ndarray:
    """int64 (attributes, objects), two threads."""
    import duckdb
    import pyarrow as pa

    forms = _forms(names)
    base = duckdb.connect(config={"threads": 2})
    base.register(
        "captions",
        pa.table({"id": range(len(captions)), "caption": list(captions)}),
    )
    columns = zip(*forms, strict=True)
    base.register(
        "forms",
        pa.table(
            dict(
                zip(("form", "kind", "number"), map(list, columns), strict=True)
            )
        ),
    )
    base.register(
        "firsts",
        pa.table({"first": sorted({form.split()[0] for form, _, _ in forms})}),
    )
    longest = max(len(form.split()) for form, _, _ in forms)
    matrix = np.zeros(names.shape, np.int64)
    for a, o, n in base.execute(
        QUERY.replace("$longest", str(longest))
    ).fetchall():
        matrix[a, o] = n
    return matrix
