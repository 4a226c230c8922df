"""How separately an embedding holds attribute and object, which are nominal: classifiers, scored on
held-out data.

Definitions as compared by Zaidi et al. 2020 (arXiv 2012.09276); each function names its source and
departures. Held-out means other *compositions* than those fitted on, so that naming an attribute by
knowing the composition does not count. Input everywhere: ``z`` float N x D, ``factors`` int N x K
with columns attribute, object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aobench.audit.statistics import normalised_information
from aobench.errors import UserError

BINS = 20  #: quantile bins of a dimension (Zaidi et al. 2020, section 3)
TREES = 20  #: of a forest; every split looks at all dimensions, so that noise draws no importance
#: Each measure of :func:`measures`, what it says, and its value where the factors are held apart
#: perfectly.
EXPLAINED = {
    "z_diff": "a linear classifier tells from mean |z1 - z2| which factor pairs of images share; "
    "chance 1/2, best 1",
    "dci_disentanglement": "each dimension serves one factor: 1 - entropy of its importances, "
    "weighted; best 1",
    "dci_completeness": "each factor is served by one dimension: 1 - entropy over dimensions; best "
    "1",
    "informativeness_attribute": "held-out accuracy of a random forest that names the attribute; "
    "best 1",
    "informativeness_object": "the same for the object",
    "explicitness_attribute": "held-out 2 AUC - 1 of linear classifiers, one an attribute, mean; "
    "chance 0, best 1",
    "explicitness_object": "the same for objects",
    "dcimig": "gap of a dimension's information on its first and second factor, best dimension of "
    "each factor; best 1",
    "soft_rank": "exp(entropy of the shares of variance of the principal components); 1..D, "
    "neither end is best",
    "factor_r2": "held-out R^2 of composition means by mean + attribute vector + object vector; "
    "best 1, may be below 0",
    "retrieval": "held-out image - its attribute's vector + another's: the nearest image shows the "
    "target composition",
}


@dataclass(frozen=True)
class HeldOut:
    """Row numbers to fit on and to score on; no composition is in both."""

    fit: np.ndarray
    score: np.ndarray


def number_compositions(factors: np.ndarray) -> np.ndarray:
    """A number 0.. for the composition of each row, int N."""
    return np.unique(factors, axis=0, return_inverse=True)[1].reshape(-1)


def hold_out(factors: np.ndarray, seed: int = 0, share: float = 0.4) -> HeldOut:
    """Hold out about ``share`` of the compositions, so that every attribute and object stays among
    those fitted on.

    Raises UserError where that cannot be: an attribute or object that occurs in one composition
    only is kept to fit on.
    """
    number = number_compositions(factors)
    first = np.unique(number, return_index=True)[1]
    pairs = factors[first]
    rng = np.random.default_rng(seed)
    left = [
        dict(zip(*np.unique(pairs[:, k], return_counts=True), strict=True))
        for k in range(pairs.shape[1])
    ]
    held: list[int] = []
    for place in rng.permutation(len(pairs)):
        if len(held) >= share * len(pairs):
            break
        if all(left[k][v] > 1 for k, v in enumerate(pairs[place])):
            held.append(int(place))
            for k, v in enumerate(pairs[place]):
                left[k][v] -= 1
    if len(held) < 2:
        raise UserError(
            "too few compositions share an attribute or object: none can be held out"
        )
    out = np.isin(number, held)
    return HeldOut(np.flatnonzero(~out), np.flatnonzero(out))


def standard_dimensions(z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """``z`` with mean 0 and deviation 1 over ``rows``; dimensions without spread become 0."""
    deviation = z[rows].std(0)
    return (z - z[rows].mean(0)) / np.where(deviation > 1e-9, deviation, np.inf)


def z_diff(
    z: np.ndarray,
    factors: np.ndarray,
    parts: HeldOut,
    seed: int = 0,
    points: int = 400,
    batch: int = 32,
) -> float:
    """Held-out accuracy at telling which factor was shared (Higgins et al. 2017, beta-VAE, section
    3).

    A point is the mean of |z1 - z2| over ``batch`` pairs of images that agree in one factor and
    differ in composition. ``points`` for fitting and as many for scoring, half a factor. Chance
    1/2.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    normal = standard_dimensions(z, parts.fit)

    def draw(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shared = np.arange(points) % factors.shape[1]
        out = np.empty((points, z.shape[1]))
        for k in range(factors.shape[1]):
            one, other = _pairs(
                factors, rows, k, batch * int((shared == k).sum()), rng
            )
            out[shared == k] = (
                np.abs(normal[one] - normal[other])
                .reshape(-1, batch, z.shape[1])
                .mean(1)
            )
        return out, shared

    (x, y), (u, v) = draw(parts.fit), draw(parts.score)
    scaler = x.mean(0), x.std(0) + 1e-9
    model = LogisticRegression(max_iter=500).fit((x - scaler[0]) / scaler[1], y)
    return float(model.score((u - scaler[0]) / scaler[1], v))


def _pairs(
    factors: np.ndarray,
    rows: np.ndarray,
    k: int,
    count: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pairs of rows equal in factor k and unequal in another; every row that has a
    partner is as likely.
    """
    by_value = [
        rows[factors[rows, k] == v] for v in np.unique(factors[rows, k])
    ]
    able = [m for m in by_value if len(np.unique(factors[m], axis=0)) > 1]
    if not able:
        raise UserError(
            "no two held-out compositions share an attribute or object: Z-diff cannot be scored"
        )
    order, sizes = np.concatenate(able), np.array([len(m) for m in able])
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    one, other = np.empty(0, int), np.empty(0, int)
    while len(one) < count:
        a = rng.integers(len(order), size=2 * count)
        b = starts[a] + (
            rng.random(2 * count) * np.repeat(sizes, sizes)[a]
        ).astype(int)
        a, b = order[a], order[b]
        differ = (factors[a] != factors[b]).any(1)
        one, other = np.append(one, a[differ]), np.append(other, b[differ])
    return one[:count], other[:count]


def dci(
    z: np.ndarray, factors: np.ndarray, parts: HeldOut, seed: int = 0
) -> dict[str, float]:
    """DCI (Eastwood and Williams 2018) with random forests, importances by decrease in impurity.

    Completeness uses entropies to the base D, disentanglement to the base K, as published.
    """
    from sklearn.ensemble import RandomForestClassifier

    importance, accuracy = [], []
    for k in range(factors.shape[1]):
        forest = RandomForestClassifier(
            TREES, max_features=None, random_state=seed, n_jobs=-1
        )
        forest.fit(z[parts.fit], factors[parts.fit, k])
        importance.append(forest.feature_importances_)
        accuracy.append(
            float(forest.score(z[parts.score], factors[parts.score, k]))
        )
    r = np.array(importance).T + 1e-12  # D x K
    by_dimension, by_factor = (
        r / r.sum(1, keepdims=True),
        r / r.sum(0, keepdims=True),
    )
    apart = 1 + (by_dimension * np.log(by_dimension)).sum(1) / np.log(
        r.shape[1]
    )
    whole = 1 + (by_factor * np.log(by_factor)).sum(0) / np.log(
        max(2, r.shape[0])
    )
    return {
        "dci_disentanglement": float((r.sum(1) / r.sum() * apart).sum()),
        "dci_completeness": float((r.sum(0) / r.sum() * whole).sum()),
        "informativeness_attribute": accuracy[0],
        "informativeness_object": accuracy[1],
    }


def explicitness(z: np.ndarray, values: np.ndarray, parts: HeldOut) -> float:
    """Mean over classes of 2 AUC - 1, held out (Ridgeway and Mozer 2018, section 2), of one linear
    classifier a class.

    The classifiers are ridge regressions on +-1 (penalty: 1 after standardising), not logistic
    ones: AUC asks for an order only. Classes that are absent or alone among the held-out images are
    left out of the mean.
    """
    from scipy.stats import rankdata

    normal = standard_dimensions(z, parts.fit)
    classes = np.unique(values)
    x = np.column_stack([normal[parts.fit], np.ones(len(parts.fit))])
    y = np.where(values[parts.fit, None] == classes, 1.0, -1.0)
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
    scores = (
        np.column_stack([normal[parts.score], np.ones(len(parts.score))])
        @ weights
    )
    areas = []
    for column, value in enumerate(classes):
        right = values[parts.score] == value
        n = int(right.sum())
        if 0 < n < len(right):
            ranks = rankdata(scores[:, column])
            areas.append(
                (ranks[right].sum() - n * (n + 1) / 2) / (n * (len(right) - n))
            )
    return float(2 * np.mean(areas) - 1)


def _information(codes: np.ndarray, values: np.ndarray) -> float:
    """Mutual information of two int columns in nats, less its first-order bias (A-1)(B-1)/2N, at
    least 0.

    Source of the correction: Miller 1955, as in Paninski 2003, Neural Computation 15:1191.
    """
    a, b = (
        np.unique(codes, return_inverse=True)[1],
        np.unique(values, return_inverse=True)[1],
    )
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    information = normalised_information(table)[1]
    cells = int((table > 0).sum()) - table.shape[0] - table.shape[1] + 1
    return max(0.0, information - max(0, cells) / (2 * table.sum()))


def _codes(column: np.ndarray) -> np.ndarray:
    """A dimension as its values where there are few, else in BINS quantile bins."""
    if len(np.unique(column)) <= BINS:
        return np.unique(column, return_inverse=True)[1]
    edges = np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, column)


def dcimig(z: np.ndarray, factors: np.ndarray) -> float:
    """DCIMIG (Sepliarskaia et al. 2019, arXiv 1910.05587): in all data, since nothing is fitted.

    A dimension belongs to the factor on which it tells most; its gap is that information less the
    next factor's. The largest gap of each factor is summed and divided by the factors' entropies.
    It is 1 only if one dimension holds a whole factor.
    """
    information = np.array(
        [
            [
                _information(_codes(z[:, d]), factors[:, k])
                for k in range(factors.shape[1])
            ]
            for d in range(z.shape[1])
        ]
    )
    order = np.sort(information, axis=1)
    gap, owner = order[:, -1] - order[:, -2], information.argmax(1)
    entropy = 0.0
    for k in range(factors.shape[1]):
        share = np.unique(factors[:, k], return_counts=True)[1] / len(factors)
        entropy -= float((share * np.log(share)).sum())
    return float(
        sum(gap[owner == k].max(initial=0.0) for k in range(factors.shape[1]))
        / entropy
    )


def soft_rank(z: np.ndarray) -> float:
    """exp(-sum p_i log p_i), p_i the share of variance of principal component i: a number of
    dimensions, 1..D.

    The form of Roy and Vetterli 2007 (effective rank), on variances. The paper's own formula is not
    known to us.
    """
    variance = np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2
    share = variance[variance > 0] / variance.sum()
    return float(np.exp(-(share * np.log(share)).sum())) if len(share) else 1.0
