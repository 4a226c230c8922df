"""Difficulty apart from novelty: against another library, known truths, chance's own minimum, the
verb.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.few_images import one_image_each
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import binom, norm

from aobench.analysis.difficulty import (
    answer_counts,
    chance_minimum,
    difficulty_report,
    part_difficulties,
    part_extremes,
)
from aobench.analysis.difficulty_fit import (
    AnswerCounts,
    _Marginal,
    fit_difficulty,
    inverse_or_none,
    mean_over_compositions,
)
from aobench.cli import main
from aobench.errors import UserError
from aobench.results.predictions import read

CARDS = Path(__file__).parents[2] / "model_cards"
#: By GPBoost 1.8.0, GPModel(group_data=attribute, object, composition, likelihood
#: "bernoulli_logit"), on the answers of `made_counts`: coefficients (two models, novel), and
#: standard deviations.
GPBOOST = ((1.44532, 0.47592, -0.93837), (0.99165, 0.51687, 0.77172))
TRUTH = (1.0, 0.5, 0.8)


def made_counts(
    models=(1.5, 0.5), novelty=-0.8, images=20, seed=0, size=(16, 20)
):
    """Answers on half of all pairs, half of these novel."""
    rng = np.random.default_rng(seed)
    attributes, objects = size
    pairs = rng.choice(
        attributes * objects, attributes * objects // 2, replace=False
    )
    a, o = np.divmod(pairs, objects)
    novel = (np.arange(len(pairs)) % 2).astype(float)
    hard = (
        rng.normal(0, TRUTH[0], attributes)[a]
        + rng.normal(0, TRUTH[1], objects)[o]
    )
    hard = hard + rng.normal(0, TRUTH[2], len(pairs)) + novelty * novel
    rate = expit(np.array(models)[:, None] + hard)
    return AnswerCounts(
        rng.binomial(images, rate),
        np.full(len(pairs), images),
        a,
        o,
        [f"m{i}" for i in range(len(models))],
        [f"a{i}" for i in range(attributes)],
        [f"o{i}" for i in range(objects)],
        {"novel": novel},
    )


@pytest.fixture(scope="module")
def fit():
    return fit_difficulty(made_counts())


def test_it_agrees_with_another_library(fit):
    values, spread = GPBOOST
    mine = np.concatenate([fit.block(k)[0] for k in (0, 1)])
    assert mine == pytest.approx(values, abs=0.02)
    # GPBoost maximises the likelihood; ours has flat priors on abilities, which widens a little
    assert fit.spread == pytest.approx(spread, rel=0.06)


def test_it_holds_the_truth(fit):
    value, error = fit.coefficient("novel")
    assert abs(value + 0.8) < 2.5 * error < 0.6
    (first, second), _ = fit.block(0)
    assert first - second == pytest.approx(1, abs=0.15)
    assert fit.spread == pytest.approx(TRUTH, rel=0.45)


def test_a_compositions_difficulty_is_integrated_out():
    counts = made_counts(models=(1.0,), size=(2, 3), images=4)
    marginal = _Marginal(counts, 15)
    effects = np.linspace(-0.3, 0.5, sum(counts.sizes))
    logits = effects[0] + counts.shared_design() @ effects[1:]
    expected = 0.0
    for c, logit in enumerate(logits):
        right, n = counts.right[0, c], counts.n[c]

        def joint(w, right=right, n=n, logit=logit):
            log = right * (logit + w) - n * np.logaddexp(0, logit + w)
            return np.exp(log) * norm.pdf(w, scale=0.9)

        expected += np.log(quad(joint, -12, 12)[0])
    assert marginal.parts(effects, 0.9)[0] == pytest.approx(expected, abs=1e-5)
    step = 1e-5 * np.eye(len(effects))
    _, gradient, information = marginal.parts(effects, 0.9)
    moved = [marginal.parts(effects + one, 0.9) for one in step]
    slopes = [
        (one[0] - marginal.parts(effects, 0.9)[0]) / 1e-5 for one in moved
    ]
    assert gradient == pytest.approx(slopes, abs=1e-3)
    bends = [(gradient - one[1]) / 1e-5 for one in moved]
    assert information == pytest.approx(np.array(bends), abs=1e-3)


def test_novelty_is_told_apart_from_hard_attributes():
    """Novel compositions have the hard attributes: the raw gap is theirs."""
    rng = np.random.default_rng(4)
    a, o = np.divmod(np.arange(20 * 30), 30)
    hard = np.linspace(2, -2, 20)[a]
    novel = (rng.random(600) < expit(-1.5 * hard)).astype(float)
    right = rng.binomial(6, expit(hard))[None]
    names = ["m"], [str(i) for i in range(20)], [str(i) for i in range(30)]
    counts = AnswerCounts(
        right, np.full(600, 6), a, o, *names, {"novel": novel}
    )
    rates = [right[0, novel == k].mean() / 6 for k in (0, 1)]
    assert rates[0] - rates[1] > 0.3
    value, error = fit_difficulty(counts).coefficient("novel")
    assert abs(value) < 2.5 * error < 0.5


def test_parts_are_shrunken_and_beyond_chance_only_where_they_are(fit):
    median, edge = chance_minimum(fit, "attribute")
    rows = part_difficulties(fit, "attribute", edge)
    assert [row.effect for row in rows] == sorted(row.effect for row in rows)
    for row in rows:
        assert row.low < row.adjusted < row.high
    assert rows[0].beyond
    assert not rows[-1].beyond
    assert (
        rows[0].rate
        < edge
        < median
        < fit.counts.right.sum() / (len(fit.counts.models) * fit.counts.n.sum())
    )
    mean = mean_over_compositions(np.array([0.7]), 0.9)
    expected = quad(lambda w: expit(0.7 + w) * norm.pdf(w, scale=0.9), -9, 9)[0]
    assert mean == pytest.approx([expected], abs=1e-6)


def test_the_lowest_by_chance_is_that_of_binomials():
    counts = made_counts(models=(0.0,), size=(10, 30))
    flat = fit_difficulty(counts)
    flat.effects[:] = 0
    even = type(flat)(counts, flat.effects, flat.covariance, (0, 0, 1e-6), 0.0)
    images = np.bincount(counts.attribute, weights=counts.n).astype(int)
    draws = np.random.default_rng(1).binomial(images, 0.5, (4000, 10)) / images
    found = chance_minimum(even, "attribute", 2000)
    expected = np.quantile(draws.min(1), (0.5, 0.05))
    assert found == pytest.approx(expected, abs=0.006)
    assert binom.cdf(0, 1, 0.5) == 0.5


DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"


@pytest.fixture(scope="module")
def report():
    return difficulty_report([read(CARDS / "mini")])


def test_the_document_quotes_this_report(report):
    """docs/statistics.md, on mini: novelty, its odds, spreads, and who is below chance's minimum."""
    said = re.sub(r"\s+", " ", DOCUMENT.read_text())
    printed = report.text()
    novelty, odds = re.search(
        r"equal: (\S+ \[.*?\]) log-odds; odds times (\S+)", printed
    ).groups()
    spreads = re.search(
        r"attributes (\S+), objects (\S+), compositions (\S+)\.\n", printed
    ).groups()
    assert f"| novelty | {novelty}, which is {odds} times the odds |" in said
    for part, spread in zip(
        ("attributes", "objects", "compositions"), spreads, strict=True
    ):
        assert f"| standard deviation of {part} | {spread} |" in said
    low = re.findall(r"lower than chance explains: (.*)", printed)
    attributes, objects = (one.split(", ") for one in low)
    hard = "{} and {}".format(", ".join(attributes[:2]), attributes[2])
    assert f"| attributes | {len(attributes)} ({hard} lowest) |" in said
    assert len(objects) == 1
    share = re.search(rf"{objects[0]} .*\((\d+ %), n", printed)[1]
    assert f"| objects | {objects[0]} ({share}) |" in said


