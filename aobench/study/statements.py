"""The six statements that the design fixed before any run, and what the runs say of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aobench.analysis.rank_correlation import (
    percentile_interval,
    rows_of_groups,
    spearman_correlation,
)
from aobench.study.design import (
    CENTRE,
    DIVERSITIES,
    SCALES,
    SEEDS,
    SUPERVISIONS,
    Run,
    design_points,
)
from aobench.study.summary import Estimate, Study, over_seeds

DRAWS = 2000
BIASED = "NMI's bias in small sets makes it; adjusted for chance it is 5b"
WEAK_FORESTS = (
    "the forests of DCI tell the object far worse than a linear probe"
)


@dataclass(frozen=True)
class Statement:
    """``figure``: what must be above 0 for the claim; ``unit``: points, or none for a
    correlation (``scale`` 1); ``withdrawn``: why the claim is not judged any more.
    """

    number: str
    claim: str
    figure: Estimate
    scale: float = 100.0
    unit: str = "points"
    withdrawn: str = ""

    @property
    def verdict(self) -> str:
        """Of the figure's interval, unless the statement is withdrawn."""
        return "withdrawn" if self.withdrawn else self.figure.verdict

    @property
    def line(self) -> str:
        """One line of text."""
        v = [
            self.scale * x
            for x in (self.figure.value, self.figure.low, self.figure.high)
        ]
        digits = 1 if self.scale == 100 else 2
        shown = f"{v[0]:+.{digits}f} [{v[1]:+.{digits}f}, {v[2]:+.{digits}f}] {self.unit}".rstrip()
        why = f" ({self.withdrawn})" if self.withdrawn else ""
        return f"{self.number:3s} {self.claim}: {shown}: {self.verdict}{why}"


def rank_correlation(
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """Spearman's correlation with a bootstrap that draws whole groups; NaN where ``x`` or ``y``
    is constant.
    """
    rows = rows_of_groups(group, draws, np.random.default_rng(seed))
    return Estimate(
        float(spearman_correlation(x, y)[0]),
        *percentile_interval(spearman_correlation(x[rows], y[rows])),
    )


def adjusted_nmi(row: dict[str, Any]) -> float:
    """NMI of a run's captions less what pairings at random have, over 1 less the same: 0 by
    chance.
    """
    chance = float(row["nmi_shuffled"])
    return (float(row["nmi"]) - chance) / (1 - chance)


def plain_nmi(row: dict[str, Any]) -> float:
    """NMI of a run's captions, with its bias."""
    return float(row["nmi"])


def nmi_correlation(
    study: Study,
    draws: int = DRAWS,
    seed: int = 0,
    nmi: Callable[[dict[str, Any]], float] = plain_nmi,
) -> Estimate:
    """Spearman over the 8 points of captions' NMI and contrastive OoD composition accuracy.

    Bootstrap of points and, within a point, of seeds.
    """
    runs = [
        [Run(s, n, d, "contrastive") for s in SEEDS] for n, d in design_points()
    ]
    x = np.array([[nmi(study.rows[r]) for r in row] for row in runs])
    y = np.array(
        [[study.accuracy(r, "ood", "composition") for r in row] for row in runs]
    )
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(x), size=(draws, len(x), 1))
    seeds = rng.integers(x.shape[1], size=(draws, *x.shape))
    drawn = spearman_correlation(x[rows, seeds].mean(2), y[rows, seeds].mean(2))
    return Estimate(
        float(spearman_correlation(x.mean(1), y.mean(1))[0]),
        *percentile_interval(drawn),
    )


def measure_correlation(
    study: Study, measure: str, supervisions: Sequence[str] = SUPERVISIONS
) -> Estimate:
    """Spearman over runs of a disentanglement measure and OoD object accuracy; bootstrap of
    conditions.
    """
    runs = [r for r in study.rows if r.supervision in supervisions]
    x = np.array([study.rows[r]["disentanglement"][measure] for r in runs])
    y = np.array([study.accuracy(r, "ood") for r in runs])
    names = np.array([f"{r.supervision} {r.scale} {r.diversity}" for r in runs])
    return rank_correlation(x, y, names)


def all_statements(study: Study) -> list[Statement]:
    """All statements of docs/study_design.md, each part on its own."""
    centre = {s: study.condition(*CENTRE, s) for s in SUPERVISIONS}
    more = over_seeds(
        study.rho(a) - study.rho(b)
        for a, b in zip(centre["contrastive"], centre["two_head"], strict=True)
    )
    scales, diversities = (
        [(n, CENTRE[1]) for n in SCALES],
        [(CENTRE[0], d) for d in DIVERSITIES],
    )
    rank = {"scale": 1.0, "unit": ""}
    return [
        Statement(
            "1",
            "centre: rho of contrastive over the object line > 0",
            study.mean_rho(centre["contrastive"]),
        ),
        Statement(
            "2a", "centre: rho of contrastive less that of two_head > 0", more
        ),
        Statement(
            "2b",
            "centre: composition rho of contrastive over the two_head baseline > 0",
            study.mean_rho(centre["contrastive"], "composition"),
        ),
        Statement(
            "3",
            "rho of contrastive per doubling of images > 0",
            study.trend(scales, "contrastive"),
        ),
        Statement(
            "4a",
            "rho of contrastive per doubling of diversity > 0",
            study.trend(diversities, "contrastive"),
        ),
        Statement(
            "4b",
            "OoD object accuracy of contrastive per doubling of diversity > 0",
            study.trend(diversities, "contrastive", plain=True),
        ),
        Statement(
            "5",
            "less NMI, more OoD composition accuracy (minus Spearman > 0)",
            -nmi_correlation(study),
            withdrawn=BIASED,
            **rank,  # type: ignore[arg-type]
        ),
        Statement(
            "5b",
            "the same with NMI adjusted for chance, looked at afterwards",
            -nmi_correlation(study, nmi=adjusted_nmi),
            **rank,  # type: ignore[arg-type]
        ),
        Statement(
            "6a",
            "DCI disentanglement and OoD object accuracy (Spearman > 0)",
            measure_correlation(study, "dci_disentanglement"),
            withdrawn=WEAK_FORESTS,
            **rank,  # type: ignore[arg-type]
        ),
        Statement(
            "6b",
            "factor-fit R^2 and OoD object accuracy (Spearman > 0)",
            measure_correlation(study, "factor_r2"),
            **rank,  # type: ignore[arg-type]
        ),
    ]
