"""The rules by which a verdict on the abstract's claims is reached.

A contrast of two groups bears a claim out where its whole 95 % interval lies on the claim's side of
the threshold, contradicts it where the whole interval lies on the other, and leaves it undecided
else. It is undecided, too, where the interval cannot say what the claim needs: a group of fewer
than FEW independent runs, most models of a group beyond the baseline's range, results that don't
compare, models no better than a guess, a line over other models that says the opposite. That a
cause is at work is never borne out by models that differ in all else as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aobench.analysis.effective_groups import FEW
from aobench.analysis.effective_report import in_points
from aobench.analysis.group_contrasts import GroupContrast
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.analysis.paper_claims import CAUSES, CLAIMS, CausalClaim, Claim
from aobench.analysis.paper_questions import (
    GROUPS,
    LARGE_DATA,
    SMALL_DATA,
    QuestionAnswer,
)
from aobench.analysis.rank_correlation import (
    percentile_interval,
    spearman_correlation,
)
from aobench.models.model_lists import ModelList

BORNE_OUT, CONTRADICTED, UNDECIDED = "borne out", "contradicted", "undecided"


@dataclass(frozen=True)
class Verdict:
    """What the results say of a claim.

    ``evidence``: the figures, in words; ``why``: what kept a figure from deciding; ``missing``:
    what would decide it.
    """

    key: str
    claim: str
    verdict: str
    evidence: tuple[str, ...]
    why: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """As a dictionary for JSON."""
        return asdict(self)


def reading(low: float, high: float, threshold: float) -> str:
    """The verdict of an interval on "more than ``threshold``".

    Example:
        >>> reading(0.1, 0.3, 0.0), reading(-0.3, -0.1, 0.0), reading(-0.1, 0.1, 0.0)
        ('borne out', 'contradicted', 'undecided')
    """
    if low > threshold:
        return BORNE_OUT
    return CONTRADICTED if high < threshold else UNDECIDED


@dataclass(frozen=True)
class LostModel:
    """A model of the list without a result, and why; ``record`` holds its facts alone, None where
    no list tells them.
    """

    name: str
    reason: str
    record: ModelAccuracies | None = None

    def concerns(self, keys: Sequence[str]) -> bool:
        """Whether it belongs to one of the groups, as far as that is known."""
        record = self.record
        return record is None or any(GROUPS[key].has(record) for key in keys)


def lost_models(
    missing: Mapping[str, str], models: ModelList | None
) -> list[LostModel]:
    """The models of ``missing``, with their facts where the list has them."""
    facts = {} if models is None else models.facts
    return [
        LostModel(
            name,
            reason,
            _unmeasured(name, facts[name]) if name in facts else None,
        )
        for name, reason in missing.items()
    ]


def _unmeasured(name: str, facts: Mapping[str, Any]) -> ModelAccuracies:
    sets = str(facts.get("training_set", ""))
    return ModelAccuracies(name, "", sets, 0.0, 1, 0.0, 1, facts=facts)


def reach_verdicts(
    answers: Mapping[str, QuestionAnswer], lost: Sequence[LostModel] = ()
) -> list[Verdict]:
    """A verdict on each claim from the answers to the questions, by key.

    ``lost``: models of the list without a result, named with the claims that they concern.
    """
    verdicts = []
    for claim in CLAIMS:
        keys = (*claim.pair, *answers[claim.question].question.baseline)
        named = [
            f"a result of {one.name} (see below)"
            for one in lost
            if one.concerns(keys)
        ]
        verdicts.append(_of_claim(claim, answers[claim.question], named))
    return verdicts + [_of_cause(cause, answers["object"]) for cause in CAUSES]


def contrast_words(contrast: GroupContrast, measure: str) -> str:
    """A contrast's figure with its interval and the groups' sizes."""
    sizes = " and ".join(
        f"{words} (n = {n}, runs = {runs})"
        for words, n, runs in zip(
            (contrast.first, contrast.second),
            contrast.n,
            contrast.runs,
            strict=True,
        )
    )
    if measure == "difference":
        value = in_points(
            contrast.low, contrast.difference, contrast.high
        ).strip()
        return f"{value} points of effective generalization between {sizes}"
    low, high = contrast.odds_ratio_low, contrast.odds_ratio_high
    return f"odds ratio {contrast.odds_ratio:.3g} [{low:.3g}, {high:.3g}] between {sizes}"


def _interval(contrast: GroupContrast, measure: str) -> tuple[float, float]:
    if measure == "difference":
        return contrast.low, contrast.high
    return contrast.odds_ratio_low, contrast.odds_ratio_high


def _of_claim(
    claim: Claim, answer: QuestionAnswer, lost: Sequence[str]
) -> Verdict:
    contrast = answer.contrasts.get(claim.pair)
    check = answer.checks.get(claim.pair)
    second = () if check is None else (_check_words(check, claim, answer),)
    if contrast is None:
        lacking = answer.lacking[claim.pair]
        mend = (_what_is_needed(claim, answer, lacking), *lost)
        return Verdict(
            claim.key, claim.words, UNDECIDED, second, (lacking,), mend
        )
    said = contrast_words(contrast, claim.measure)
    read = reading(*_interval(contrast, claim.measure), claim.threshold)
    why = (
        *_what_weakens(contrast, answer),
        *_guesses(claim, answer),
        *_other_line(read, check, claim),
    )
    verdict = UNDECIDED if why else read
    if why and read != UNDECIDED:
        why = (f"by its interval alone it would be {read}", *why)
    needed = tuple(_mends(contrast, claim, answer, verdict))
    evidence = (said, *_by_training_set(claim, answer), *second)
    return Verdict(
        claim.key, claim.words, verdict, evidence, why, (*needed, *lost)
    )


def _check_words(
    check: GroupContrast, claim: Claim, answer: QuestionAnswer
) -> str:
    over = " and ".join(
        GROUPS[key].words for key in answer.question.second_baseline
    )
    return f"a check, over a line of {over}: {contrast_words(check, claim.measure)}"


def _guesses(claim: Claim, answer: QuestionAnswer) -> list[str]:
    """A reason for each group of which most models do no better than a guess."""
    out = []
    for key in claim.pair:
        near, n = answer.near_chance(key), len(answer.members(key))
        if 2 * len(near) > n:
            out.append(
                f"{GROUPS[key].words}: {len(near)} of {n} are not above chance"
            )
    return out


def _other_line(
    read: str, check: GroupContrast | None, claim: Claim
) -> tuple[str, ...]:
    """A reason not to decide, where the check over another line says the opposite."""
    if check is None:
        return ()
    other = reading(*_interval(check, claim.measure), claim.threshold)
    if UNDECIDED in (read, other) or read == other:
        return ()
    return (f"the check over another line says {other}",)


def _by_training_set(claim: Claim, answer: QuestionAnswer) -> list[str]:
    """The contrast with each small training set alone, where the claim is of both."""
    if claim.pair[1] != "small":
        return []
    pairs = [(claim.pair[0], one) for one in SMALL_DATA]
    there = [
        answer.contrasts[pair] for pair in pairs if pair in answer.contrasts
    ]
    return [contrast_words(one, claim.measure) for one in there]


def _what_weakens(
    contrast: GroupContrast, answer: QuestionAnswer
) -> tuple[str, ...]:
    """Why the contrast's interval cannot decide."""
    out = list(answer.unlike)
    sides = zip(
        (contrast.first, contrast.second),
        contrast.n,
        contrast.runs,
        contrast.extrapolated,
        strict=True,
    )
    for words, n, runs, beyond in sides:
        if runs < FEW:
            out.append(
                f"{words}: {runs} independent run(s), so the interval says little of others"
            )
        if 2 * beyond > n:
            out.append(
                f"{words}: {beyond} of {n} lie beyond the ID accuracies of the baseline"
            )
    return tuple(out)


