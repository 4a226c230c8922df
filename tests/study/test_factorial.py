"""The second edition: its design, its tuning, and figures whose truth is known."""

import json
from collections import Counter

import numpy as np
import pytest
from helpers.factorial_tables import made_table, plain_odds
from helpers.plots import coloured_share

from aobench.cli import main
from aobench.errors import UserError
from aobench.study import design, factorial, factorial_table, tuning, world
from aobench.study.factorial_figures import (
    Factorial,
    Sourced,
    common_slope,
    drawn_parts,
    slope_weights,
)
from aobench.study.factorial_report import markdown_lines, statement_cells
from aobench.study.factorial_statements import CLAIMS, all_findings


def study_of(content, tmp_path, draws=400):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(content))
    return Factorial(factorial_table.read_factorial(path), draws)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Figures of answers drawn from ``plain_odds``."""
    return study_of(made_table(), tmp_path_factory.mktemp("known"))


def test_factors_are_crossed_seed_by_seed():
    runs = factorial.all_runs()
    assert len(runs) == len({run.name for run in runs}) == 320
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    for seed in factorial.SEEDS:
        mine = [r for r in runs if r.seed == seed]
        of_each = Counter((r.scale, r.diversity) for r in mine)
        assert set(of_each.values()) == {8}
        assert len(of_each) == 8


def test_seeds_are_new_and_train_on_no_novel_pair():
    first = {run.seed for run in design.every_run()}
    assert not first & {*factorial.SEEDS, factorial.TUNING_SEED}
    assert factorial.TUNING_SEED not in factorial.SEEDS
    novel = set(world.novel_pairs())
    for seed in (*factorial.SEEDS, factorial.TUNING_SEED):
        for diversity in factorial.DIVERSITIES:
            assert not novel & set(world.training_pairs(diversity, seed))


def test_pictures_are_drawn_once_for_all_scales():
    edition = factorial.second_edition({})
    assert {edition.largest(run) for run in edition.runs} == {4000}
    first = design.first_edition()
    assert {(r.diversity, first.largest(r)) for r in first.runs} == {
        (2, 4000),
        (4, 4000),
        (8, 8000),
        (16, 4000),
    }


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (0.008, [0.004, 0.008, 0.016]),
        (0.032, [0.004, 0.008, 0.016, 0.032, 0.064]),
        (0.002, [0.004, 0.008, 0.016, 0.002, 0.001]),
    ],
)
def test_tuning_goes_on_while_the_best_is_at_an_end(best, tried):
    asked = []

    def score(supervision, peak, decay):
        asked.append((peak, decay))
        return -abs(np.log(peak / best)) + (decay == factorial.DECAYS[1]) * 0.1

    found = tuning.search("object", score)
    assert found == (pytest.approx(best), factorial.DECAYS[1])
    assert [p for p, d in asked if d == factorial.DECAYS[0]] == pytest.approx(
        tried
    )
    assert asked[-1] == (pytest.approx(best), factorial.DECAYS[1])


def test_objects_are_read_from_marginals():
    torch = pytest.importorskip("torch")
    from aobench.study.training import _by_marginals

    pairs = torch.tensor([[0, 0], [1, 0], [2, 1], [1, 2]])
    likely = torch.tensor([[0.3, 0.3, 0.4, 0.0], [0.0, 0.1, 0.2, 0.7]])
    answers = _by_marginals(likely, pairs)
    assert answers["object"].tolist() == [0, 2], "the sum, not the best pair"
    assert answers["attribute"].tolist() == [2, 1]


LEARNERS = ("seen_pairs", "seen_pairs_cosine", *factorial.COMPOSED)


@pytest.mark.parametrize("supervision", LEARNERS)
def test_a_classifier_of_pairs_learns_them(supervision):
    torch = pytest.importorskip("torch")
    from aobench.study.networks import StudyNetwork
    from aobench.study.training import loss_of, network_answers

    torch.manual_seed(0)
    pairs = ((3, 5), (4, 5), (4, 6), (7, 8))
    network = StudyNetwork(supervision, (4, 4, 128), pairs)
    attributes, objects = torch.tensor(pairs * 4).T
    pixels = torch.randn(4, 3, 16, 16).repeat(4, 1, 1, 1)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(40):
        templates = torch.zeros_like(objects)
        loss = loss_of(network, pixels, attributes, objects, templates)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        answers = network_answers(network, network.trunk(pixels))
    further = set(answers) - {"object", "attribute"}
    assert further == set(factorial.FURTHER[supervision]) - {"composition"}
    # pairs that were in no batch are candidates of the others, whose answer may be one of them
    among_seen = "object_seen" if "object_seen" in further else "object"
    assert answers[among_seen].tolist() == objects.tolist()


def test_composed_scores_are_sums_of_parts():
    """A pair's score is its attribute's plus its object's, so a novel pair has one too."""
    torch = pytest.importorskip("torch")
    from aobench.study.networks import StudyNetwork
    from aobench.study.training import _seen_scores, network_answers

    torch.manual_seed(0)
    pairs = ((3, 5), (4, 6), (4, 5))
    network = StudyNetwork("composed_pairs", (4, 4, 128), pairs)
    features = torch.randn(7, 128)
    scores = _seen_scores(network, features)
    a, o = network.attribute_head(features), network.object_head(features)
    for number, (attribute, obj) in enumerate(pairs):
        expected = a[:, attribute] + o[:, obj]
        assert torch.allclose(scores[:, number], expected)
    with torch.no_grad():
        answers = network_answers(network, features)
    assert answers["object"].tolist() == o.argmax(1).tolist(), (
        "of all, not of the seen"
    )
    cosine = StudyNetwork("composed_pairs_cosine", (4, 4, 128), pairs)
    scores = _seen_scores(cosine, features).detach()
    assert scores.shape == (7, 3)
    assert float(scores.abs().max()) <= np.exp(2.5) + 1e-3, (
        "cosines times the factor"
    )


