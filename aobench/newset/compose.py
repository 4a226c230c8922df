"""Step 1: which compositions the corpora don't show, balanced; every other one with the reason
why it fell.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.files import find_caption_files
from aobench.audit.result import Audit
from aobench.audit.streams import is_remote
from aobench.audit.vocabulary import Vocabulary, read_names
from aobench.audit.vocabulary import make_vocabulary as vocabulary_of
from aobench.errors import UserError
from aobench.files import read_json, write_in_one_move
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.balance import balanced
from aobench.newset.config import Compose, Corpus, located
from aobench.newset.exclusions import (
    SAME_WORD,
    SHADOWED,
    label,
    listed,
    longer,
    refuse_unfit,
    same_words,
    shadowed,
)
from aobench.newset.manifests import digest, folder, write_manifest, write_table

__all__ = ["TABLE", "balanced", "image_seed", "label", "made_from", "run"]

TABLE = "compositions.parquet"
#: Digests of caption files by size and time of change, so that they are read once; beside the
#: audits of them.
DIGESTS = "audits/.captions.json"


def names_of(
    given: Any, published: tuple[str, ...], config_path: Path
) -> tuple[str, ...]:
    """Names from 'published', a list or a file."""
    if given == "published":
        return published
    if isinstance(given, list):
        for name in given:
            if not isinstance(name, str) or not name.strip():
                raise UserError(
                    f"compose: {name!r} is no name; YAML reads yes, no, on and numbers as such: "
                    "quote them"
                )
        return tuple(name.strip() for name in given)
    return read_names(located(config_path, str(given)))


def made_from(
    options: Compose, seed: int, out: Path, config_path: Path
) -> dict[str, Any]:
    """What decides the step: options, the contents of what they name, and the weights of the
    language model.
    """
    marks: dict[str, Any] = {}
    captions = {
        corpus.name: find_caption_files(_paths(corpus, config_path)).paths
        for corpus in options.corpora
        if not corpus.audit
    }
    digests = _digests(
        [path for paths in captions.values() for path in paths],
        folder(out, "compose") / DIGESTS,
    )
    for corpus in options.corpora:
        if corpus.audit:
            path = located(config_path, corpus.audit) / f"counts-{corpus.rule}.parquet"
            if not path.exists():
                raise UserError(
                    f"corpus {corpus.name!r}: {path} is missing; make it with: imagenet-ao audit "
                    "... --out"
                )
            marks[corpus.name] = digest(path)
        else:
            marks[corpus.name] = [
                [path.rsplit("/", 1)[-1], digests[path]]
                for path in captions[corpus.name]
            ]
    for name in (options.attributes, options.objects, options.exclude):
        if isinstance(name, str) and name != "published":
            path = located(config_path, name)
            if not path.is_file():
                raise UserError(
                    f"{path} is missing or no file, which the configuration names"
                )
            marks[name] = digest(path)
    found = {"options": dataclasses.asdict(options), "seed": seed, "inputs": marks}
    if options.plausibility:
        found["weights"] = weights_mark(
            placed_model(config_path, options.plausibility.model)
        )
    return found


def _digests(paths: list[str], kept_at: Path) -> dict[str, str]:
    """SHA-256 of caption files, "" for those elsewhere; a file whose size and time are as they were
    isn't read again.

    The digest is of the whole content, so that a change anywhere in a file is seen and a copy is
    the same; an audit reads all of it too. Size and time stay out of the manifest, which is to be
    the same for the same captions.
    """
    try:
        read = read_json(kept_at) if kept_at.exists() else {}
    except UserError:  # damaged: the captions are read again
        read = {}
    known = {
        state: mark
        for state, mark in read.items()
        if isinstance(mark, str) and len(mark) == 64
    }
    now, found = {}, {}
    for path in paths:
        if is_remote(path):
            found[path] = ""
            continue
        stat = Path(
            path
        ).stat()  # a file that moved along with its folder has all of these still
        state = f"{Path(path).name} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}"
        now[state] = found[path] = known.get(state) or digest(Path(path))
    if now != known:
        kept_at.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(kept_at, json.dumps(now).encode())
    return found


def run(
    options: Compose, seed: int, out: Path, config_path: Path, made: Mapping[str, Any]
) -> dict[str, Any]:
    """Write compositions.parquet: one row a pair, ``kept`` and ``reason``, and its count in each
    corpus.

    ``made``: what `made_from` gave before the work.
    """
    import imagenet_ao

    attributes = names_of(options.attributes, imagenet_ao.ATTRIBUTES, config_path)
    objects = names_of(options.objects, tuple(imagenet_ao.OBJECTS), config_path)
    vocabulary = Vocabulary(attributes, objects)
    refuse_unfit(vocabulary)
    where = folder(out, "compose")
    reasons = np.full(vocabulary.shape, "", dtype=object)
    _mark(reasons, same_words(vocabulary), SAME_WORD)
    if options.exclude is not None:
        for (a, o), why in listed(
            located(config_path, options.exclude), vocabulary
        ).items():
            reasons[a, o] = reasons[a, o] or f"listed: {why}"
    counts, corpora = _seen(options, vocabulary, reasons, where, config_path)
    scores = _plausible(options, vocabulary, reasons, config_path)
    kept = balanced(
        reasons == "", options.count, options.per_attribute, options.per_object, seed
    )
    _mark(
        reasons,
        ~kept,
        "balance: its attribute or object has its share, or enough are drawn",
    )
    rows = [
        {
            "attribute": attributes[a],
            "object": objects[o],
            "kept": bool(kept[a, o]),
            "reason": reasons[a, o],
            **{f"captions_{name}": int(m[a, o]) for name, m in counts.items()},
            "plausibility": scores.get((a, o)),
        }
        for a in range(len(attributes))
        for o in range(len(objects))
    ]
    schema = [
        ("attribute", "string"),
        ("object", "string"),
        ("kept", "bool"),
        ("reason", "string"),
    ]
    schema += [(f"captions_{name}", "int64") for name in counts] + [
        ("plausibility", "double")
    ]
    table = write_table(where / TABLE, rows, schema)
    if not kept.any():
        raise UserError(
            f"no composition is left; {table} says why each of the {reasons.size:,} fell"
        )
    facts = {
        "compositions": int(reasons.size),
        "kept": int(kept.sum()),
        "asked": options.count,
        "fell": dict(Counter(str(why) for why in reasons[reasons != ""])),
        "corpora": corpora,
        "per_attribute": _spread(kept.sum(1)),
        "per_object": _spread(kept.sum(0)),
        "vocabulary": vocabulary.hash,
    }
    write_manifest(out, "compose", made, [table], facts)
    return facts


def _seen(
    options: Compose,
    vocabulary: Vocabulary,
    reasons: np.ndarray,
    where: Path,
    config_path: Path,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Each corpus' counts and facts; the reasons of what its captions show, or can't be counted
    in.
    """
    counts, corpora, searched = {}, {}, [vocabulary]
    for corpus in options.corpora:
        found = _audit(corpus, vocabulary, where, config_path)
        synonyms = bool(found.manifest.get("vocabulary", {}).get("synonyms"))
        searched.append(vocabulary_of(found.attributes, found.objects, synonyms))
        counts[corpus.name] = matrix = _aligned(found, corpus, vocabulary, searched[-1])
        corpora[corpus.name] = _corpus_facts(found, corpus)
        why = f"seen: more than {corpus.threshold} captions of {corpus.name} by {corpus.rule}"
        _mark(reasons, matrix > corpus.threshold, why)
    _mark(reasons, shadowed(vocabulary, searched), SHADOWED)
    return counts, corpora


