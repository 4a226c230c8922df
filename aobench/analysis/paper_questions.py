"""The two questions of the seed paper's experiment, put to results: groups of models, a baseline's
line, and contrasts of the groups over it.

The abstract (arXiv 2403.18525) compares CLIPs trained on large, diverse data with supervised models
and with CLIPs trained on CC-12M or YFCC-15M. Its own formula of effective generalization is not
known to us; ours is that of `aobench.analysis.effective`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compositional_ood.compositional_ood import DRAWS, wilson

from aobench.analysis.effective import (
    EffectiveScore,
    FittedLine,
    effective_generalization,
    fit_baseline,
)
from aobench.analysis.group_contrasts import GroupContrast, group_contrast
from aobench.analysis.model_accuracies import ModelAccuracies, read_split_scores
from aobench.analysis.split_scores import SplitScore
from aobench.errors import UserError

LARGE_DATA = ("openai", "laion400m", "laion2b")
SMALL_DATA = ("cc12m", "yfcc15m")
#: Supervised models of a scale between these training images compare with small-data CLIPs.
LIKE_SCALE = (5_000_000, 50_000_000)

Records = list[ModelAccuracies]


def _language(record: ModelAccuracies) -> bool:
    return record.fact("supervision") == "language"


def _labels(record: ModelAccuracies) -> bool:
    return record.fact("supervision") == "labels"


def _of_like_scale(record: ModelAccuracies) -> bool:
    images = record.facts.get("training_images")
    return isinstance(images, int) and LIKE_SCALE[0] <= images <= LIKE_SCALE[1]


@dataclass(frozen=True)
class ModelGroup:
    """Models that the claims speak of; ``words`` name them, ``has`` tells who is one."""

    key: str
    words: str
    has: Callable[[ModelAccuracies], bool]

    def members(self, records: Sequence[ModelAccuracies]) -> Records:
        """Those of ``records`` that are in the group."""
        return [record for record in records if self.has(record)]


def _clips_of(*sets: str) -> Callable[[ModelAccuracies], bool]:
    return lambda record: _language(record) and record.training_set in sets


#: By key the groups, by the columns supervision, training_set and training_images.
GROUPS = {
    group.key: group
    for group in (
        ModelGroup("large", "large-data CLIPs", _clips_of(*LARGE_DATA)),
        ModelGroup("small", "small-data CLIPs", _clips_of(*SMALL_DATA)),
        ModelGroup("cc12m", "CLIPs of CC-12M", _clips_of("cc12m")),
        ModelGroup("yfcc15m", "CLIPs of YFCC-15M", _clips_of("yfcc15m")),
        ModelGroup("clip", "all CLIPs", _language),
        ModelGroup("supervised", "supervised models", _labels),
        ModelGroup(
            "supervised-like-scale",
            "supervised models of 5 to 50 million images",
            lambda record: _labels(record) and _of_like_scale(record),
        ),
    )
}


@dataclass(frozen=True)
class PaperQuestion:
    """A pair of scores, the groups that the line is fitted over, and the contrasts that are asked.

    ``second_baseline``: groups of a second line, over which the same contrasts are a check.
    """

    key: str
    words: str
    id_score: SplitScore
    ood_score: SplitScore
    baseline: tuple[str, ...]
    second_baseline: tuple[str, ...]
    contrasts: tuple[tuple[str, str], ...]


QUESTIONS = (
    PaperQuestion(
        "object",
        "objects, in seen and in novel compositions",
        SplitScore("id", "object"),
        SplitScore("ood", "object"),
        ("supervised", "small"),
        ("supervised", "clip"),
        (
            ("large", "supervised"),
            ("large", "small"),
            ("large", "cc12m"),
            ("large", "yfcc15m"),
            ("clip", "supervised"),
            ("small", "supervised-like-scale"),
        ),
    ),
    PaperQuestion(
        "composition",
        "novel compositions among themselves, against objects seen",
        SplitScore("id", "object"),
        SplitScore("ood", "composition-own"),
        ("small",),
        ("clip",),
        (("large", "small"), ("large", "cc12m"), ("large", "yfcc15m")),
    ),
)


@dataclass
class QuestionAnswer:
    """What results say to a question.

    ``chances``: what a guess reaches on ID and on OoD. ``contrasts`` and ``checks`` (over the
    second baseline) by the keys of their groups; what could not be computed is in ``lacking`` by
    the same keys, in words.
    """

    question: PaperQuestion
    records: Records = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    chances: tuple[float, float] = (0.0, 0.0)
    line: FittedLine | None = None
    scores: list[EffectiveScore] = field(default_factory=list)
    contrasts: dict[tuple[str, str], GroupContrast] = field(
        default_factory=dict
    )
    checks: dict[tuple[str, str], GroupContrast] = field(default_factory=dict)
    lacking: dict[tuple[str, str], str] = field(default_factory=dict)

    def members(self, *keys: str) -> Records:
        """The records of one group or several."""
        groups = [GROUPS[key] for key in keys]
        return [
            r for r in self.records if any(group.has(r) for group in groups)
        ]

    def near_chance(self, key: str) -> list[str]:
        """The models of a group whose accuracy on ID or OoD is not above a guess's, by a Wilson
        interval of 95 %.
        """
        return [
            record.model
            for record in self.members(key)
            if _lowest(record.id, record.n_id) <= self.chances[0]
            or _lowest(record.ood, record.n_ood) <= self.chances[1]
        ]

    @property
    def unlike(self) -> list[str]:
        """Notes that say that the results don't compare."""
        return [note for note in self.notes if "not comparable" in note]