def test_smaller_pictures_are_means():
    torch = pytest.importorskip("torch")
    from aobench.study.training import (
        _augmented,
        _padded,
        largest_shift,
        to_floats,
    )

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    small = to_floats(pixels, torch.device("cpu"), 16)
    block = pixels[1, 4:6, 8:10, 2].astype(float).mean()
    assert small.shape == (3, 3, 16, 16)
    assert float(small[1, 2, 2, 4]) == pytest.approx(
        (block - 128) / 64, abs=1e-5
    )
    assert (largest_shift(32), largest_shift(16)) == (3, 1)
    chosen = torch.tensor([2, 0])
    same = _augmented(_padded(small), chosen, 16, np.array([1, 1]), False)
    assert torch.equal(same, small[chosen])
    moved = _augmented(_padded(small), chosen, 16, np.array([0, 1]), True)
    assert torch.equal(moved[:, :, 1:], small[chosen].flip(3)[:, :, :-1])
    assert torch.equal(moved[:, :, 0], small[chosen].flip(3)[:, :, 0])


def test_slopes_hold_the_other_factor():
    weights = slope_weights()
    x = {
        name: np.log2([p[column] for p in factorial.points()])
        for column, name in enumerate(("scale", "diversity"))
    }
    for name, w in weights.items():
        for other, levels in x.items():
            assert w @ levels == pytest.approx(float(name == other), abs=1e-12)
        assert w.sum() == pytest.approx(0, abs=1e-12)


def test_the_common_slope_has_an_intercept_a_diversity():
    rng = np.random.default_rng(1)
    known = rng.normal(0, 1, 8)
    novel = 0.7 * known + np.tile([5.0, -1.0, 2.0, 0.0], 2)
    assert common_slope(known, novel) == pytest.approx(0.7)


def test_figures_are_what_the_answers_were_drawn_from(known):
    figure = known.sourced
    truth = {
        "b": 0.8,
        "mean lead seen_pairs": 1.0,
        "mean lead contrastive": 1.5,
        "diversity lead contrastive": -0.4,
        "scale lead contrastive": 0.0,
        "scale ood contrastive": 0.16,
        "diversity ood object": 0.5,
        "lead two_head 4000 8": -1.0,
        "contrastive less seen_pairs_cosine": 0.5,
        "seen_pairs_cosine less half of contrastive": 0.25,
        "ood object object 1000 2": 1 / (1 + np.exp(2.0)),
    }
    for name, value in truth.items():
        f = figure[name]
        error = np.hypot(f.seeds, f.pairs)
        assert 0 < error < 0.5, name
        assert abs(f.value - value) < 4 * error, (name, f)
    assert figure["mean lead object"].value == 0


