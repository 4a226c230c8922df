"""Step 1: which compositions the corpora don't show, balanced; every other one with the reason why it fell."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.files import expand, is_remote
from aobench.audit.names import Vocabulary, read_names
from aobench.audit.results import Audit
from aobench.build.config import Compose, Corpus, located
from aobench.build.steps import digest, folder, write_manifest, write_table
from aobench.errors import UserError

TABLE = "compositions.parquet"


def names_of(given: Any, published: tuple[str, ...], config_path: Path) -> tuple[str, ...]:
    """Names from 'published', a list or a file."""
    if given == "published":
        return published
    if isinstance(given, list):
        for name in given:
            if not isinstance(name, str) or not name.strip():
                raise UserError(f"compose: {name!r} is no name; YAML reads yes, no, on and numbers as such: quote them")
        return tuple(given)
    return read_names(located(config_path, str(given)))


def made_from(options: Compose, seed: int, config_path: Path) -> dict[str, Any]:
    """What decides the step: options, and the contents of what they name (captions by name, size, and both ends)."""
    import dataclasses

    marks: dict[str, Any] = {}
    for corpus in options.corpora:
        if corpus.audit:
            path = located(config_path, corpus.audit) / f"counts-{corpus.rule}.parquet"
            if not path.exists():
                raise UserError(f"corpus {corpus.name!r}: {path} is missing; make it with: imagenet-ao audit ... --out")
            marks[corpus.name] = digest(path)
        else:
            marks[corpus.name] = [_caption_mark(path) for path in expand(_paths(corpus, config_path)).paths]
    for name in (options.attributes, options.objects, options.exclude):
        if isinstance(name, str) and name != "published":
            path = located(config_path, name)
            if not path.exists():
                raise UserError(f"{path} is missing, which the configuration names")
            marks[name] = digest(path)
    return {"options": dataclasses.asdict(options), "seed": seed, "inputs": marks}


def run(options: Compose, seed: int, out: Path, config_path: Path) -> dict[str, Any]:
    """Write compositions.parquet: one row a pair, ``kept`` and ``reason``, and its count in each corpus."""
    import imagenet_ao

    attributes = names_of(options.attributes, imagenet_ao.ATTRIBUTES, config_path)
    objects = names_of(options.objects, tuple(imagenet_ao.OBJECTS), config_path)
    vocabulary = Vocabulary(attributes, objects)
    where = folder(out, "compose")
    reasons = np.full(vocabulary.shape, "", dtype=object)
    counts: dict[str, np.ndarray] = {}
    corpora: dict[str, Any] = {}
    _mark(reasons, _same_words(vocabulary), "untestable: a word of the attribute stands in the object's name")
    for (a, o), why in _listed(options.exclude, vocabulary, config_path).items():
        reasons[a, o] = reasons[a, o] or f"listed: {why}"
    for corpus in options.corpora:
        found = _audit(corpus, vocabulary, where, config_path)
        counts[corpus.name] = matrix = _aligned(found, corpus, vocabulary)
        corpora[corpus.name] = _corpus_facts(found, corpus)
        for a, o in np.argwhere((matrix > corpus.threshold) & (reasons == "")):
            reasons[a, o] = f"seen: more than {corpus.threshold} captions of {corpus.name} by {corpus.rule}"
    scores = _plausible(options, vocabulary, reasons)
    kept = balanced(reasons == "", options.count, options.per_attribute, options.per_object, seed)
    _mark(reasons, ~kept, "balance: its attribute or object has its share, or enough are drawn")
    rows = [
        {"attribute": attributes[a], "object": objects[o], "kept": bool(kept[a, o]), "reason": reasons[a, o],
         **{f"captions_{name}": int(m[a, o]) for name, m in counts.items()}, "plausibility": scores.get((a, o))}
        for a in range(len(attributes)) for o in range(len(objects))
    ]  # fmt: skip
    schema = [("attribute", "string"), ("object", "string"), ("kept", "bool"), ("reason", "string")]
    schema += [(f"captions_{name}", "int64") for name in counts] + [("plausibility", "double")]
    table = write_table(where / TABLE, rows, schema)
    if not kept.any():
        raise UserError(f"no composition is left; {table} says why each of the {reasons.size:,} fell")
    fell: dict[str, int] = {}
    for why in reasons[reasons != ""]:
        fell[str(why)] = fell.get(str(why), 0) + 1
    facts = {"compositions": int(reasons.size), "kept": int(kept.sum()), "fell": fell, "corpora": corpora,
             "per_attribute": _spread(kept.sum(1)), "per_object": _spread(kept.sum(0)),
             "vocabulary": vocabulary.hash}  # fmt: skip
    write_manifest(out, "compose", made_from(options, seed, config_path), [table], facts)
    return facts


def _mark(reasons: np.ndarray, where: np.ndarray, why: str) -> None:
    reasons[where & (reasons == "")] = why


def _spread(counts: np.ndarray) -> dict[str, int]:
    return {"least": int(counts.min()), "most": int(counts.max())}


def _same_words(vocabulary: Vocabulary) -> np.ndarray:
    """Compositions whose object's name holds a word of the attribute: a red red fox can't be asked for."""
    first = [set(name.replace("-", " ").split()) for name in vocabulary.attributes]
    second = [set(name.replace("-", " ").split()) for name in vocabulary.objects]
    return np.array([[bool(a & o) for o in second] for a in first])


def _listed(name: str | None, vocabulary: Vocabulary, config_path: Path) -> dict[tuple[int, int], str]:
    """The explicit exclusions: a CSV with the columns attribute, object, reason; an empty field means every one."""
    if name is None:
        return {}
    path, found = located(config_path, name), {}
    with path.open(encoding="utf-8", newline="") as stream:
        for line, row in enumerate(csv.DictReader(stream), start=2):
            if not {"attribute", "object"} <= row.keys():
                raise UserError(f"{path} needs the columns attribute, object, reason")
            a, o = row["attribute"] or "", row["object"] or ""
            if (a and a not in vocabulary.attributes) or (o and o not in vocabulary.objects) or not (a or o):
                raise UserError(f"{path}, line {line}: {a!r} {o!r} is not in the lists of attributes and objects")
            for i in [vocabulary.attributes.index(a)] if a else range(len(vocabulary.attributes)):
                for j in [vocabulary.objects.index(o)] if o else range(len(vocabulary.objects)):
                    found[i, j] = row.get("reason") or "no reason given"
    return found


def _audit(corpus: Corpus, vocabulary: Vocabulary, where: Path, config_path: Path) -> Audit:
    from aobench.audit.api import audit
    from aobench.audit.results import load

    if corpus.audit:
        return load(located(config_path, corpus.audit))
    return audit(
        _paths(corpus, config_path), where / "audits" / corpus.name, rules=(corpus.rule,), vocabulary=vocabulary
    )


def _paths(corpus: Corpus, config_path: Path) -> list[str]:
    return [p if is_remote(p) else str(located(config_path, p)) for p in corpus.captions]


def _caption_mark(path: str) -> list[Any]:
    """Name, size, and SHA-256 of the first and last MiB: a terabyte need not be read to know that it is the same."""
    if is_remote(path):
        return [path]
    size, end = Path(path).stat().st_size, 1 << 20
    with Path(path).open("rb") as stream:
        head = stream.read(end)
        stream.seek(max(size - end, 0))
        return [Path(path).name, size, hashlib.sha256(head + stream.read(end)).hexdigest()]


def _aligned(found: Audit, corpus: Corpus, vocabulary: Vocabulary) -> np.ndarray:
    """The corpus' matrix in the order of the vocabulary. UserError for a name that the audit didn't look for."""
    places = []
    for what, wanted, has in (
        ("attribute", vocabulary.attributes, found.attributes), ("object", vocabulary.objects, found.objects)
    ):  # fmt: skip
        at = {name: i for i, name in enumerate(has)}
        unknown = [name for name in wanted if name not in at]
        if unknown:
            raise UserError(
                f"the audit of {corpus.name!r} did not look for the {what} {unknown[0]!r} ({len(unknown)} such); "
                "audit again with the same lists: imagenet-ao audit --attributes ... --objects ..."
            )
        places.append([at[name] for name in wanted])
    return found.matrix(corpus.rule)[np.ix_(*places)]


def _corpus_facts(found: Audit, corpus: Corpus) -> dict[str, Any]:
    """Captions scanned, and for a sample the largest share that a composition not seen may still have."""
    from aobench.audit.statistics import upper_bound

    totals = found.manifest["totals"]
    if not totals["counted"]:
        raise UserError(f"the corpus {corpus.name!r} has no captions: for an empty corpus every composition is novel")
    facts = {"captions": totals["rows"], "counted": totals["counted"], "rule": corpus.rule,
             "threshold": corpus.threshold}  # fmt: skip
    if totals["counted"] < totals["rows"]:
        facts["unseen_share_at_most_95"] = upper_bound(0, totals["counted"])
    return facts


def _plausible(options: Compose, vocabulary: Vocabulary, reasons: np.ndarray) -> dict[tuple[int, int], float]:
    """Scores of the compositions still in, and the reason of those below the least."""
    if options.plausibility is None:
        return {}
    from aobench.build.plausibility import mean_log_probability

    pairs = [(int(a), int(o)) for a, o in np.argwhere(reasons == "")]
    texts = [f"a photo of a {vocabulary.attributes[a]} {vocabulary.objects[o]}" for a, o in pairs]
    scores = dict(zip(pairs, mean_log_probability(options.plausibility.model, texts), strict=True))
    for pair, score in scores.items():
        if score < options.plausibility.least:
            reasons[pair] = f"implausible: {options.plausibility.model} scores it below {options.plausibility.least}"
    return scores


def balanced(
    free: np.ndarray, count: int | None, per_attribute: int | None, per_object: int | None, seed: int
) -> np.ndarray:
    """bool (attributes, objects): up to ``count`` of the ``free`` pairs, spread evenly.

    The attribute with the fewest pairs so far takes the free object with the fewest; ties are broken by the seed.
    Then pairs move, within their attribute, from objects with many to objects with few.
    """
    if count is None and per_attribute is None and per_object is None:
        return free.copy()
    rng = np.random.default_rng((seed, 1))
    tie_a, tie_o = rng.permutation(free.shape[0]), rng.permutation(free.shape[1])
    tie = rng.random(free.shape)
    kept = np.zeros(free.shape, bool)
    left = free.copy()
    used_a, used_o = np.zeros(free.shape[0], int), np.zeros(free.shape[1], int)
    wanted = int(free.sum()) if count is None else count
    for _ in range(wanted):
        open_a = left.any(1) if per_attribute is None else left.any(1) & (used_a < per_attribute)
        if not open_a.any():
            break
        rows = np.flatnonzero(open_a)
        a = int(rows[np.lexsort((tie_a[rows], used_a[rows]))[0]])
        columns = np.flatnonzero(left[a])
        o = int(columns[np.lexsort((tie_o[columns], tie[a, columns], used_o[columns]))[0]])
        left[a, o] = False
        kept[a, o] = True
        used_a[a] += 1
        used_o[o] += 1
        if per_object is not None and used_o[o] >= per_object:
            left[:, o] = False
    _level(kept, free)
    return kept


def _level(kept: np.ndarray, free: np.ndarray) -> None:
    """Move pairs, in place, until no move within an attribute makes the objects more even."""
    moved = True
    while moved:
        moved = False
        used = kept.sum(0)
        for many in np.argsort(-used, kind="stable"):
            if used[many] < used.min() + 2:
                break
            could = (kept[:, many, None] & free & ~kept).any(0) & (used < used[many] - 1)
            if could.any():
                few = int(np.where(could, used, used.max() + 1).argmin())
                a = int(np.flatnonzero(kept[:, many] & free[:, few] & ~kept[:, few])[0])
                kept[a, many], kept[a, few] = False, True
                moved = True
                break


def image_seed(seed: int, attribute: str, name: str, index: int) -> int:
    """63 bits from the build's seed, the composition and the image's number: an image can be made again alone."""
    text = f"{seed}\0{attribute}\0{name}\0{index}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