def _lowest(rate: float, n: int) -> float:
    return wilson(round(rate * n), n)[0]


def answer_question(
    question: PaperQuestion, paths: Sequence[Path], draws: int = DRAWS
) -> QuestionAnswer:
    """The answer of the results at ``paths``; what is missing for it stands in ``lacking``.

    ``draws``: of the bootstrap.
    """
    answer = QuestionAnswer(question)
    try:
        read = read_split_scores(paths, question.id_score, question.ood_score)
    except UserError as error:
        answer.notes.append(str(error))
        for pair in question.contrasts:
            answer.lacking[pair] = "no result has these two scores"
        return answer
    answer.records, answer.notes = read.records, read.notes
    answer.chances = read.chances
    answer.line = _line(answer, question.baseline, draws)
    second = _line(answer, question.second_baseline, draws)
    if answer.line is not None:
        answer.scores = effective_generalization(answer.line, answer.records)
    for pair in question.contrasts:
        _contrast(answer, pair, second)
    return answer


def _line(
    answer: QuestionAnswer, keys: tuple[str, ...], draws: int
) -> FittedLine | None:
    members = answer.members(*keys)
    words = " and ".join(GROUPS[key].words for key in keys)
    try:
        return fit_baseline(members, draws=draws)
    except UserError as error:
        answer.notes.append(f"no line over {words}: {error}")
        return None


def _contrast(
    answer: QuestionAnswer, pair: tuple[str, str], second: FittedLine | None
) -> None:
    sides = [(GROUPS[key].words, answer.members(key)) for key in pair]
    empty = [words for words, some in sides if not some]
    if empty:
        answer.lacking[pair] = f"no result of {' and '.join(empty)}"
    elif answer.line is None:
        words = " and ".join(
            GROUPS[key].words for key in answer.question.baseline
        )
        answer.lacking[pair] = f"too few models for a line over {words}"
    else:
        answer.contrasts[pair] = group_contrast(
            answer.line, sides[0], sides[1], answer.records
        )
    if second is not None and not empty:
        answer.checks[pair] = group_contrast(
            second, sides[0], sides[1], answer.records
        )
