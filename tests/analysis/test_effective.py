"""Effective generalization: the published figures, known answers, coverage, the rules for the
ends, refusals.
"""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compositional_ood.compositional_ood import (
    TRANSFORMS,
    inside_bounds,
    transformed,
)
from compositional_ood.compositional_ood import effective as metric_effective
from scipy.special import stdtrit

from aobench.analysis.common_slope import (
    common_slope_contrasts,
    contrasts_or_note,
)
from aobench.analysis.effective import (
    accuracies_of,
    effective_generalization,
    fit_baseline,
)
from aobench.analysis.effective_groups import by_group, by_group_left_out
from aobench.analysis.model_accuracies import (
    ModelAccuracies,
    published_models,
    read_csv,
)
from aobench.analysis.model_groups import select_models
from aobench.analysis.run_groups import outside_influence
from aobench.errors import UserError

#: See `test_the_lines_error_is_that_of_statsmodels`.
STATSMODELS_ERRORS = (0.06403479833446013, 0.059470730541583874)
#: See `test_pairs_of_groups_are_those_of_statsmodels`: contrast on the logit scale, its error, p of
#: the F test of unlike slopes.
STATSMODELS_PAIR = (-0.2415, 0.0339, 0.00773)
LARGE = 10**7  #: images, so many that counting noise is nothing


def record(name, known, novel, n=LARGE, training="t", run="", more=None):
    return ModelAccuracies(
        name, "f", training, known, n, novel, n, run or name, more or {}
    )


def on_a_line(transform, intercept, slope, count=12, bend=0.0, seed=0):
    """Baseline models on a line of ``transform``, with ``bend`` times normal scatter."""
    rng = np.random.default_rng(seed)
    scale = TRANSFORMS[transform]
    x = scale.forward(np.linspace(0.2, 0.8, count))
    y = intercept + slope * x + bend * rng.standard_normal(count)
    return [
        record(f"m{i}", float(scale.inverse(a)), float(scale.inverse(b)))
        for i, (a, b) in enumerate(zip(x, y, strict=True))
    ]


@pytest.fixture(scope="module")
def clips():
    """One row a run: of 66 rows, 13 are left out."""
    rows = select_models(published_models(), "family=CLIP")
    return [row for row in rows if not row.left_out]


def test_published_table_gives_the_published_fit(clips):
    line = fit_baseline(clips, draws=500)
    assert len(clips) == 53
    assert len({row.run for row in clips}) == 51
    assert line.coefficients[1] == pytest.approx(1.040, abs=5e-4)
    assert line.r2 == pytest.approx(0.981, abs=5e-4)
    groups = {g.name: g for g in by_group(line, clips)}
    for name, expected in {
        "yfcc15m": (-10.7, -12.2, -9.1),
        "openai": (-4.0, -5.9, -2.1),
        "laion2b": (0.7, -1.6, 3.0),
        "laion400m": (1.9, -0.9, 4.8),
    }.items():
        mine = groups[name]
        ends = [100 * end for end in (mine.rho, mine.low, mine.high)]
        assert ends == pytest.approx(expected, abs=0.05), name
    every = fit_baseline(
        select_models(published_models(), "family=CLIP"), draws=200
    )
    assert every.coefficients[1] == pytest.approx(1.049, abs=5e-4), (
        "all 66 rows"
    )


def test_the_lines_error_is_that_of_statsmodels():
    """Statsmodels 0.15.0: OLS, cov_type "cluster" by run without correction, times n / (n - p)."""
    models = on_a_line("logit", -0.2, 1.1, bend=0.3)
    names = [r.run for r in models]
    names[1], names[5] = names[0], names[4]
    joined = [
        replace(r, run=name) for r, name in zip(models, names, strict=True)
    ]
    line = fit_baseline(joined, draws=200)
    spread = outside_influence(line, accuracies_of(joined, ("id",)), names, ())
    assert np.sqrt(np.diag(spread)) == pytest.approx(
        STATSMODELS_ERRORS, rel=1e-6
    )
    less = outside_influence(
        line, accuracies_of(joined, ("id",)), names, names[:3]
    )
    assert np.trace(less) < np.trace(spread), (
        "the group's own runs are not counted again"
    )


def test_runs_and_not_rows_make_a_group():
    rest = on_a_line("logit", 0, 1, bend=0.1)
    runs = [
        record(f"g{i}", 0.5, 0.6 + 0.02 * i, training="g") for i in range(3)
    ]
    twins = [
        replace(r, model=f"{r.model} again") for r in runs[:2] for _ in range(1)
    ]
    line = fit_baseline(rest, draws=200)
    plain, doubled = (
        next(g for g in by_group(line, [*rest, *some]) if g.name == "g")
        for some in (runs, [*runs, *twins])
    )
    assert (doubled.n, doubled.runs) == (5, 3)
    assert (doubled.rho, doubled.low, doubled.high) == pytest.approx(
        (plain.rho, plain.low, plain.high)
    )
    alone = next(g for g in by_group(line, [*rest, runs[0]]) if g.name == "g")
    assert alone.high - alone.low > 2 * stdtrit(10, 0.975) * line.sd * 0.2