def _mark(reasons: np.ndarray, where: np.ndarray, why: str) -> None:
    reasons[where & (reasons == "")] = why


def _spread(counts: np.ndarray) -> dict[str, int]:
    return {"least": int(counts.min()), "most": int(counts.max())}


def _audit(
    corpus: Corpus, vocabulary: Vocabulary, where: Path, config_path: Path
) -> Audit:
    from aobench.audit.api import audit
    from aobench.audit.result import load_audit

    if corpus.audit:
        return load_audit(located(config_path, corpus.audit))
    paths, place = _paths(corpus, config_path), where / "audits" / corpus.name
    try:
        return audit(paths, place, rules=(corpus.rule,), vocabulary=vocabulary)
    except UserError as error:
        raise UserError(f"the corpus {corpus.name!r}: {error}") from error


def _paths(corpus: Corpus, config_path: Path) -> list[str]:
    return [
        p if is_remote(p) else str(located(config_path, p)) for p in corpus.captions
    ]


def _aligned(
    found: Audit, corpus: Corpus, vocabulary: Vocabulary, looked_for: Vocabulary
) -> np.ndarray:
    """The corpus' matrix in the order of the vocabulary. UserError for a name that the audit didn't
    look for.

    Where an audit of more names looked for a longer name as well (sports car beside car), the
    longer name's captions are added: an audit of the vocabulary alone would have given them to the
    shorter one.
    """
    places = []
    for what, wanted, forms, has, theirs in (
        (
            "attribute",
            vocabulary.attributes,
            vocabulary.attribute_forms,
            found.attributes,
            looked_for.attribute_forms,
        ),
        (
            "object",
            vocabulary.objects,
            vocabulary.object_forms,
            found.objects,
            looked_for.object_forms,
        ),
    ):
        at = {name: i for i, name in enumerate(has)}
        unknown = [name for name in wanted if name not in at]
        if unknown:
            raise UserError(
                f"the audit of {corpus.name!r} did not look for the {what} {unknown[0]!r} "
                f"({len(unknown)} such); "
                "audit again with the same lists: imagenet-ao audit --attributes ... --objects ..."
            )
        more = longer(wanted, forms, has, theirs)
        places.append(
            [[at[name], *others] for name, others in zip(wanted, more, strict=True)]
        )
    by_attribute = np.stack(
        [found.matrix(corpus.rule)[rows].sum(0) for rows in places[0]]
    )
    return np.stack([by_attribute[:, columns].sum(1) for columns in places[1]], axis=1)


