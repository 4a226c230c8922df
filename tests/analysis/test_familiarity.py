"""Accuracy against caption counts: known effects, names that were not counted, collapse, the verb."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

import aobench
from aobench.analysis import familiarity
from aobench.analysis.difficulty_fit import AnswerCounts
from aobench.analysis.familiarity import (
    CaptionCounts,
    FamiliarityEffect,
    collapse_rate,
    familiarity_effects,
    with_caption_counts,
)
from aobench.cli import main
from aobench.errors import UserError
from aobench.results.predictions import read

CARDS = Path(__file__).parents[2] / "model_cards"
NAMES = [f"a{i}" for i in range(14)], [f"o{i}" for i in range(18)]


def made_captions(seed=0):
    rng = np.random.default_rng(seed)
    marginals = [
        (10 ** rng.uniform(1, 4, len(names))).astype(int) for names in NAMES
    ]
    expected = np.outer(*marginals) / 100_000
    pairs = rng.poisson(expected * rng.lognormal(0, 1, expected.shape))
    return CaptionCounts(
        *(
            dict(zip(n, m.tolist(), strict=True))
            for n, m in zip(NAMES, marginals, strict=True)
        ),
        pairs,
        100_000,
    )


def made_answers(captions, effect, seed=1):
    """Ten times as many captions of an attribute: ``effect`` log-odds; nothing else matters."""
    rng = np.random.default_rng(seed)
    a, o = np.divmod(np.arange(14 * 18), 18)
    logs = np.log10(list(captions.attributes.values()))[a]
    logits = (
        effect * (logs - 2.5)
        + rng.normal(0, 0.3, 14)[a]
        + rng.normal(0, 0.5, 18)[o]
    )
    right = rng.binomial(12, expit(logits))[None]
    return AnswerCounts(right, np.full(len(a), 12), a, o, ["m"], *NAMES)


def test_a_known_effect_is_found_and_is_the_attributes():
    captions = made_captions()
    kept, covariates, notes = with_caption_counts(
        made_answers(captions, 1.0), captions
    )
    assert notes == []
    found = {
        (one.name, one.alone): one
        for one in familiarity_effects(kept, covariates)
    }
    assert set(found) == {
        *((name, True) for name in ("attribute", "object", "pair", "pmi")),
        *((name, False) for name in ("attribute", "object", "pmi")),
    }
    mine = found["attribute", False]
    assert mine.low < 1.0 < mine.high
    assert mine.low > 0
    for name in ("object", "pmi"):
        other = found[name, False]
        assert other.low < 0 < other.high, name
    pair = found["pair", True]
    assert pair.low < 0 < pair.high, (
        "an attribute's own difficulty is not the pair's"
    )


def test_covariates_are_decimal_logarithms_of_the_counts():
    captions = made_captions()
    _, covariates, _ = with_caption_counts(made_answers(captions, 0), captions)
    a, o, pair = (
        captions.attributes["a3"],
        captions.objects["o5"],
        captions.pair("a3", "o5"),
    )
    place = 3 * 18 + 5
    assert 10 ** covariates["attribute"][place] == pytest.approx(a + 0.5)
    expected = (pair + 0.5) * 100_000 / ((a + 0.5) * (o + 0.5))
    assert 10 ** covariates["pmi"][place] == pytest.approx(expected)


def test_names_that_were_not_counted_are_left_out_and_said():
    captions = made_captions()
    answers = made_answers(captions, 0)
    captions.attributes.pop("a13")
    kept, covariates, notes = with_caption_counts(answers, captions)
    assert len(kept.n) == 13 * 18 == len(covariates["pmi"])
    assert len(kept.attributes) == 13
    assert "18 of 252 compositions left out, such as a13 o0" in notes[0]
    none = CaptionCounts({}, {}, np.zeros((0, 0)), 1)
    with pytest.raises(UserError, match="only 0 of 252 compositions"):
        with_caption_counts(answers, none)


@pytest.fixture(scope="module")
def mini():
    return read(CARDS / "mini")


def counts_like(listed, pairs):
    names = listed.attribute_names, listed.object_names
    return CaptionCounts(
        *(dict.fromkeys(some, 5) for some in names),
        pairs(*map(len, names)),
        1000,
    )


def test_errors_fall_on_more_frequent_pairs_as_often_as_counted(mini):
    listed = mini.lists["composition"]["ood"]
    even = counts_like(listed, lambda a, o: np.ones((a, o), int))
    found = collapse_rate(mini, even, "composition")
    assert (found.errors, found.rate, found.chance) == (748, 0, 0)
    random = counts_like(
        listed,
        lambda a, o: np.random.default_rng(0).permutation(a * o).reshape(a, o),
    )
    found = collapse_rate(mini, random, "composition")
    rows = mini.split("ood", "composition")
    names = random.pairs[np.array(listed.attributes), np.array(listed.objects)]
    wrong = [
        (names[top[0]], names[label])
        for top, label in zip(rows["top"], rows["label"], strict=True)
        if top[0] != label
    ]
    assert found.rate == pytest.approx(
        np.mean([said > right for said, right in wrong])
    )
    chance = np.mean(
        [(names > right).sum() / (len(names) - 1) for _, right in wrong]
    )
    assert found.chance == pytest.approx(chance)
    assert found.low < found.rate < found.high
    assert (
        collapse_rate(
            mini, CaptionCounts({}, {}, np.ones((0, 0)), 1), "composition"
        )
        is None
    )


def test_the_verb_reads_an_audit(tmp_path, monkeypatch, capsys):
    captions = tmp_path / "captions.txt"
    captions.write_text(
        "a red tractor\na red zebra and a wooden teapot\nred\n" * 5
    )
    aobench.audit(str(captions), out=str(tmp_path / "audit"))
    effects = [
        FamiliarityEffect(n, True, 0.5, 0.1, 0.9) for n in familiarity.EXPLAINED
    ]
    monkeypatch.setattr(familiarity, "familiarity_effects", lambda *_: effects)
    words = [
        "familiarity",
        str(CARDS / "mini"),
        "--audit",
        str(tmp_path / "audit"),
    ]
    out = tmp_path / "out"
    assert main([*words, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "against 15 captions; task composition, splits id and ood" in text
    assert (
        "wrong answers on novel compositions are a pair more frequent" in text
    )
    assert (out / "familiarity.svg").stat().st_size > 5000
    assert len((out / "effects.csv").read_text().splitlines()) == 5
    assert main([*words, "--rule", "authors"]) == 2
    assert "has no counts of rule 'authors'" in capsys.readouterr().err