def test_minis_novelty_and_hardest(report):
    value, low, high = report.novelty()
    assert (value, low, high) == pytest.approx((-0.99, -1.18, -0.80), abs=0.02)
    names = {row.name for row in report.parts["attribute"] if row.beyond}
    assert {"moss covered", "dotted"} <= names
    assert not {"red", "wooden"} & names
    text = report.text()
    assert "odds times 0.37" in text
    assert "8,580 images of 2,640 compositions" in text


def test_the_extremes_are_the_ends_of_the_report(report):
    found = part_extremes(read(CARDS / "mini"), "composition", ["object"], 4)
    worst, best = found.parts["object"]
    whole = report.parts["object"]
    assert (found.images, found.notes) == (8580, report.notes)
    for row, other in zip(worst + best, whole[:4] + whole[:-5:-1], strict=True):
        assert (row.name, row.n, row.rate) == (other.name, other.n, other.rate)
        ours, theirs = (
            [one.adjusted, one.low, one.high] for one in (row, other)
        )
        assert ours == pytest.approx(theirs)


@pytest.fixture
def searches(monkeypatch):
    """What the searches for standard deviations came to, in their order."""
    ends = []

    def spied(*words, **more):
        ends.append(minimize(*words, **more))
        return ends[-1]

    monkeypatch.setattr("aobench.analysis.difficulty_fit.minimize", spied)
    return ends