def test_points_are_the_lead_on_the_scale_of_accuracy(known):
    f = known.sourced
    reached = f["ood object contrastive 4000 8"].value
    expected = reached - f["points contrastive 4000 8"].value
    odds = np.log(reached / (1 - reached)) - np.log(expected / (1 - expected))
    assert odds == pytest.approx(f["lead contrastive 4000 8"].value, abs=0.02)


def test_seed_errors_are_those_of_a_mean(known):
    """Of a mean over seeds the jackknife is the usual standard error."""
    name = "ood object object 4000 8"
    by_seed = known.table.rates("object", "ood").mean(2)[:, 6]
    assert known.sourced[name].value == pytest.approx(by_seed.mean())
    usual = by_seed.std(ddof=1) / np.sqrt(len(by_seed))
    assert known.sourced[name].seeds == pytest.approx(usual)


def test_pair_errors_are_those_of_a_mean(known):
    rates = known.table.rates("contrastive", "ood")[:, 6].mean(0)
    usual = rates.std(ddof=1) / np.sqrt(len(rates))
    assert known.sourced[
        "ood object contrastive 4000 8"
    ].pairs == pytest.approx(usual, rel=0.15)


def test_seeds_that_differ_widen_their_source_alone(tmp_path, known):
    def differing(split, supervision, scale, diversity, seed):
        more = 0.6 * (seed - 4) * (supervision == "contrastive")
        return plain_odds(split, supervision, scale, diversity, seed) + more

    wide = study_of(made_table(differing), tmp_path).sourced[
        "mean ood object contrastive"
    ]
    narrow = known.sourced["mean ood object contrastive"]
    assert wide.seeds > 5 * narrow.seeds
    assert wide.pairs < 2 * narrow.pairs


def test_pairs_that_differ_widen_their_source_alone(tmp_path, known):
    name = "mean ood object contrastive"
    wide = study_of(made_table(noise=1.5), tmp_path).sourced[name]
    assert wide.pairs > 3 * known.sourced[name].pairs
    assert wide.pairs > 3 * wide.seeds


def test_attributes_and_objects_are_drawn_each_on_its_own():
    drawn = drawn_parts(50)
    pairs = np.array(world.novel_pairs())
    for row in drawn["ood"][:5]:
        for a in range(24):
            of_attribute = row[pairs[:, 0] == a]
            assert (of_attribute == 0).all() or (of_attribute > 0).any()
    assert drawn["id"].shape == (50, 96)
    assert drawn["ood"].std(0).mean() > 1.4, (
        "products vary more than one bootstrap"
    )


def test_both_sources_add_and_verdicts_follow():
    f = Sourced(1.0, 0.3, 0.4, 1.2, 5)
    assert f.over_both.high - 1 == pytest.approx(2.776445 * 0.5)
    assert f.over_seeds.high - 1 == pytest.approx(2.776445 * 0.3)
    assert f.over_pairs.high - 1 == pytest.approx(1.959964 * 0.4)
    assert f.over_parts.low < 0 < f.over_pairs.low


def test_a_claim_of_a_fall_is_judged_by_its_sign(known):
    found = {f.number: f for f in all_findings(known)}
    assert list(found) == list(CLAIMS)
    assert found["4a"].sign == -1
    assert found["4a"].figure.value < 0
    assert found["4a"].verdict == "borne out"
    assert found["1"].verdict == "borne out"
    cells = statement_cells(known)
    assert {len(row) for row in cells} == {8}
    assert markdown_lines(cells)[1] == "|---" * 8 + "|"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c | {"format": 1}, "no table of the study's second edition"),
        (lambda c: c | {"runs": c["runs"][:-1]}, "lacks 1 runs"),
        (lambda c: [c], "should hold an object of JSON"),
    ],
)
def test_other_tables_are_one_line(tmp_path, change, words):
    with pytest.raises(UserError, match=words):
        study_of(change(made_table()), tmp_path)


