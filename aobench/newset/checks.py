"""What can be known to be wrong before any work is done: values, and inputs of the steps that
are asked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import Path
from typing import Any

from aobench.audit.rules import VERSIONS
from aobench.errors import UserError
from aobench.newset.config import (
    SEEN_IN,
    BuildConfig,
    ComposeOptions,
    CorpusOptions,
    JudgeOptions,
    ValidateOptions,
    located_path,
    only_dual_encoders,
    shown_value,
)
from aobench.vocabulary.published import OUR_SETS

#: What a package writes beside its folder of Parquet, or its step does.
TAKEN = (
    "sheets",
    "readme.md",
    "build.json",
    "fingerprints.json",
    "eval.yaml",
    "manifest.json",
)


#: The most of each number that means a size: beyond it stands a slip of the hand.
MOST = {
    ("generate", "images"): 1_000_000,
    ("generate", "batch_size"): 65_536,
    ("package", "sheet_images"): 10_000,
    ("validate", "minimum"): 10_000,
}


def check_values(config: BuildConfig, where: str) -> None:
    """UserError for a value that no step can work with."""
    for (part, key), most in MOST.items():
        value = getattr(getattr(config, part), key)
        if value > most:
            raise UserError(
                f"{where}: {part}: {key} is {value:,}; it goes to {most:,}"
            )
    _check_file_names(config, where)
    _check_compose_and_generate(config, where)
    if config.seed < 0:
        raise UserError(
            f"{where}: seed is {config.seed}; it takes a whole number of at least 0"
        )
    for key in ("attributes", "objects"):
        _check_names(getattr(config.compose, key), f"{where}: compose: {key}")
    for corpus in config.compose.corpora:
        _check_corpus(corpus, where)
    _check_controls(config.compose, f"{where}: compose: controls")
    try:
        config.distinct.check()
    except UserError as error:
        raise UserError(f"{where}: distinct: {error}") from error
    _check_package(config, where)
    _check_judges(config.validate, where)


def _check_names(value: Any, where: str) -> None:
    """UserError where ``value`` is neither a list of names nor the name of one."""
    if not isinstance(value, str | list) or value == []:
        raise UserError(
            f"{where} is {shown_value(value)}; it takes published, a list, or a text file's name"
        )
    for name in value if isinstance(value, list) else []:
        if not isinstance(name, str) or not name.strip():
            raise UserError(
                f"{where}: {shown_value(name)} is no name; YAML reads "
                "yes, no, on and numbers as such: quote them"
            )
        if len(name) > 200 or not name.isprintable():
            raise UserError(
                f"{where}: {shown_value(name)} is no name: up to 200 printable characters"
            )


def _is_folder_name(name: str) -> bool:
    """Whether ``name`` can name a folder and a column."""
    fit = name.strip() and name.isprintable() and len(name) <= 60
    return bool(fit) and not set(name) & {"/", "\\"} and name[0] != "."


def _check_corpus(corpus: CorpusOptions, where: str) -> None:
    """UserError for a corpus whose name, rule or threshold cannot be."""
    if not _is_folder_name(corpus.name):
        raise UserError(
            f"{where}: the corpus name {corpus.name!r} names a folder and a column: give up to 60 "
            "letters, without slashes, control characters or a dot in front"
        )
    if corpus.rule not in VERSIONS:
        raise UserError(
            f"{where}: corpus {corpus.name!r}: no rule {shown_value(corpus.rule)}; there are "
            f"{', '.join(VERSIONS)}"
        )
    if corpus.threshold < 0:
        raise UserError(
            f"{where}: corpus {corpus.name!r}: threshold is {corpus.threshold}; it goes from 0"
        )


def _check_controls(options: ComposeOptions, where: str) -> None:
    """UserError for controls that could be novel, or are counted by a rule that there is not."""
    controls = options.controls
    if controls is None:
        return
    least, rule = controls.least_captions, controls.rule
    if least < 1:
        raise UserError(
            f"{where}: least_captions is {least}; a control is seen in at least 1"
        )
    if controls.seen_in not in SEEN_IN:
        raise UserError(
            f"{where}: seen_in is {shown_value(controls.seen_in)}; it takes {' or '.join(SEEN_IN)}"
        )
    if rule is not None and rule not in VERSIONS:
        raise UserError(
            f"{where}: no rule {shown_value(rule)}; there are {', '.join(VERSIONS)}"
        )
    most = max(options.corpora, key=lambda corpus: corpus.threshold)
    if least <= most.threshold:
        raise UserError(
            f"{where}: least_captions is {least:,}, but for {most.name!r} a composition is novel "
            f"up to {most.threshold:,} captions; give at least {most.threshold + 1:,}"
        )


def _check_compose_and_generate(config: BuildConfig, where: str) -> None:
    """Corpora, names of corpora and judges, numbers and prompts."""
    if not config.compose.corpora:
        raise UserError(
            f"{where}: compose: corpora is empty; a set is novel for at least one corpus of "
            "captions"
        )
    for corpus in config.compose.corpora:
        if bool(corpus.captions) == bool(corpus.audit):
            raise UserError(
                f"{where}: corpus {corpus.name!r} takes either captions or audit"
            )
    corpora = [corpus.name for corpus in config.compose.corpora]
    judges = [judge.name or judge.kind for judge in config.validate.judges]
    for what, every in (("corpora", corpora), ("judges", judges)):
        if len(set(every)) < len(every):
            raise UserError(
                f"{where}: two {what} have one name: {', '.join(every)}; give each its own"
            )
    if config.generate.images < 1 or config.generate.batch_size < 1:
        raise UserError(
            f"{where}: generate: images and batch_size are whole numbers of at least 1"
        )
    for key in ("count", "per_attribute", "per_object"):
        value = getattr(config.compose, key)
        if value is not None and value < 1:
            raise UserError(
                f"{where}: compose: {key} is {value}; leave it out or give at least 1"
            )
    if not config.generate.prompts:
        raise UserError(
            f"{where}: generate: prompts is empty; leave it out for the default"
        )
    for template in config.generate.prompts:
        if "{object}" not in template or "{attribute}" not in template:
            raise UserError(
                f"{where}: prompts: the prompt {shown_value(template)} must hold {{attribute}} and "
                f"{{object}}"
            )


def _check_file_names(config: BuildConfig, where: str) -> None:
    """UserError for an empty name: it would mean the configuration's own folder."""
    names: list[tuple[str, str | None]] = [
        ("out", config.out),
        ("compose: exclude", config.compose.exclude),
    ]
    lists = {
        "attributes": config.compose.attributes,
        "objects": config.compose.objects,
    }
    names += [
        (f"compose: {key}", value)
        for key, value in lists.items()
        if isinstance(value, str)
    ]
    names += [
        ("validate: human", config.validate.human),
        ("generate: generator", config.generate.generator),
    ]
    names += [
        ("validate: judges: kind", judge.kind)
        for judge in config.validate.judges
    ]
    for corpus in config.compose.corpora:
        names += [
            (f"corpus {corpus.name!r}: captions", one)
            for one in corpus.captions
        ]
        names += [(f"corpus {corpus.name!r}: audit", corpus.audit)]
    names += [
        ("validate: labels", judge.labels) for judge in config.validate.judges
    ]
    for key, name in names:
        if name is not None and not name.strip():
            raise UserError(
                f"{where}: {key} is empty; give a name, or leave it out"
            )


