"""The configuration of a build: a YAML file, each key checked."""

from __future__ import annotations

import dataclasses
import math
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from aobench.duplicates.options import DuplicateOptions
from aobench.errors import UserError, did_you_mean
from aobench.files import absolute_path


@dataclass(frozen=True)
class CorpusOptions:
    """Captions to be audited (``captions``), or an audit made before (``audit``: its folder)."""

    name: str
    captions: list[str] = field(default_factory=list)
    audit: str | None = None
    rule: str = "words"
    threshold: int = 0


@dataclass(frozen=True)
class PlausibilityOptions:
    """A causal language model scores "a photo of a ATTRIBUTE OBJECT": mean log-probability of a
    token, in nats.
    """

    model: str
    least: float


#: In which corpora a control must be seen.
SEEN_IN = ("each", "any")


@dataclass(frozen=True)
class ControlOptions:
    """Seen compositions beside the novel ones, with each attribute and each object as often.

    Seen means: at least ``least_captions`` captions of ``each`` or of ``any`` corpus (``seen_in``)
    show it, by ``rule`` (null: the corpus' own).
    """

    least_captions: int = 20
    seen_in: str = "each"
    rule: str | None = None


@dataclass(frozen=True)
class ComposeOptions:
    """``attributes``, ``objects``: 'published', a list, or a text file. ``count``: novel
    compositions wanted (all: null). ``controls``: seen ones to compare with (null: none).
    """

    corpora: list[CorpusOptions]
    attributes: Any = "published"
    objects: Any = "published"
    count: int | None = None
    per_attribute: int | None = None
    per_object: int | None = None
    exclude: str | None = None
    plausibility: PlausibilityOptions | None = None
    controls: ControlOptions | None = None

    def as_in_manifest(self) -> dict[str, Any]:
        """The options as a manifest holds them: without ``controls`` where there are none, so that
        builds from before them are as they were.
        """
        options = dataclasses.asdict(self)
        if self.controls is None:
            del options["controls"]
        return options


@dataclass(frozen=True)
class GenerateOptions:
    """``generator``: 'diffusion', 'renderer', an entry point, or 'package.module:Class' where that
    is allowed.

    ``images``: a composition's.
    """

    generator: str = "diffusion"
    model: str = "stabilityai/sdxl-turbo"
    images: int = 3
    prompts: list[str] = field(
        default_factory=lambda: ["a photo of a {attribute} {object}"]
    )
    batch_size: int = 4
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JudgeOptions:
    """One judge: ``kind`` as in ``validate.judges``, and a threshold for each of its questions, or
    its own.

    ``precision``: choose the thresholds instead, on ``labels`` (Parquet: image_id, attribute_right,
    object_right) or, without these, on what people said.
    """

    kind: str
    model: str = ""
    name: str = ""
    attribute: float | None = None
    object: float | None = None
    composition: float | None = None
    labels: str | None = None
    precision: float | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ValidateOptions:
    """``judges``, in order: each sees what the ones before it accepted.

    ``human``: a file of `imagenet-ao annotate`; its majorities, of at least ``minimum`` votes,
    overrule the judges. Annotators who passed less than the share ``min_catch`` of their catch
    trials have no vote (null: all have one).
    """

    judges: list[JudgeOptions] = field(default_factory=list)
    human: str | None = None
    minimum: int = 2
    min_catch: float | None = 0.8
    only_dual_encoders: bool = False


@dataclass(frozen=True)
class PackageOptions:
    """``name``: of the dataset's config, and in the card's title; ``licence``: as the Hub spells
    it.
    """

    name: str
    licence: str = "unknown"
    sheet_images: int = 96


@dataclass(frozen=True)
class BuildConfig:
    """A build. ``seed`` decides which compositions are drawn and every image."""

    out: str
    compose: ComposeOptions
    generate: GenerateOptions
    validate: ValidateOptions
    distinct: DuplicateOptions
    package: PackageOptions
    seed: int = 0


