"""How far annotators agree, for each question apart: raw agreement, Cohen's and Fleiss' kappa,
Krippendorff's alpha.

Answers are columns of an integer array of shape (annotators, images): 0 no, 1 yes, 2 unsure, -1
missing. Images with the same column are one pattern with a weight, so a bootstrap draw over images
is a draw of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aobench.annotation.trials import QUESTIONS
from aobench.annotation.verdict_store import Verdict
from aobench.errors import UserError

CODES = {"no": 0, "yes": 1, "unsure": 2}
UNSURE = ("missing", "category")

Codes = npt.NDArray[np.int64]
Measure = Callable[[Codes, Codes], tuple[float | None, int]]


@dataclass(frozen=True)
class AgreementScore:
    """One measure for one question. ``value`` is None where the measure is undefined, and ``why``
    says why.

    ``low`` and ``high`` bound the 95 % percentile interval of a bootstrap over images, from the
    draws in which the measure is defined; ``undefined_draws`` counts the others. ``n``: the images
    that the measure is computed from.
    """

    question: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str = ""
    undefined_draws: int = 0


def answer_codes(
    verdicts: Sequence[Verdict], question: str, unsure: str = "missing"
) -> Codes:
    """Answers to a question as an array (annotators, images), both sorted; -1 where there is no
    answer.

    ``unsure``: "missing" counts it as no answer, "category" as an answer like yes and no.
    """
    if unsure not in UNSURE or question not in QUESTIONS:
        raise UserError(
            f"unsure counts as {' or '.join(UNSURE)}, questions are {' and '.join(QUESTIONS)}"
        )
    names = {
        name: i
        for i, name in enumerate(sorted({v.annotator for v in verdicts}))
    }
    images = {
        image: i
        for i, image in enumerate(sorted({v.trial.image_id for v in verdicts}))
    }
    out = np.full((len(names), len(images)), -1, dtype=np.int64)
    for verdict in verdicts:
        answer = CODES[
            verdict.attribute_answer
            if question == "attribute"
            else verdict.object_answer
        ]
        if answer < 2 or unsure == "category":
            out[names[verdict.annotator], images[verdict.trial.image_id]] = (
                answer
            )
    return out


def answer_counts(codes: Codes) -> Codes:
    """How many annotators gave each answer: (annotators, images) to (images, categories)."""
    width = max(int(codes.max(initial=0)) + 1, 2)
    return np.stack([(codes == c).sum(axis=0) for c in range(width)], axis=1)


def raw_agreement(
    codes: Codes, weights: Codes | None = None
) -> tuple[float | None, int]:
    """Share of agreeing pairs of annotators, averaged over the images with at least two answers;
    and their number.
    """
    table, weights = _kept(codes, weights, at_least=2)
    n = int(weights.sum())
    return (
        (float(np.average(_agreeing(table), weights=weights)), n)
        if n
        else (None, 0)
    )


def cohen_kappa(
    codes: Codes, weights: Codes | None = None
) -> tuple[float | None, int]:
    """Cohen's kappa (1960) of two annotators over the images that both answered; and their number.

    (P_o - P_e) / (1 - P_e), with P_o the share of equal answers and P_e what the annotators' own
    shares of each answer would give by chance. None where both give one and the same answer
    throughout: chance alone then agrees always. Equal to scikit-learn's, whose checks would take
    twenty times as long in a bootstrap.
    """
    weights = (
        np.ones(codes.shape[1], dtype=np.int64) if weights is None else weights
    )
    both = (codes >= 0).all(axis=0) & (weights > 0)
    first, second = codes[:, both]
    n = int(weights[both].sum())
    if len(set(first) | set(second)) < 2:
        return None, n
    width = int(codes.max()) + 1
    pairs = np.bincount(first * width + second, weights[both], width * width)
    shares = pairs.reshape(width, width) / n
    expected = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return (float(np.trace(shares)) - expected) / (1 - expected), n


def fleiss_kappa(
    codes: Codes, weights: Codes | None = None
) -> tuple[float | None, int]:
    """Fleiss' kappa over the images that every annotator answered; and their number.

    J. L. Fleiss (1971), Measuring nominal scale agreement among many raters: with k annotators and
    n_ij of them giving image i the answer j, P_i = (sum_j n_ij^2 - k) / (k (k - 1)), P_e = sum_j
    p_j^2 with p_j the share of j among all answers, kappa = (mean P_i - P_e) / (1 - P_e). None
    where all answers are the same.
    """
    table, weights = _kept(codes, weights, at_least=len(codes))
    n = int(weights.sum())
    if not n:
        return None, 0
    shares = weights @ table / (n * len(codes))
    expected = float((shares**2).sum())
    if shares.max() == 1:
        return None, n
    return (float(np.average(_agreeing(table), weights=weights)) - expected) / (
        1 - expected
    ), n


def krippendorff_alpha(
    codes: Codes, weights: Codes | None = None
) -> tuple[float | None, int]:
    """Krippendorff's alpha for nominal answers, some of which may be missing; and the images with
    at least two answers.

    By the library krippendorff. None where all answers to these images are the same. Raises
    UserError without it.
    """
    try:
        import krippendorff
    except ImportError as error:
        raise UserError(
            "Krippendorff's alpha needs a library: pip install 'imagenet-ao[annotate]'"
        ) from error

    table, weights = _kept(codes, weights, at_least=2)
    if (table.sum(axis=0) > 0).sum() < 2:
        return None, int(weights.sum())
    units = np.repeat(table, weights, axis=0)
    return float(
        krippendorff.alpha(value_counts=units, level_of_measurement="nominal")
    ), len(units)


def _kept(
    codes: Codes, weights: Codes | None, at_least: int
) -> tuple[Codes, Codes]:
    """Counts (images, categories) and weights of the images with so many answers."""
    table = answer_counts(codes)
    weights = (
        np.ones(len(table), dtype=np.int64) if weights is None else weights
    )
    keep = (table.sum(axis=1) >= at_least) & (weights > 0)
    return table[keep], weights[keep]


def _agreeing(table: Codes) -> npt.NDArray[np.float64]:
    """Share of agreeing pairs of annotators for each image of counts (images, categories)."""
    n_answers = table.sum(axis=1)
    return np.asarray(
        ((table**2).sum(axis=1) - n_answers) / (n_answers * (n_answers - 1))
    )


def agreement_measures(annotators: int) -> dict[str, Measure]:
    """The measures that fit a number of annotators."""
    kappa: dict[str, Measure] = (
        {"Cohen's kappa": cohen_kappa}
        if annotators == 2
        else {"Fleiss' kappa": fleiss_kappa}
    )
    return {
        "raw agreement": raw_agreement,
        **kappa,
        "Krippendorff's alpha": krippendorff_alpha,
    }


def agreement_scores(
    verdicts: Sequence[Verdict],
    unsure: str = "missing",
    draws: int = 1000,
    seed: int = 0,
) -> list[AgreementScore]:
    """Every measure for both questions, with 95 % intervals. ``verdicts``: those on images,
    without catch trials.
    """
    out = []
    for question in QUESTIONS:
        codes = answer_codes(verdicts, question, unsure)
        for name, measure in agreement_measures(len(codes)).items():
            if len(codes) < 2:
                out.append(
                    AgreementScore(
                        question,
                        name,
                        None,
                        None,
                        None,
                        0,
                        "needs two annotators",
                    )
                )
            else:
                out.append(_figure(question, name, measure, codes, draws, seed))
    return out


def _figure(
    question: str,
    name: str,
    measure: Measure,
    codes: Codes,
    draws: int,
    seed: int,
) -> AgreementScore:
    value, n = measure(codes, np.ones(codes.shape[1], dtype=np.int64))
    if value is None:
        why = (
            "all answers are the same"
            if n
            else "no image was answered by enough annotators"
        )
        return AgreementScore(question, name, None, None, None, n, why)
    patterns, weights = np.unique(codes, axis=1, return_counts=True)
    rng = np.random.default_rng(seed)
    # One draw at a time, which are the same as all at once, and need no memory.
    drawn = [
        measure(
            patterns, rng.multinomial(weights.sum(), weights / weights.sum())
        )[0]
        for _ in range(draws)
    ]
    known = [d for d in drawn if d is not None]
    low, high = (
        np.quantile(known, [0.025, 0.975]).tolist() if known else (None, None)
    )
    return AgreementScore(
        question, name, value, low, high, n, undefined_draws=draws - len(known)
    )