def _check_judges(options: ValidateOptions, where: str) -> None:
    if not options.judges and not options.human:
        raise UserError(
            f"{where}: validate names neither judges nor human; images that nobody looked at are "
            "no set"
        )
    if options.minimum < 1 or (
        options.min_catch is not None and not 0 <= options.min_catch <= 1
    ):
        raise UserError(
            f"{where}: validate: minimum is at least 1 vote, min_catch a share from 0 to 1, or null"
        )
    for judge in options.judges:
        if judge.precision is not None and not 0 < judge.precision <= 1:
            raise UserError(
                f"{where}: the judge {judge.name or judge.kind!r}: precision goes from 0 to 1"
            )
    if only_dual_encoders(options) and not options.only_dual_encoders:
        raise UserError(
            f"{where}: only dual encoders judge, the family that the set is to test; add a vlm or "
            "human, or set "
            "only_dual_encoders: true, and the card will say so"
        )


def _check_package(config: BuildConfig, where: str) -> None:
    name, licence = config.package.name, config.package.licence
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}", name):
        raise UserError(
            f"{where}: package: name is {shown_value(name)}; it takes letters, "
            "digits, - _ and . (it names a folder and a config)"
        )
    if unicodedata.normalize("NFKC", name).casefold() in OUR_SETS:
        raise UserError(
            f"{where}: package: the name {name!r} is that of a published set, whose results yours "
            "would be taken for; "
            "choose another"
        )
    if name.lower() in TAKEN:
        raise UserError(
            f"{where}: package: the name {name!r} is taken by a file of the package; choose another"
        )
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", licence):
        raise UserError(
            f"{where}: package: licence is {licence!r}; it takes one word as the Hub spells it, "
            "such as cc-by-4.0 or "
            "other"
        )
    if config.package.sheet_images < 0:
        raise UserError(
            f"{where}: package: sheet_images is {config.package.sheet_images}; give 0 (no sheets) "
            "or more"
        )


