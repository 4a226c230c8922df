"""The second edition's figures with their errors over seeds, over pairs and over both
(docs/study_design_2.md).

Every figure is a function of the accuracies of all runs, so each source of error is one more set of
accuracies: without one seed, or with the compositions drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student

from aobench.mini.render import ATTRIBUTES
from aobench.study.factorial import (
    DIVERSITIES,
    FURTHER,
    SCALES,
    SUPERVISIONS,
    points,
)
from aobench.study.factorial_table import SPLITS, FactorialTable
from aobench.study.summary import Estimate
from aobench.study.world import CORE, N_OBJECTS, novel_pairs, training_pairs

DRAWS = 2000
Z = float(norm.ppf(0.975))
#: Accuracies by (supervision, split, reading): draws x seeds x points.
Rates = dict[tuple[str, str, str], np.ndarray]
_LEAD = {s: f"mean lead {s}" for s in SUPERVISIONS}
#: Sums of figures, each times a factor, that statements are about.
COMBINED = {
    "contrastive less seen_pairs_cosine": {
        _LEAD["contrastive"]: 1.0,
        _LEAD["seen_pairs_cosine"]: -1.0,
    },
    "seen_pairs_cosine less half of contrastive": {
        _LEAD["seen_pairs_cosine"]: 1.0,
        _LEAD["contrastive"]: -0.5,
    },
    "contrastive less seen_pairs": {
        _LEAD["contrastive"]: 1.0,
        _LEAD["seen_pairs"]: -1.0,
    },
    "contrastive less composed_pairs_cosine": {
        _LEAD["contrastive"]: 1.0,
        _LEAD["composed_pairs_cosine"]: -1.0,
    },
    "contrastive less composed_pairs": {
        _LEAD["contrastive"]: 1.0,
        _LEAD["composed_pairs"]: -1.0,
    },
    "contrastive less contrastive_labels": {
        _LEAD["contrastive"]: 1.0,
        _LEAD["contrastive_labels"]: -1.0,
    },
}


@dataclass(frozen=True)
class Sourced:
    """A figure, the standard errors of its sources, and the number of ``runs`` a cell (seeds)."""

    value: float
    seeds: float
    pairs: float
    parts: float
    runs: int

    def _within(self, error: float, factor: float) -> Estimate:
        half = factor * error
        return Estimate(self.value, self.value - half, self.value + half)

    @property
    def _t(self) -> float:
        return float(student.ppf(0.975, self.runs - 1))

    @property
    def over_seeds(self) -> Estimate:
        """Other training sets and starts, these test pairs."""
        return self._within(self.seeds, self._t)

    @property
    def over_pairs(self) -> Estimate:
        """These runs, other pairs of these attributes and objects."""
        return self._within(self.pairs, Z)

    @property
    def over_both(self) -> Estimate:
        """Both; verdicts are by this one."""
        return self._within(float(np.hypot(self.seeds, self.pairs)), self._t)

    @property
    def over_parts(self) -> Estimate:
        """Seeds, and attributes and objects like these."""
        return self._within(float(np.hypot(self.seeds, self.parts)), self._t)


def logits(rates: np.ndarray, images: int) -> np.ndarray:
    """Log odds, with rates of 0 and 1 half an image inside."""
    return logit(np.clip(rates, 0.5 / images, 1 - 0.5 / images))


def slope_weights() -> dict[str, np.ndarray]:
    """What a slope per doubling gives each point, the other factor held: the factors are
    crossed.
    """
    out = {}
    for name, column in (("scale", 0), ("diversity", 1)):
        x = np.log2([point[column] for point in points()])
        out[name] = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return out


def common_slope(known: np.ndarray, novel: np.ndarray) -> np.ndarray:
    """Slope of ``novel`` on ``known`` (... x points) with an intercept for each diversity."""
    shape = (*known.shape[:-1], len(SCALES), len(DIVERSITIES))
    x, y = known.reshape(shape), novel.reshape(shape)
    x, y = (v - v.mean(-2, keepdims=True) for v in (x, y))
    return (x * y).sum((-2, -1)) / (x * x).sum((-2, -1))


class Factorial:
    """The figures of a table, by name; see :meth:`figures` for the names."""

    def __init__(self, table: FactorialTable, draws: int = DRAWS) -> None:
        self.table = table
        self.draws = draws
        self._rates = {
            (s, split, kind): table.rates(s, split, kind)
            for s in SUPERVISIONS
            for split in SPLITS
            for kind in ("object", *FURTHER.get(s, ()))
        }

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the table."""
        return self.table.seeds

    def _mean_rates(self, weights: dict[str, np.ndarray]) -> Rates:
        """Accuracies with the compositions' ``weights``, by split draws x compositions."""
        out = {}
        for key, rates in self._rates.items():
            w = weights[key[1]]
            out[key] = np.einsum(
                "kpc,dc->dkp", rates, w / w.sum(1, keepdims=True)
            )
        return out

    def figures(self, rates: Rates) -> dict[str, np.ndarray]:
        """Every figure, a value a draw.

        Names: ``SPLIT READING SUPERVISION SCALE DIVERSITY`` (an accuracy), ``lead``, ``plain`` and
        ``points`` with the same end, ``mean WHAT SUPERVISION`` and ``FACTOR WHAT SUPERVISION`` (a
        slope per doubling) of ``lead``, ``plain``, ``points`` and ``ood`` (log odds), ``b``,
        ``b DIVERSITY`` (its own slope), and :data:`COMBINED`.
        """
        log = {
            key: logits(v, self.table.images(key[1]))
            for key, v in rates.items()
        }
        base = {split: log["object", split, "object"] for split in SPLITS}
        b = common_slope(base["id"].mean(1), base["ood"].mean(1))
        out = {"b": b} | _own_slopes(base)
        for (s, split, kind), values in rates.items():
            out |= _at_points(f"{split} {kind} {s}", values.mean(1))
            out[f"mean {split} {kind} {s}"] = values.mean((1, 2))
        for s in SUPERVISIONS:
            out |= self._leads(s, log, base, b)
            out |= _summaries("ood", s, log[s, "ood", "object"].mean(1))
        for name, parts in COMBINED.items():
            terms = [factor * out[part] for part, factor in parts.items()]
            out[name] = np.sum(terms, axis=0)
        return out

    def _leads(
        self, s: str, log: Rates, base: dict[str, np.ndarray], b: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The leads of one supervision over object classifiers."""
        known = log[s, "id", "object"] - base["id"]
        plain = log[s, "ood", "object"] - base["ood"]
        lead = plain - b[:, None, None] * known
        expected = expit(log[s, "ood", "object"] - lead)
        reached = expit(log[s, "ood", "object"])
        out: dict[str, np.ndarray] = {}
        for name, values in (
            ("lead", lead),
            ("plain", plain),
            ("points", reached - expected),
        ):
            means = values.mean(1)
            out |= _at_points(f"{name} {s}", means)
            out |= _summaries(name, s, means)
        return out

    @cached_property
    def sourced(self) -> dict[str, Sourced]:
        """Every figure with the errors of its sources."""
        values = self.figures(self._mean_rates(_alike()))
        seeds = self._jackknife()
        pairs, parts = (
            self.figures(self._mean_rates(draw(self.draws)))
            for draw in (drawn_pairs, drawn_parts)
        )
        return {
            name: Sourced(
                float(value[0]),
                seeds[name],
                float(pairs[name].std(ddof=1)),
                float(parts[name].std(ddof=1)),
                len(self.seeds),
            )
            for name, value in values.items()
        }

    def _jackknife(self) -> dict[str, float]:
        """Standard errors from leaving out one seed at a time, all fitted again."""
        whole, count = self._mean_rates(_alike()), len(self.seeds)
        left = [
            self.figures({k: np.delete(v, out, 1) for k, v in whole.items()})
            for out in range(count)
        ]
        errors = {}
        for name in left[0]:
            each = np.array([one[name][0] for one in left])
            errors[name] = float(np.sqrt((count - 1) * each.var()))
        return errors


def _own_slopes(base: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The object classifiers' slope of each diversity, from its two scales."""
    split = {
        key: v.mean(1).reshape(-1, len(SCALES), len(DIVERSITIES))
        for key, v in base.items()
    }
    rise = {key: v[:, -1] - v[:, 0] for key, v in split.items()}
    slopes = rise["ood"] / rise["id"]
    return {f"b {d}": slopes[:, i] for i, d in enumerate(DIVERSITIES)}


def _at_points(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """``values`` draws x points by name and point."""
    return {
        f"{name} {n} {d}": values[:, i] for i, (n, d) in enumerate(points())
    }


def _summaries(
    what: str, supervision: str, values: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean and slopes of ``values``, draws x points."""
    out = {f"mean {what} {supervision}": values.mean(1)}
    for factor, weights in slope_weights().items():
        out[f"{factor} {what} {supervision}"] = values @ weights
    return out


def _tests() -> dict[str, np.ndarray]:
    """Attribute and object of each composition of a test, in its order, int N x 2."""
    return {
        "id": np.array(training_pairs(CORE, 0)),
        "ood": np.array(novel_pairs()),
    }


def _alike() -> dict[str, np.ndarray]:
    """All compositions alike, as one draw."""
    return {
        split: np.ones((1, len(pairs))) for split, pairs in _tests().items()
    }


def drawn_pairs(draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """How often each composition is drawn, draws x compositions, by test."""
    rng = np.random.default_rng(seed)
    return {
        split: _multiplicities(rng, draws, len(pairs))
        for split, pairs in _tests().items()
    }


def drawn_parts(draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The pigeonhole bootstrap (Owen 2007): a composition counts as often as its attribute times
    as often as its object; the same attributes and objects in both tests.
    """
    rng = np.random.default_rng(seed)
    attributes = _multiplicities(rng, draws, len(ATTRIBUTES))
    objects = _multiplicities(rng, draws, N_OBJECTS)
    return {
        split: attributes[:, pairs[:, 0]] * objects[:, pairs[:, 1]]
        for split, pairs in _tests().items()
    }


def _multiplicities(
    rng: np.random.Generator, draws: int, count: int
) -> np.ndarray:
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(
        float
    )