NESTED: dict[str, Any] = {
    "compose": ComposeOptions,
    "generate": GenerateOptions,
    "validate": ValidateOptions,
    "distinct": DuplicateOptions,
    "package": PackageOptions,
    "plausibility": PlausibilityOptions,
    "controls": ControlOptions,
}
LISTS: dict[str, Any] = {"corpora": CorpusOptions, "judges": JudgeOptions}


#: Texts of a configuration have at most so many characters: names, prompts and frames of questions
#: are short.
LONGEST_TEXT = 20_000


def config_of(content: Any, where: str) -> BuildConfig:
    """A configuration from its file's mapping; UserError for an unknown or missing key."""
    config: BuildConfig = _make(BuildConfig, content, where)
    return config


def _make(kind: Any, content: Any, where: str) -> Any:
    """A dataclass from a mapping; UserError for an unknown or missing key."""
    if not isinstance(content, dict):
        raise UserError(
            f"{where} must be a mapping of keys to values, not {type(content).__name__}"
        )
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in content:
        if key not in fields:
            hint = (
                did_you_mean(str(key)[:80], fields)
                or f"; the keys are: {', '.join(fields)}"
            )
            raise UserError(
                f"{where} has an unknown key {shown_value(key)}{hint}"
            )
    none = dataclasses.MISSING
    missing = [
        n
        for n, f in fields.items()
        if n not in content and f.default is none and f.default_factory is none
    ]
    if missing:
        raise UserError(f"{where} lacks the key(s) {', '.join(missing)}")
    values, hints = dict(content), get_type_hints(kind)
    for key, value in content.items():
        if key in LISTS and not isinstance(value, list):
            raise UserError(
                f"{where}: {key} is a list, each beginning with a dash; not {shown_value(value)}"
            )
        left_out = value is None and value_fits(None, hints[key])
        if key in NESTED and not left_out:
            values[key] = _make(NESTED[key], value, f"{where}: {key}")
        elif key in LISTS:
            values[key] = [
                _make(LISTS[key], v, f"{where}: {key}[{i}]")
                for i, v in enumerate(value)
            ]
        elif not value_fits(value, hints[key]):
            raise UserError(
                f"{where}: {key} is {shown_value(value)}; it takes {fields[key].type}"
            )
        elif isinstance(value, list) and get_origin(hints[key]) is tuple:
            values[key] = tuple(value)
        if key not in NESTED and key not in LISTS:
            _check_texts(value, f"{where}: {key}")
    return kind(**values)


def shown_value(value: Any) -> str:
    """A value as a message shows it: at most some 80 characters."""
    import reprlib

    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    return short.repr(value)


def _check_texts(value: Any, where: str) -> None:
    """UserError for an empty file name of a list, or a text that is far too long to be what it
    should be.
    """
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise UserError(
            f"{where} is a text of {len(value):,} characters; it takes at most {LONGEST_TEXT:,}"
        )
    if isinstance(value, dict):
        for key, one in value.items():
            _check_texts(one, f"{where}: {shown_value(key)}")
    elif isinstance(value, list):
        for one in value:
            _check_texts(one, where)


def value_fits(value: Any, kind: Any) -> bool:
    """Whether a value of YAML is of a field's type; a whole number is a float, a truth value is no
    number.

    Numbers are finite, and whole ones have at most 63 bits, as in every table that is written.
    """
    if kind is Any:
        return True
    if isinstance(kind, types.UnionType):
        return any(value_fits(value, one) for one in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return isinstance(value, list) and all(
            value_fits(one, get_args(kind)[0]) for one in value
        )
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(
            isinstance(key, str) for key in value
        )
    if kind is float and isinstance(value, float):
        return math.isfinite(value)
    if kind in (int, float):
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and abs(value) < 1 << 63
        )
    return isinstance(value, kind)


def only_dual_encoders(options: ValidateOptions) -> bool:
    """Whether nobody judges but models of the family under test."""
    from aobench.newset.validate.judges import DUAL_ENCODERS

    return not options.human and all(
        judge.kind in DUAL_ENCODERS for judge in options.judges
    )


def located_path(config_path: Path, name: str) -> Path:
    """A file named in the configuration: relative to the configuration's folder."""
    return absolute_path(config_path.parent / Path(name).expanduser())