FIVE = ("openai", "laion400m", "laion2b", "cc12m", "yfcc15m")


def test_pairs_of_groups_are_those_of_statsmodels(clips):
    """Statsmodels 0.15.0: OLS of means over runs, logit(ood) ~ 0 + group + logit(id); its t_test,
    and anova_lm against a slope for each group.
    """
    found = common_slope_contrasts(clips, names=FIVE)
    one = next(
        c for c in found.contrasts if (c.first, c.second) == FIVE[::2][:2]
    )
    shift, error, unlike = STATSMODELS_PAIR
    assert np.log(one.odds_ratio) == pytest.approx(shift, abs=5e-5)
    assert (found.runs, found.free) == (26, 20)
    assert found.unlike_slopes == pytest.approx(unlike, abs=5e-6)
    half = np.log(one.odds_ratio_high / one.odds_ratio_low) / 2
    lone, all_pairs = stdtrit(20, 0.975), stdtrit(20, 1 - 0.025 / 10)
    assert lone < half / error < all_pairs, (
        "corrected, and less than Bonferroni would"
    )
    assert (one.runs, one.apart) == ((8, 11), "")
    far = next(c for c in found.contrasts if c.second == "yfcc15m")
    assert far.apart == "id 56.9 to 73.1 and 30.2 to 31.9 %"


def test_two_groups_need_no_correction_and_turn_with_their_names(clips):
    """One pair: the interval is t's own; the other way round the signs turn."""
    there, back = (
        common_slope_contrasts(clips, names=names).contrasts[0]
        for names in (("openai", "laion2b"), ("laion2b", "openai"))
    )
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high, abs=1e-3)
    alone = common_slope_contrasts(clips, names=("openai", "laion2b"))
    t = np.log(there.odds_ratio_high / there.odds_ratio)
    d = np.log(there.odds_ratio)
    error = t / stdtrit(alone.free, 0.975)
    assert there.low < there.difference < there.high
    assert abs(d) / error > 3
    assert there.p < 0.01


def test_a_known_difference_of_groups_is_found_whatever_their_id_accuracy():
    rng = np.random.default_rng(3)
    records = []
    for name, shift, middle in (
        ("a", 0.5, -1.0),
        ("b", 0.0, 1.0),
        ("c", 0.5, 0.0),
    ):
        for i in range(5):
            x = middle + rng.normal(0, 0.5)
            y = x - 0.3 + shift + rng.normal(0, 0.01)
            both = (float(TRANSFORMS["logit"].inverse(v)) for v in (x, y))
            records.append(record(f"{name}{i}", *both, training=name))
    found = {
        (c.first, c.second): c
        for c in common_slope_contrasts(records).contrasts
    }
    assert found["a", "b"].odds_ratio == pytest.approx(np.exp(0.5), rel=0.03)
    assert found["a", "b"].low > 0
    assert found["a", "c"].low < 0 < found["a", "c"].high


def test_groups_that_cannot_be_compared_are_said_to_be(clips):
    with pytest.raises(
        UserError, match=r"training_set=opnai; there are: cc12m"
    ):
        common_slope_contrasts(clips, names=["opnai", "laion2b"])
    with pytest.raises(UserError, match="two groups"):
        common_slope_contrasts(clips, names=["openai", "openai"])
    few = [
        record("a", 0.3, 0.4, training="a"),
        record("b", 0.5, 0.4, training="b"),
    ]
    with pytest.raises(UserError, match="2 independent runs are too few"):
        common_slope_contrasts(few)
    none, notes = contrasts_or_note(few, "training_set", None)
    assert none is None
    assert "not compared in pairs" in notes[0]
    assert contrasts_or_note(few[:1], "training_set", None) == (None, [])


def test_published_intervals_hold_their_figures_and_the_slope_is_uncertain(
    clips,
):
    line = fit_baseline(clips, draws=500)
    low, high = line.interval()
    assert low[1] < 1.040 < high[1]
    for g in by_group(line, clips):
        assert g.low < g.rho < g.high, g.name
    for e in effective_generalization(line, clips):
        assert e.rho_low < e.rho < e.rho_high, e.model
        assert e.in_baseline, e.model


