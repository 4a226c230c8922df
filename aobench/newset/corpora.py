"""The corpora of captions that a set is novel for: files, audits, and what they show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.audit.files import find_caption_files
from aobench.audit.result import Audit
from aobench.audit.streams import is_remote
from aobench.audit.vocabulary import Vocabulary
from aobench.audit.vocabulary import make_vocabulary as vocabulary_of
from aobench.errors import UserError
from aobench.files import read_json, write_in_one_move
from aobench.newset.config import ComposeOptions, CorpusOptions, located_path
from aobench.newset.exclusions import longer_names, shadowed_pairs
from aobench.newset.manifests import table_digest
from aobench.newset.reasons import ReasonGrid, reason_of

#: Digests of caption files by size and time of change, so that they are read once; beside the
#: audits of them.
DIGESTS = "audits/.captions.json"


def corpus_marks(
    options: ComposeOptions, where: Path, config_path: Path
) -> dict[str, Any]:
    """What tells each corpus from a changed one: the digest of its audit, or of each caption file.

    Args:
        options: the corpora, and the rule that controls are counted by.
        where: the step's folder, which remembers digests of caption files.
        config_path: the configuration.
    """
    captions = {
        corpus.name: find_caption_files(
            _caption_paths(corpus, config_path)
        ).paths
        for corpus in options.corpora
        if not corpus.audit
    }
    digests = _caption_digests(
        [path for paths in captions.values() for path in paths], where / DIGESTS
    )
    marks: dict[str, Any] = {}
    for corpus in options.corpora:
        if corpus.audit:
            own, *more = _rules_of(corpus, options)
            marks[corpus.name] = _audit_digest(corpus, own, config_path)
            for rule in more:
                digest = _audit_digest(corpus, rule, config_path)
                marks[f"{corpus.name}: {rule}"] = digest
        else:
            marks[corpus.name] = [
                [path.rsplit("/", 1)[-1], digests[path]]
                for path in captions[corpus.name]
            ]
    return marks


def _rules_of(
    corpus: CorpusOptions, options: ComposeOptions
) -> tuple[str, ...]:
    """The corpus' rule, by which a composition is novel, and that of controls where it is
    another.
    """
    rule = options.controls.rule if options.controls else None
    own = corpus.rule
    return (own,) if rule in (None, own) else (own, str(rule))


def _audit_digest(corpus: CorpusOptions, rule: str, config_path: Path) -> str:
    folder = located_path(config_path, str(corpus.audit))
    path = folder / f"counts-{rule}.parquet"
    if not path.exists():
        raise UserError(
            f"corpus {corpus.name!r}: {path} is missing; make it with: imagenet-ao audit ... "
            f"--rules {rule} --out"
        )
    return table_digest(path)


def _caption_digests(paths: list[str], memory: Path) -> dict[str, str]:
    """SHA-256 of caption files, "" for those elsewhere; a file whose size and time are as they were
    isn't read again.

    The digest is of the whole content, so that a change anywhere in a file is seen and a copy is
    the same; an audit reads all of it too. Size and time stay out of the manifest, which is to be
    the same for the same captions.
    """
    try:
        read = read_json(memory) if memory.exists() else {}
    except UserError:  # damaged: the captions are read again
        read = {}
    known = {
        state: mark
        for state, mark in read.items()
        if isinstance(mark, str) and len(mark) == 64
    }
    now, digests = {}, {}
    for path in paths:
        if is_remote(path):
            digests[path] = ""
            continue
        stat = (
            Path(path).stat()
        )  # a file that moved along with its folder has all of these still
        state = (
            f"{Path(path).name} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}"
        )
        now[state] = digests[path] = known.get(state) or table_digest(
            Path(path)
        )
    if now != known:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(memory, json.dumps(now).encode())
    return digests


@dataclass(frozen=True)
class CorpusCounts:
    """Captions of each composition, int64 (attributes, objects), by corpus.

    ``counts``: by the corpus' rule. ``for_controls``: by that of controls, which may be the same.
    ``facts``: what a manifest says of each corpus.
    """

    counts: dict[str, np.ndarray]
    for_controls: dict[str, np.ndarray]
    facts: dict[str, Any]


def count_corpora(
    options: ComposeOptions,
    vocabulary: Vocabulary,
    reasons: ReasonGrid,
    where: Path,
    config_path: Path,
) -> CorpusCounts:
    """Each corpus' counts and facts; marks what its captions show, or can't be counted in."""
    counted = CorpusCounts({}, {}, {})
    searched = [vocabulary]
    for corpus in options.corpora:
        rules = _rules_of(corpus, options)
        audit = _audit(corpus, rules, vocabulary, where, config_path)
        synonyms = bool(audit.manifest.get("vocabulary", {}).get("synonyms"))
        searched.append(
            vocabulary_of(audit.attributes, audit.objects, synonyms)
        )
        matrices = [
            _aligned(audit, corpus, rule, vocabulary, searched[-1])
            for rule in rules
        ]
        matrix = counted.counts[corpus.name] = matrices[0]
        counted.for_controls[corpus.name] = matrices[-1]
        counted.facts[corpus.name] = _corpus_facts(audit, corpus)
        if not_text := audit.manifest["totals"].get("not_utf8"):
            print(
                f"Note: {not_text:,} captions of the corpus {corpus.name!r} hold bytes that are "
                "not UTF-8 (or NUL): names in them may be missed"
            )
        seen = reason_of(
            "seen",
            threshold=corpus.threshold,
            corpus=corpus.name,
            rule=corpus.rule,
        )
        reasons.mark(matrix > corpus.threshold, seen)
    reasons.mark(shadowed_pairs(vocabulary, searched), reason_of("shadowed"))
    return counted


def _audit(
    corpus: CorpusOptions,
    rules: tuple[str, ...],
    vocabulary: Vocabulary,
    where: Path,
    config_path: Path,
) -> Audit:
    from aobench.audit.api import audit
    from aobench.audit.result import load_audit

    if corpus.audit:
        return load_audit(located_path(config_path, corpus.audit))
    paths, place = (
        _caption_paths(corpus, config_path),
        where / "audits" / corpus.name,
    )
    try:
        return audit(paths, place, rules=rules, vocabulary=vocabulary)
    except UserError as error:
        raise UserError(f"the corpus {corpus.name!r}: {error}") from error


def _caption_paths(corpus: CorpusOptions, config_path: Path) -> list[str]:
    return [
        p if is_remote(p) else str(located_path(config_path, p))
        for p in corpus.captions
    ]


def _aligned(
    counted: Audit,
    corpus: CorpusOptions,
    rule: str,
    vocabulary: Vocabulary,
    looked_for: Vocabulary,
) -> np.ndarray:
    """The corpus' matrix by a rule, in the order of the vocabulary. UserError for a name that the
    audit didn't look for.

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
            counted.attributes,
            looked_for.attribute_forms,
        ),
        (
            "object",
            vocabulary.objects,
            vocabulary.object_forms,
            counted.objects,
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
        more = longer_names(wanted, forms, has, theirs)
        places.append(
            [
                [at[name], *others]
                for name, others in zip(wanted, more, strict=True)
            ]
        )
    matrix = counted.matrix(rule)
    by_attribute = np.stack([matrix[rows].sum(0) for rows in places[0]])
    return np.stack(
        [by_attribute[:, columns].sum(1) for columns in places[1]], axis=1
    )


def _corpus_facts(counted: Audit, corpus: CorpusOptions) -> dict[str, Any]:
    """Captions scanned, and for a sample the largest share that a composition not seen may still
    have.
    """
    from aobench.audit.statistics import upper_bound

    totals = counted.manifest["totals"]
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
    if counted.manifest.get("sample", 1) < 1:
        facts["sample"] = counted.manifest["sample"]
        facts["unseen_share_at_most_95"] = upper_bound(0, totals["counted"])
    return facts
