"""The study's figures from its table of runs: accuracies, effective generalization, trends.
docs/study_design.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from aobench.analysis.effective import (
    FittedLine,
    accuracies_of,
    effective_generalization,
    fit_baseline,
)
from aobench.analysis.model_accuracies import ModelAccuracies
from aobench.study.collecting import unpack_counts
from aobench.study.design import CENTRE, SEEDS, SUPERVISIONS, Run, design_points

BASELINES = {
    "object": "object",
    "composition": "two_head",
}  #: kind of accuracy -> supervision of the baseline
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; fractions, unless said otherwise."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """For a claim that the figure is above 0."""
        return (
            "borne out"
            if self.low > 0
            else "contradicted"
            if self.high < 0
            else "undecided"
        )

    def __neg__(self) -> Estimate:
        return Estimate(0.0 - self.value, -self.high, -self.low)


def over_seeds(values: Iterable[float], fit_error: float = 0.0) -> Estimate:
    """Mean with its t interval over seeds; 1.96 ``fit_error`` (standard error of the baseline)
    added in quadrature.
    """
    seen = np.array(list(values), float)
    half = (
        student.ppf(0.975, len(seen) - 1)
        * seen.std(ddof=1)
        / np.sqrt(len(seen))
        if len(seen) > 1
        else np.inf
    )
    half = float(np.hypot(half, Z * fit_error))
    return Estimate(
        float(seen.mean()), float(seen.mean() - half), float(seen.mean() + half)
    )


class Study:
    """The runs of a table that :func:`aobench.study.collecting.collect_runs` made."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.rows = {
            Run(r["seed"], r["scale"], r["diversity"], r["supervision"]): r
            for r in content["runs"]
        }
        self.images = content["images_a_composition"]

    def right(self, run: Run, split: str, kind: str) -> np.ndarray | None:
        """Right answers by composition, or None where the run cannot give them."""
        text = self.rows[run]["right"][split].get(kind)
        return None if text is None else unpack_counts(text)

    def accuracy(self, run: Run, split: str, kind: str = "object") -> float:
        """Fraction right; raises KeyError for a kind that the run's supervision cannot answer."""
        right = self.right(run, split, kind)
        if right is None:
            raise KeyError(kind)
        return float(right.sum() / (len(right) * self.images[split]))

    def interval(
        self, run: Run, split: str, kind: str = "object", draws: int = 2000
    ) -> Estimate:
        """Accuracy of one run with a bootstrap of compositions."""
        right = self.right(run, split, kind)
        if right is None:
            raise KeyError(kind)
        drawn = np.random.default_rng(0).integers(
            len(right), size=(draws, len(right))
        )
        low, high = np.quantile(
            right[drawn].mean(1) / self.images[split], (0.025, 0.975)
        )
        return Estimate(
            self.accuracy(run, split, kind), float(low), float(high)
        )

    def record(self, run: Run, kind: str) -> ModelAccuracies:
        """The run as a record of effective generalization."""
        sizes = [
            len(self.right(run, s, "object")) * self.images[s]  # type: ignore[arg-type]
            for s in ("id", "ood")
        ]
        rates = [self.accuracy(run, s, kind) for s in ("id", "ood")]
        what = f"n = {run.scale}, d = {run.diversity}"
        return ModelAccuracies(
            run.name,
            run.supervision,
            what,
            rates[0],
            sizes[0],
            rates[1],
            sizes[1],
            run.name,
        )

    @cached_property
    def lines(self) -> dict[str, FittedLine]:
        """The baselines of the design: by kind the 15 runs of one supervision along the scale
        axis.
        """
        out = {}
        for kind, supervision in BASELINES.items():
            runs = [
                Run(s, n, d, supervision)
                for n, d in design_points()
                if d == CENTRE[1]
                for s in SEEDS
            ]
            out[kind] = fit_baseline([self.record(r, kind) for r in runs])
        return out

    def rho(self, run: Run, kind: str = "object") -> float:
        """Effective generalization of one run."""
        return effective_generalization(
            self.lines[kind], [self.record(run, kind)]
        )[0].rho

    def expected(self, runs: list[Run], kind: str) -> np.ndarray:
        """draws x runs: bootstrap of the OoD accuracies that the baseline expects."""
        line = self.lines[kind]
        models = accuracies_of(
            [self.record(r, kind) for r in runs], line.id_sets
        )
        return line.expected_draws(models, np.random.default_rng(3), 0.95)

    def condition(
        self, scale: int, diversity: int, supervision: str
    ) -> list[Run]:
        """The runs of a condition, one a seed."""
        return [Run(s, scale, diversity, supervision) for s in SEEDS]

    def mean_accuracy(
        self, runs: list[Run], split: str, kind: str = "object"
    ) -> Estimate:
        """Mean over seeds with the t interval."""
        return over_seeds(self.accuracy(r, split, kind) for r in runs)

    def mean_rho(self, runs: list[Run], kind: str = "object") -> Estimate:
        """A condition's effective generalization: seeds and the baseline's fit."""
        error = self.expected(runs, kind).mean(1).std(ddof=1)
        return over_seeds((self.rho(r, kind) for r in runs), float(error))

    def trend(
        self,
        conditions: list[tuple[int, int]],
        supervision: str,
        kind: str = "object",
        plain: bool = False,
    ) -> Estimate:
        """Slope of rho (``plain``: of OoD accuracy) per doubling of the one factor that differs."""
        factor = 0 if len({c[0] for c in conditions}) > 1 else 1
        x = np.log2([c[factor] for c in conditions])
        weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        by_seed = [
            [Run(s, n, d, supervision) for n, d in conditions] for s in SEEDS
        ]
        measure: Callable[[Run], float] = (
            (lambda r: self.accuracy(r, "ood", kind))
            if plain
            else (lambda r: self.rho(r, kind))
        )
        slopes = [
            float(weights @ [measure(r) for r in runs]) for runs in by_seed
        ]
        if plain:
            return over_seeds(slopes)
        drawn = np.mean(
            [self.expected(runs, kind) @ weights for runs in by_seed], axis=0
        )
        return over_seeds(slopes, float(drawn.std(ddof=1)))

    def table(self) -> list[dict[str, Any]]:
        """One row a condition, with intervals; accuracies, rho and NMI as fractions."""
        return [
            self._row(scale, diversity, s)
            for scale, diversity in design_points()
            for s in SUPERVISIONS
        ]

    def _row(
        self, scale: int, diversity: int, supervision: str
    ) -> dict[str, Any]:
        runs = self.condition(scale, diversity, supervision)
        row: dict[str, Any] = {
            "scale": scale,
            "diversity": diversity,
            "supervision": supervision,
            "seeds": len(runs),
        }
        figures: dict[str, Estimate | None] = {
            "id_object": self.mean_accuracy(runs, "id"),
            "ood_object": self.mean_accuracy(runs, "ood"),
            "rho_object": self.mean_rho(runs),
            "id_composition": None,
            "ood_composition": None,
            "rho_composition": None,
            "ood_object_prompt": None,
        }
        if supervision != "object":
            figures["id_composition"] = self.mean_accuracy(
                runs, "id", "composition"
            )
            figures["ood_composition"] = self.mean_accuracy(
                runs, "ood", "composition"
            )
            figures["rho_composition"] = self.mean_rho(runs, "composition")
        if supervision == "contrastive":
            figures["ood_object_prompt"] = self.mean_accuracy(
                runs, "ood", "object_prompt"
            )
        for name, e in figures.items():
            row |= {
                name: e and e.value,
                f"{name}_low": e and e.low,
                f"{name}_high": e and e.high,
            }
        for name in ("nmi", "nmi_shuffled"):
            row[name] = float(np.mean([self.rows[r][name] for r in runs]))
        far = effective_generalization(
            self.lines["object"], [self.record(r, "object") for r in runs]
        )
        row["extrapolated_runs"] = sum(e.extrapolated for e in far)
        for name in ("dci_disentanglement", "factor_r2", "retrieval"):
            row[name] = float(
                np.mean([self.rows[r]["disentanglement"][name] for r in runs])
            )
        return row