def test_the_published_table_says_what_is_not_in_the_baseline():
    both = [r for r in published_models() if r.family != "CLIP"]
    found = effective_generalization(
        fit_baseline(
            select_models(published_models(), "family=CLIP"), draws=200
        ),
        both,
    )
    assert [e.in_baseline for e in found] == [False, False]
    # 0.84 % ID lies below every baseline model
    assert [e.extrapolated for e in found] == [True, False]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_known_rho_is_found_on_every_scale(transform):
    line = fit_baseline(on_a_line(transform, -0.1, 0.9), transform, draws=200)
    scale = TRANSFORMS[transform]
    expected = float(scale.inverse(-0.1 + 0.9 * scale.forward(np.array(0.6))))
    e = effective_generalization(line, [record("x", 0.6, expected + 0.1)])[0]
    assert e.rho == pytest.approx(0.1, abs=1e-6)
    assert e.odds_ratio == pytest.approx(
        (e.ood / (1 - e.ood)) / (expected / (1 - expected)), rel=1e-5
    )
    assert e.accuracy_ratio == pytest.approx(e.ood / expected, rel=1e-5)
    assert not e.extrapolated


def test_several_id_sets_take_away_what_one_hides():
    """OoD depends on a second ID set: over the first alone the model looks better than it is
    (Shi et al. 2023).
    """
    rng = np.random.default_rng(0)
    back = TRANSFORMS["logit"].inverse
    models = []
    for i in range(20):
        a, b = rng.uniform(-1.5, 1.5, 2)
        known = {"id_other": (float(back(b)), LARGE)}
        models.append(
            record(
                f"m{i}",
                float(back(a)),
                float(back(0.5 * a + 0.5 * b)),
                more=known,
            )
        )
    model = record(
        "x", 0.5, float(back(0.5)), more={"id_other": (float(back(1.0)), LARGE)}
    )
    alone = effective_generalization(fit_baseline(models, draws=200), [model])[
        0
    ]
    both = effective_generalization(
        fit_baseline(models, id_sets=("id", "id_other"), draws=200), [model]
    )[0]
    assert alone.rho > 0.05
    assert both.rho == pytest.approx(0, abs=1e-6)


def test_leverage_flags_a_combination_that_no_baseline_model_has():
    back = TRANSFORMS["logit"].inverse
    values = np.linspace(-2, 2, 12)
    models = [
        record(
            f"m{i}",
            float(back(v)),
            float(back(v)),
            more={"id_b": (float(back(v + 0.1 * (-1) ** i)), LARGE)},
        )
        for i, v in enumerate(values)
    ]
    odd = record("odd", 0.8, 0.5, more={"id_b": (0.2, LARGE)})
    assert effective_generalization(
        fit_baseline(models, id_sets=("id", "id_b"), draws=100), [odd]
    )[0].extrapolated


def test_nought_and_hundred_percent_follow_the_stated_rule():
    assert inside_bounds(
        np.array([0.0, 0.3, 1.0]), np.array([9, 9, 9])
    ) == pytest.approx([0.05, 0.3, 0.95])
    assert np.isfinite(
        transformed("probit", np.array([0.0, 1.0]), np.array([10, 10]))
    ).all()
    line = fit_baseline(on_a_line("logit", 0, 1, bend=0.1), draws=200)
    for rate in (0.0, 1.0):
        e = effective_generalization(line, [record("end", rate, rate, n=50)])[0]
        assert np.isfinite(
            [
                e.rho,
                e.rho_low,
                e.rho_high,
                e.odds_ratio,
                e.odds_ratio_low,
                e.odds_ratio_high,
            ]
        ).all()
        assert e.extrapolated
        assert e.rho_low < e.rho_high


def test_same_seed_same_interval_and_more_images_narrower():
    line = fit_baseline(on_a_line("logit", 0, 1, bend=0.05), draws=500)
    few, again, many = (
        effective_generalization(line, [record("x", 0.5, 0.6, n=n)])[0]
        for n in (100, 100, 100_000)
    )
    assert (few.rho_low, few.rho_high) == (again.rho_low, again.rho_high)
    assert few.rho_high - few.rho_low > many.rho_high - many.rho_low


def test_twin_runs_count_once():
    """Doubling every model as a twin of its run must not narrow the intervals as new models
    would.
    """
    models = on_a_line("logit", 0, 1, bend=0.2)
    twins = models + [
        record(f"{r.model}b", r.id, r.ood, run=r.model) for r in models
    ]
    others = models + [record(f"{r.model}c", r.id, r.ood) for r in models]
    widths = []
    for family in (models, twins, others):
        e = effective_generalization(
            fit_baseline(family, draws=2000), [record("x", 0.5, 0.6)]
        )[0]
        widths.append(e.rho_high - e.rho_low)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.85 * widths[0]


def test_left_out_groups_are_judged_by_the_others():
    low = [
        record(f"low{i}", 0.3 + 0.1 * i, 0.1 + 0.1 * i, training="low")
        for i in range(4)
    ]
    rest = on_a_line("logit", 0, 1, bend=0.05)
    inside_fit = next(
        g
        for g in by_group(fit_baseline(rest + low, draws=200), rest + low)
        if g.name == "low"
    )
    apart = next(
        g
        for g in by_group_left_out(rest + low, rest + low, draws=200)
        if g.name == "low"
    )
    assert apart.rho < inside_fit.rho < 0