def check_inputs(
    config: BuildConfig, path: Path, steps: Collection[str]
) -> None:
    """UserError for what a step that is asked for would stumble over later: classes, thresholds,
    files, extras.
    """
    from aobench.newset.generators import find_generator

    out = located_path(path, config.out)
    blocking = next(
        (p for p in (out, *out.parents) if p.exists() and not p.is_dir()), None
    )
    if blocking:
        raise UserError(f"{path}: out: {blocking} is a file; name a folder")
    if "generate" in steps:
        kind = find_generator(config.generate.generator)
        if hasattr(kind, "refuse_unknown"):
            _check_drawable(config, path, kind)
    if "validate" in steps:
        _check_validate(config, path)
    if "distinct" in steps:
        _check_distinct(config, path)


def _check_drawable(config: BuildConfig, path: Path, kind: Any) -> None:
    """UserError for a name that a generator with a vocabulary of its own can't draw, before
    captions are counted.
    """
    from aobench.models.weights import placed_model
    from aobench.newset.compose import names_of
    from aobench.newset.generators import make_generator
    from aobench.newset.own_classes import naming_class
    from aobench.newset.pictures_option import with_pictures
    from aobench.vocabulary.published import published_lists

    lists, options = published_lists(), config.generate
    attributes = names_of(config.compose.attributes, lists.attributes, path)
    objects = names_of(config.compose.objects, tuple(lists.objects), path)
    complete = with_pictures(lambda: kind, options.options, path)
    generator: Any = make_generator(
        options.generator, placed_model(path, options.model), complete
    )
    with naming_class(f"the generator {options.generator!r}"):
        generator.refuse_unknown(attributes, objects)


def _check_validate(config: BuildConfig, path: Path) -> None:
    options = config.validate
    human = located_path(path, options.human) if options.human else None
    if human and not human.is_file():
        raise UserError(
            f"{path}: validate: human: {human} is no file; make the images first (--steps compose "
            "generate), have them "
            "judged with imagenet-ao annotate --verdicts, then build on"
        )
    for judge in options.judges:
        _check_thresholds(
            judge,
            bool(human),
            f"{path}: the judge {judge.name or judge.kind!r}",
        )
        if judge.labels and not located_path(path, judge.labels).is_file():
            raise UserError(
                f"{path}: the judge {judge.name or judge.kind!r}: labels: "
                f"{located_path(path, judge.labels)} is missing or "
                "no file; leave it out until there is one"
            )


def _check_thresholds(judge: JudgeOptions, human: bool, what: str) -> None:
    """Of a judge whose class says its questions; others are asked when they judge."""
    from aobench.newset.validate.judges import find_judge

    judge_class = find_judge(judge.kind)
    thresholds = {
        question: getattr(judge, question)
        for question in ("attribute", "object", "composition")
    }
    own: Any = getattr(judge_class, "thresholds", None)
    asks: Any = getattr(judge_class, "questions", None)
    if not isinstance(own, dict) or not isinstance(asks, tuple):
        return
    open_ones = [
        question
        for question in asks
        if thresholds.get(question) is None and question not in own
    ]
    chosen = [
        question
        for question in asks
        if thresholds.get(question) is None and judge.precision is not None
    ]
    if open_ones and judge.precision is None:
        question = open_ones[0]
        raise UserError(
            f"{what}, {question} has no threshold: give one ({question}: NUMBER), or precision "
            "with labels"
        )
    if chosen and not (judge.labels or human):
        raise UserError(
            f"{what}: precision is asked for, but no answers are known; name labels or human"
        )


def _check_distinct(config: BuildConfig, path: Path) -> None:
    from aobench.duplicates.reference import open_reference
    from aobench.extras import need_extra
    from aobench.models.registry import resolve
    from aobench.newset.distinct import located_options

    options = located_options(config.distinct, path)
    need_extra("imagehash")
    open_reference(options.reference)
    if options.model is not None:
        need_extra("faiss")
        resolve(options.model)