def _corpus_facts(found: Audit, corpus: Corpus) -> dict[str, Any]:
    """Captions scanned, and for a sample the largest share that a composition not seen may still
    have.
    """
    from aobench.audit.statistics import upper_bound

    totals = found.manifest["totals"]
    if not totals["counted"]:
        raise UserError(
            f"the corpus {corpus.name!r} has no captions: for an empty corpus every composition is "
            "novel"
        )
    facts = {
        "captions": totals["rows"],
        "counted": totals["counted"],
        "rule": corpus.rule,
        "threshold": corpus.threshold,
    }
    if found.manifest.get("sample", 1) < 1:
        facts["sample"] = found.manifest["sample"]
        facts["unseen_share_at_most_95"] = upper_bound(0, totals["counted"])
    return facts


def _plausible(
    options: Compose, vocabulary: Vocabulary, reasons: np.ndarray, config_path: Path
) -> dict[tuple[int, int], float]:
    """Scores of the compositions still in, and the reason of those below the least."""
    if options.plausibility is None:
        return {}
    from aobench.newset.plausibility import mean_log_probability

    pairs = [(int(a), int(o)) for a, o in np.argwhere(reasons == "")]
    texts = [
        f"a photo of a {vocabulary.attributes[a]} {vocabulary.objects[o]}"
        for a, o in pairs
    ]
    model = placed_model(config_path, options.plausibility.model)
    scores = dict(zip(pairs, mean_log_probability(model, texts), strict=True))
    for pair, score in scores.items():
        if score < options.plausibility.least:
            reasons[pair] = (
                f"implausible: {options.plausibility.model} scores it below "
                f"{options.plausibility.least}"
            )
    return scores


def image_seed(seed: int, attribute: str, name: str, index: int) -> int:
    """63 bits from the build's seed, the composition and the image's number: an image can be
    made again alone.
    """
    text = f"{seed}\0{attribute}\0{name}\0{index}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