def test_intervals_cover_a_known_rho():
    """A quick form of benchmarks/effective_coverage.py: 150 draws, so between 88 % and 99.5 % is
    all it can tell.
    """
    path = Path(__file__).parents[2] / "benchmarks" / "effective_coverage.py"
    spec = importlib.util.spec_from_file_location("effective_coverage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, (held, _) in module.coverage(15, 0.2, 2000, "logit", 150).items():
        assert 132 <= held <= 149, (
            f"{name}: {held} of 150 intervals of 95 % held the true rho"
        )


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("count", [3, 5, 40])
@pytest.mark.parametrize("rates", [(0.5, 0.6), (0.0, 1.0), (0.97, 0.1)])
def test_the_metric_and_the_verb_are_one_estimator(transform, count, rates):
    """What a card prints by the metric is what `imagenet-ao effective` prints."""
    models = on_a_line(transform, -0.1, 0.9, count, bend=0.05)
    n = (200, 300)
    e = effective_generalization(
        fit_baseline(models, transform),
        [ModelAccuracies("x", "f", "t", rates[0], n[0], rates[1], n[1])],
    )[0]
    successes = (rates[0] * n[0], rates[1] * n[1])
    baseline = {"id": [r.id for r in models], "ood": [r.ood for r in models]}
    result = metric_effective(successes, n, baseline, transform)
    assert result["expected_composition_top1"] == pytest.approx(e.expected)
    ends = [f"effective_composition_top1{end}" for end in ("", "_low", "_high")]
    assert [result[end] for end in ends] == pytest.approx(
        [e.rho, e.rho_low, e.rho_high], abs=1e-9
    )
    assert result["baseline_extrapolated"] == e.extrapolated


def test_too_few_or_equal_baseline_models_are_refused():
    with pytest.raises(UserError, match="2 independent model"):
        fit_baseline(on_a_line("logit", 0, 1, count=2))
    with pytest.raises(UserError, match="differ enough"):
        fit_baseline([record(f"m{i}", 0.5, 0.1 * i + 0.1) for i in range(5)])
    with pytest.raises(UserError, match="unknown transform 'log'"):
        fit_baseline(on_a_line("logit", 0, 1), "log")
    with pytest.raises(UserError, match="no ID set 'id_b'"):
        fit_baseline(on_a_line("logit", 0, 1), id_sets=("id", "id_b"))


HEAD = "model,family,training_set,id,n_id,ood,n_ood\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "a,f,t,56.9,100,0.4,100\n",
            "line 2: column id is 56.9.*percent",
        ),
        (HEAD + "a,f,t,0.5,100,x,100\n", "column ood is 'x', not a number"),
        (HEAD + "a,f,t,0.5,0,0.4,100\n", "column n_id is '0'"),
        (HEAD + "a,f,t,0.5,9,0.4,9\na,f,t,0.5,9,0.4,9\n", "'a' more than once"),
        (
            HEAD + "a,f,t,0.5,9,0.4,9,0.9\n",
            "line 2: 8 fields where the header has 7",
        ),
        (
            HEAD.replace("\n", ",id\n") + "a,f,t,0.5,9,0.4,9,0.9\n",
            "names the column 'id' twice",
        ),
        (HEAD + "a,f,t,0.5,nan,0.4,9\n", "column n_id is 'nan'"),
        (HEAD + 'a,f,t,0.5,"50,000",0.4,9\n', "column n_id is '50,000'"),
        (HEAD + "a,f,t,0.5,1e9,0.4,9\n", "is '1e9'"),
        (HEAD + "a,f,t,inf,9,0.4,9\n", "column id is 'inf', not a number"),
        (HEAD + " ,f,t,0.5,9,0.4,9\n", "line 2: column model is empty"),
        (
            HEAD + "a,f,t,0.5,9,0.4,9\na ,f,t,0.5,9,0.4,9\n",
            "'a' more than once",
        ),
        (
            HEAD.replace("\n", ",id_b\n") + "a,f,t,0.5,9,0.4,9,0.9\n",
            "lacks the column.*n_id_b",
        ),
        ("model,id\na,0.5\n", "lacks the column"),
        (HEAD, "lists no models"),
    ],
)
def test_a_bad_csv_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_csv(path)
    assert "\n" not in str(caught.value)


def test_unknown_baselines_are_refused(clips):
    with pytest.raises(UserError, match="no model has training_set=cc3m"):
        select_models(clips, "training_set=cc3m")
    with pytest.raises(UserError, match="names no models"):
        select_models(clips, "size=large")