def test_one_image_a_composition_tells_nothing_of_parts(
    searches, tmp_path, capsys
):
    """Its difficulty would be without bound, and the intervals of no width; the search for it ends
    where it is beyond all bounds, not at its limit of 600 steps.
    """
    few = one_image_each(CARDS / "mini-generative", tmp_path / "few")
    assert main(["difficulty", str(few)]) == 2
    said = capsys.readouterr().err
    assert "600 images of 600 compositions are too few of each" in said
    assert searches[0].nfev < 50


def test_the_search_ends_where_objects_are_never_or_always_named(searches):
    """It went on to its limit of 600 steps: one log-likelihood had two values."""
    counts, _, _ = answer_counts([read(CARDS / "efficientnet-lite0")], "object")
    fit = fit_difficulty(counts)
    assert searches[0].success
    assert searches[0].nfev < 150
    assert fit.spread == pytest.approx((1.45, 4.13, 1.73), abs=0.01)


def test_the_verb_prints_and_writes(report, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        "aobench.analysis.difficulty.difficulty_report", lambda *_: report
    )
    assert (
        main(["difficulty", str(CARDS / "mini"), "--out", str(tmp_path)]) == 0
    )
    assert (
        "Novelty, attribute and object being equal" in capsys.readouterr().out
    )
    assert (
        len((tmp_path / "parts.csv").read_text().splitlines()) == 1 + 24 + 110
    )
    assert (tmp_path / "difficulty.svg").stat().st_size > 10_000


def test_what_cannot_be_fitted_is_refused(capsys):
    assert main(["difficulty", str(CARDS / "mini"), str(CARDS / "mini")]) == 2
    assert "name it once" in capsys.readouterr().err
    both = [read(CARDS / name) for name in ("mini", "efficientnet-lite0")]
    with pytest.raises(UserError, match="cannot tell which composition"):
        answer_counts(both)
    counts, task, notes = answer_counts(both, "object")
    assert counts.right.shape == (2, 2640)
    assert task == "object"
    assert "task object, splits id and ood" in notes
    table = read(CARDS / "mini")
    rows = table.table.to_pydict()
    rows["top"] = [[label] for label in rows["label"]]
    table.table = type(table.table).from_pydict(rows, schema=table.table.schema)
    with pytest.raises(UserError, match="mini has every image right"):
        answer_counts([table])


def test_answers_that_settle_nothing_are_refused():
    right = np.zeros((1, 16))
    right[0, [1, 6]] = 1
    parts = np.divmod(np.arange(16), 4)
    one_each = AnswerCounts(
        right, np.full(16, 1), *parts, ["m"], list("abcd"), list("wxyz")
    )
    with pytest.raises(UserError, match="too few of each"):
        fit_difficulty(one_each)
    for unsettled in ([[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]):
        assert inverse_or_none(np.array(unsettled)) is None