def _mends(
    contrast: GroupContrast, claim: Claim, answer: QuestionAnswer, verdict: str
) -> list[str]:
    """What would decide an undecided claim."""
    if verdict != UNDECIDED:
        return []
    out = []
    if answer.unlike:
        out.append(
            "all models under the same settings (--again runs them anew)"
        )
    if contrast.few:
        out.append(
            f"at least {FEW} independent trainings in each group (rows of the list of models)"
        )
    if any(
        2 * beyond > n
        for beyond, n in zip(contrast.extrapolated, contrast.n, strict=True)
    ):
        out.append(
            "baseline models whose ID accuracy reaches that of the models compared"
        )
    if _guesses(claim, answer):
        out.append("models that do better than a guess")
    return out or [
        "more models, or more images: the interval holds the threshold"
    ]


def _what_is_needed(claim: Claim, answer: QuestionAnswer, why: str) -> str:
    if why.startswith("no result of"):
        sets = {"large": LARGE_DATA, "small": SMALL_DATA}
        groups = [key for key in claim.pair if not answer.members(key)]
        named = ", ".join(
            f"{GROUPS[key].words} ({', '.join(sets[key])})"
            if key in sets
            else GROUPS[key].words
            for key in groups
        )
        return f"results of {named}"
    if why.startswith("too few models"):
        keys = answer.question.baseline
        words = " and ".join(GROUPS[key].words for key in keys)
        return f"results of at least {FEW} independent {words} that differ in ID accuracy"
    question = answer.question
    return (
        f"results with {question.id_score.split}:{question.id_score.task} and "
        f"{question.ood_score.split}:{question.ood_score.task}: --data and --id-data"
    )


