"""What an accuracy owes to labels, to people, to prompts and to the images that were drawn."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aobench.analysis.people import accepted_scores, people_scores
from aobench.analysis.people_tables import (
    NamedAnswer,
    read_answers,
    read_decisions,
)
from aobench.analysis.retest import retest_results, true_parts
from aobench.analysis.template_spread import ALL, WITHOUT, template_spread
from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.template_runs import named_attributes
from aobench.results.candidates import Candidates
from aobench.results.predictions import SCHEMA, Predictions, read

CARD = Path(__file__).parents[2] / "model_cards" / "mini"
ATTRIBUTES, OBJECTS = ("red", "blue", "mossy"), ("cup", "hat", "rug")
PAIRS = [(a, o) for a in range(3) for o in range(3)]
NAMES = tuple(f"{ATTRIBUTES[a]} {OBJECTS[o]}" for a, o in PAIRS)


def answers_of(
    right, task="choice", samples=None, pairs=PAIRS, model="m", names=None
):
    """Predictions of a table ``right``: pairs x images of each, true where the answer is right."""
    attributes, objects = names or (ATTRIBUTES, OBJECTS)
    rows = []
    for place, hits in enumerate(right):
        for number, hit in enumerate(hits):
            answer = place if hit else (place + 1) % len(pairs)
            rows.append(
                {
                    "task": task,
                    "sample_id": f"{samples or 'image'}{place}-{number}",
                    "split": "ood",
                    "attribute": pairs[place][0],
                    "object": pairs[place][1],
                    "label": place,
                    "rank": 0 if hit else 1,
                    "top": [answer],
                    "margin": 0.0,
                    "choices": list(range(len(pairs)))
                    if task == "choice"
                    else None,
                }
            )
    listed = Candidates(
        task,
        tuple(a for a, _ in pairs),
        tuple(o for _, o in pairs),
        tuple(f"{attributes[a]} {objects[o]}" for a, o in pairs),
        attributes,
        objects,
    )
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return Predictions(
        table, {task: {"ood": listed}}, True, {"model": {"id": model}}
    )


@pytest.fixture
def judged():
    """Each composition has 4 images: 2 right and accepted, 1 wrong and rejected, 1 wrong."""
    answers = answers_of([[True, True, False, False]] * len(PAIRS))
    decisions = {}
    for place in range(len(PAIRS)):
        decisions |= {f"image{place}-{i}": "accepted" for i in (0, 1)}
        decisions[f"image{place}-2"] = "rejected"
    return answers, decisions


def test_scores_on_the_images_that_people_accept(judged):
    answers, decisions = judged
    found = {one.part: one for one in accepted_scores(answers, decisions)}
    rates = {part: (one.n, one.rate) for part, one in found.items()}
    assert rates == {
        "all": (36, 0.5),
        "accepted": (18, 1.0),
        "rejected": (9, 0.0),
        "not judged": (9, 0.0),
    }
    assert found["accepted"].low < 1 == found["accepted"].high
    with pytest.raises(
        UserError, match="no decision is on an image of the result"
    ):
        accepted_scores(answers, {"elsewhere": "accepted"})


def people_file(path, answers):
    rows = [
        dict(zip(("sample_id", "annotator", "answer"), a, strict=True))
        for a in answers
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return read_answers(path)


def test_people_are_scored_as_the_model_on_the_same_images(tmp_path, judged):
    answers, _ = judged
    said = [
        (f"image{place}-{i}", who, name if (i, who) != (3, "bob") else "unsure")
        for place, name in enumerate(NAMES)
        for i in (0, 3)
        for who in ("ann", "bob")
    ]
    (one,) = people_scores(answers, people_file(tmp_path / "a.parquet", said))
    assert (one.images, one.answers, one.annotators, one.unsure) == (
        18,
        36,
        2,
        9,
    )
    assert one.rate == 0.75
    assert one.model_rate == 0.5
    assert one.difference == -0.25
    assert one.chance == pytest.approx(1 / 9)
    assert one.by_annotator == (("ann", 18, 1.0), ("bob", 18, 0.5))
    numbers = [
        (sample, who, str(NAMES.index(a)) if a in NAMES else a)
        for sample, who, a in said
    ]
    (by_number,) = people_scores(
        answers, people_file(tmp_path / "n.parquet", numbers)
    )
    assert by_number == one


def test_intervals_of_people_are_wide_and_hold_their_rate():
    """Attributes that are hard for all: the interval is wider than that of as many coins."""
    rng = np.random.default_rng(0)
    pairs = [(a, o) for a in range(12) for o in range(12)]
    names = tuple(tuple(f"{kind}{i}" for i in range(12)) for kind in "ao")
    right = [rng.random(4) < (0.95 if a % 2 else 0.4) for a, _ in pairs]
    answers = answers_of(right, pairs=pairs, names=names)
    rows = answers.split("ood", "choice")
    listed = answers.lists["choice"]["ood"].names
    given = [
        NamedAnswer(sample, "ann", listed[top[0]])
        for sample, top in zip(rows["sample_id"], rows["top"], strict=True)
    ]
    (one,) = people_scores(answers, given)
    assert one.rate == one.model_rate
    assert one.difference_low == one.difference_high == 0
    assert one.low < one.rate < one.high
    assert one.high - one.low > 2 * 2 * 1.96 * np.sqrt(
        one.rate * (1 - one.rate) / len(given)
    )


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            [("image0-0", "ann", "green cup")],
            "which was not offered; it was offered: red cup",
        ),
        ([("image0-0", "ann", "99")], "which was not offered"),
        (
            [("nothing", "ann", "red cup")],
            "no answer is on an image of the result",
        ),
        ([("image0-0", "", "red cup")], "row 1: annotator is empty"),
        (
            [("image0-0", "ann", "red cup")] * 2,
            "row 2: a second answer of 'ann'",
        ),
    ],
)
def test_bad_answers_are_refused(tmp_path, judged, answers, message):
    with pytest.raises(UserError, match=message):
        people_scores(judged[0], people_file(tmp_path / "a.parquet", answers))


def test_a_damaged_table_is_one_line(tmp_path):
    """Cut at every tenth of its bytes, and with bytes turned: refused, never read as another."""
    path = tmp_path / "d.parquet"
    rows = [{"image_id": f"i{i}", "decision": "accepted"} for i in range(50)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    whole = path.read_bytes()
    for share in range(10):
        path.write_bytes(whole[: len(whole) * share // 10])
        with pytest.raises(UserError, match=r"d\.parquet"):
            read_decisions(path)
    with pytest.raises(UserError, match=r"nothing\.parquet"):
        read_decisions(tmp_path / "nothing.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image_id,decision\na,yes\n",
            "row 1: the decision is 'yes'; it is one of accepted",
        ),
        (
            "image_id,decision\na,accepted\na,rejected\n",
            "row 2: a second decision on 'a'",
        ),
        ("image_id,verdict\na,accepted\n", "lacks .*decision"),
        ("decision\naccepted\n", "lacks the column sample_id or image_id"),
        ("image_id,decision\n", "has no rows"),
    ],
)
def test_bad_decisions_are_refused(tmp_path, text, message):
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_decisions(path)


def test_the_verb_people_prints_and_writes(tmp_path, capsys):
    rows = read(CARD).split("ood", "choice")
    ids = rows["sample_id"][::40]
    said = [{"image_id": one, "decision": "accepted"} for one in ids]
    said[0]["decision"] = "rejected"
    pq.write_table(pa.Table.from_pylist(said), tmp_path / "d.parquet")
    lines = [
        f"{one},ann,{label}"
        for one, label in zip(ids, rows["label"][::40], strict=True)
    ]
    (tmp_path / "a.csv").write_text(
        "\n".join(["sample_id,annotator,answer", *lines])
    )
    words = ["people", str(CARD), "--decisions", str(tmp_path / "d.parquet")]
    words += [
        "--answers",
        str(tmp_path / "a.csv"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert (
        f"{len(ids)} answers of 1 people to {len(ids)} images (0 unsure" in out
    )
    assert "people 100.0 [" in out
    assert re.search(rf"mini +choice +ood +accepted +{len(ids) - 1} ", out)
    assert (tmp_path / "out" / "accepted.csv").is_file()
    assert main(["people", str(CARD)]) == 2
    assert "--decisions FILE" in capsys.readouterr().err
    assert (
        main(["people", str(CARD), "--decisions", str(tmp_path / "v.sqlite")])
        == 2
    )
    assert "imagenet-ao agreement" in capsys.readouterr().err


def drawn_results(rng, spread, images, compositions=(12, 15), shift=0.0):
    """Two results on other images of compositions whose logits have a standard deviation."""
    pairs = [
        (a, o) for a in range(compositions[0]) for o in range(compositions[1])
    ]
    names = tuple(
        tuple(f"{kind}{i}" for i in range(n))
        for kind, n in zip("ao", compositions, strict=True)
    )
    logits = rng.normal(0, spread, len(pairs))
    both = []
    for number in (0, 1):
        p = 1 / (1 + np.exp(-(logits + number * shift)))
        right = rng.random((len(pairs), images)) < p[:, None]
        both.append(
            answers_of(right, "composition", f"s{number}-", pairs, names=names)
        )
    return both


def test_a_retest_tells_other_images_from_other_compositions():
    rng = np.random.default_rng(7)
    same = retest_results(*drawn_results(rng, 1.5, 4))
    assert same.correlation < 0.75, "counts of four images"
    assert (
        same.corrected_low <= 1 <= same.corrected_high + 1e-9
        or same.corrected > 0.9
    )
    assert same.low < 0 < same.high
    assert (same.compositions, same.images, same.left_out) == (
        180,
        (720, 720),
        0,
    )
    harder = retest_results(*drawn_results(rng, 1.0, 4, shift=-1.0))
    assert harder.high < 0
    assert harder.wide_high < 0
    none = retest_results(*drawn_results(rng, 0.0, 3))
    assert none.corrected is None or none.corrected_low < 0.3
    assert "Intervals 95 %." in same.text()


def test_the_parts_without_counting_noise_are_unbiased():
    """Over many draws the means of covariance and variance are those of the true accuracies."""
    rng = np.random.default_rng(1)
    p = rng.beta(2, 2, 60)
    n = np.full((400, 2, 60), 3.0)
    rates = rng.binomial(3, p, (400, 2, 60)) / 3
    covariance, variances = true_parts(rates, n)
    truth = np.var(p, ddof=1)
    assert covariance.mean() == pytest.approx(truth, rel=0.05)
    assert variances.mean(0) == pytest.approx([truth, truth], rel=0.05)


def test_a_retest_is_refused_on_the_same_images_and_on_few_compositions(judged):
    answers, _ = judged
    with pytest.raises(UserError, match="36 images stand in both results"):
        retest_results(answers, answers)
    other = answers_of([[True, True]] * len(PAIRS), samples="other")
    with pytest.raises(UserError, match="share 9 compositions"):
        retest_results(answers, other)


def test_templates_that_name_an_attribute_are_those_with_the_whole_words():
    templates = [
        "a reddish {}.",
        "a Red {} here.",
        "the black-and-white {}.",
        "a {}.",
    ]
    found = named_attributes(templates, ["red", "black and white"])
    assert found == {templates[1]: "red", templates[2]: "black and white"}


def test_the_spread_is_over_templates_on_the_same_images():
    rng = np.random.default_rng(2)
    hits = {
        name: rng.random((9, 4)) < p
        for name, p in ((ALL, 0.9), ("a {}", 0.6), ("red {}", 0.3))
    }
    answers = {
        name: answers_of(one, "composition") for name, one in hits.items()
    }
    answers[WITHOUT] = answers["a {}"]
    report = template_spread(answers, {"red {}": "red"})
    by = {one.prompt: one for one in report.scores}
    for name, one in hits.items():
        assert by[name].rate == pytest.approx(one.mean())
        assert by[name].difference == pytest.approx(
            one.mean() - hits[ALL].mean()
        )
    assert [one.prompt for one in report.single("ood")] == ["a {}", "red {}"]
    assert (
        "without the 1 that name an attribute of the set (red)" in report.text()
    )


def test_the_verb_prompts_runs_each_template_on_one_embedding_of_the_images(
    tmp_path, capsys
):
    path = tmp_path / "templates.txt"
    path.write_text("a photo of a {}.\na striped photo of the {}.\n")
    words = [
        "prompts",
        "mini",
        "--limit",
        "20",
        "--templates",
        str(path),
        "--cpu",
    ]
    words += [
        "--embeddings",
        str(tmp_path / "e"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "all 2 templates together" in said
    assert "the 1 that name an attribute of the set (striped)" in said
    kept = [one.read_text() for one in (tmp_path / "e").glob("*/key.json")]
    assert sum('"images"' in one for one in kept) == 2, "id and ood, once each"
    assert sum('"texts"' in one for one in kept) == 3, (
        "one is alone without the other"
    )
    assert (tmp_path / "out" / "prompts.csv").read_text().count("\n") == 9
    assert (
        main(
            [
                "prompts",
                "efficientnet-lite0",
                "--data",
                "mini",
                "--cpu",
                *words[2:6],
            ]
        )
        == 2
    )
    path.write_text("a {}\n")
    assert main(["prompts", "mini", "--templates", str(path)]) == 2
    assert "a spread needs two" in capsys.readouterr().err