def test_editions_are_not_read_as_each_other():
    from aobench.study.collecting import BUNDLED, read_table

    with pytest.raises(UserError, match="second edition"):
        factorial_table.read_factorial(BUNDLED)
    with pytest.raises(UserError, match="format 1"):
        read_table(factorial_table.BUNDLED)


def test_one_whole_seed_is_no_study(tmp_path):
    with pytest.raises(UserError, match=r"0 whole seed\(s\)"):
        factorial_table.collect_factorial(
            tmp_path, factorial.second_edition({}), []
        )


def test_whole_seeds_are_collected_and_others_left_out(tmp_path, monkeypatch):
    """Tuning and runs of two steps, the last run of the last seed left out."""
    torch = pytest.importorskip("torch")
    from aobench.study import running

    monkeypatch.setattr(factorial, "SEEDS", (3, 4, 5))
    monkeypatch.setattr(running.os, "cpu_count", lambda: 1)
    few = ("object", "composed_pairs_cosine")
    for module in (factorial, tuning):
        monkeypatch.setattr(module, "SUPERVISIONS", few)
    monkeypatch.setattr(factorial, "points", lambda: ((20, 8),))
    short = design.Settings((2, 2, 128), 1, 4, 0.01, 0.05, 16)
    monkeypatch.setattr(tuning, "settings", lambda peak, decay: short)
    monkeypatch.setattr(tuning, "CENTRE", (20, 8))
    monkeypatch.setattr(tuning, "PEAKS", (0.008,))
    monkeypatch.setattr(
        tuning, "next_peak", lambda trials: None if trials else 0.008
    )
    monkeypatch.setattr(factorial, "CENTRE", (20, 8))
    monkeypatch.setattr(
        running,
        "test_images",
        lambda split: world._render(list(world.novel_pairs())[:6], (9,)),
    )
    torch.manual_seed(0)
    said = []
    tuned, trials = tuning.tuned_settings(tmp_path, said.append)
    assert len(trials) == len(said) == 2 * len(tuned) == 4
    again = tuning.tuned_settings(tmp_path, said.append)
    assert again == (tuned, trials), "kept, not trained again"
    edition = factorial.second_edition(tuned)
    running.run_all(tmp_path, 1, edition, said.append)
    (tmp_path / f"{edition.runs[-1].name}.json").unlink()
    content = factorial_table.collect_factorial(tmp_path, edition, trials)
    assert content["seeds"] == [3, 4]
    assert len(content["runs"]) == 4
    assert not list(tmp_path.glob("*-s3.npz")), "features are not kept"


def test_the_verb_shows_the_second_edition(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("IMAGENET_AO_PLOT_FILES", "svg png")
    assert main(["study", "--from-bundled", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert (
        "Statements, 1 to 7 fixed before the runs (docs/study_design_2.md)"
        in text
    )
    assert "seen_pairs_cosine" in text
    for stem, words in {
        "diversity": ["4,000 training images", "OoD object accuracy, %"],
        "statements": ["both (verdict)"],
        "runs": ["ID object accuracy, % (logit axis)"],
    }.items():
        drawn = (tmp_path / f"{stem}.svg").read_text()
        assert [word for word in words if f">{word}<" not in drawn] == [], stem
        assert coloured_share(tmp_path / f"{stem}.png") > 0.001, (
            f"{stem} is empty"
        )
    assert (tmp_path / "tables.md").read_text().count("|---|") == 16
    names = (tmp_path / "figures.csv").read_text()
    assert "\ncontrastive less seen_pairs_cosine," in names


def test_the_verb_says_what_the_second_edition_takes(tmp_path, capsys):
    runs = str(tmp_path / "runs")
    assert main(["study", "--dry-run", "--runs", runs, "--workers", "2"]) == 0
    assert "320 of 320 runs left" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["study", "--edition", "3"])
    assert "choose from 1, 2" in capsys.readouterr().err