def _of_cause(cause: CausalClaim, answer: QuestionAnswer) -> Verdict:
    columns = {"cause-scale": "training_images", "cause-diversity": "nmi"}
    if cause.key in columns:
        evidence = association_words(answer, columns[cause.key])
    else:
        pair = ("small", "supervised-like-scale")
        contrast = answer.contrasts.get(pair)
        said = (
            None if contrast is None else contrast_words(contrast, "difference")
        )
        evidence = f"at a like number of images: {said}" if said else None
    why = "these models differ in design, data and training at once"
    said_too = () if evidence is None else (evidence,)
    return Verdict(
        cause.key, cause.words, UNDECIDED, said_too, (why,), cause.missing
    )


def association_words(answer: QuestionAnswer, column: str) -> str | None:
    """Rank correlation, over CLIPs, of a fact that is a number with effective generalization; None
    where fewer than four runs have it. The interval draws runs.
    """
    rho = {score.model: score.rho for score in answer.scores}
    rows = [
        (record.run or record.model, float(value), rho[record.model])
        for record in answer.members("clip")
        if (value := _number(record.facts.get(column))) is not None
        and record.model in rho
    ]
    runs = sorted({run for run, _, _ in rows})
    if len(runs) < 4:
        return None
    by_run = [[row[1:] for row in rows if row[0] == run] for run in runs]
    table = np.array([np.mean(some, axis=0) for some in by_run])
    if (np.ptp(table, axis=0) == 0).any():
        return None
    drawn = np.random.default_rng(4).integers(len(runs), size=(4000, len(runs)))
    value = float(spearman_correlation(table[:, 0], table[:, 1])[0])
    low, high = percentile_interval(
        spearman_correlation(table[:, 0][drawn], table[:, 1][drawn])
    )
    return (
        f"rank correlation with {column} over CLIPs {value:+.2f} [{low:+.2f}, {high:+.2f}], "
        f"n = {len(runs)} runs of {len({*table[:, 0].tolist()})} values: an association, "
        "not a cause"
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
