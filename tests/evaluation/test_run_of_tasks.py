"""Ranks of several tasks from the same vectors: each as it is alone, by sides, and among an image's
own candidates.
"""

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from PIL import Image

import aobench
import aobench.cli as cli
from aobench.evaluation import scoring
from aobench.evaluation.scoring import (
    Sides,
    rank_choices,
    rank_embeddings,
    rank_scores,
)
from aobench.mini.render import render
from aobench.results.tasks import DEFAULT_TASKS, TASKS, Task

#: Columns that may differ in their last digit, as texts were embedded in other company.
FLOATS = ["margin", "score_seen", "score_novel"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("embeddings")


def asked(kept, *tasks):
    """The bundled model on a few images of mini."""
    options = {"limit": 18, "templates": ["a {}"], "embeddings": kept}
    return aobench.evaluate("mini", "mini", tasks=tasks or None, **options)[0]


def test_a_task_alone_has_the_rows_that_it_has_among_others(kept):
    every = asked(kept)
    assert set(every.scores) == set(DEFAULT_TASKS)
    table = every.predictions
    for task in ("composition-own", "choice"):
        alone = asked(kept, task).predictions.drop_columns(FLOATS)
        alone = alone.filter(pc.equal(alone["task"], task))
        rows = table.filter(pc.equal(table["task"], task)).drop_columns(FLOATS)
        assert alone.equals(rows), f"{task} depends on what else is asked"
    sides = np.array(
        [table[name].is_null() for name in ("best_seen", "side_rank")]
    )
    assert (sides == (np.array(table["task"]) != "composition")).all()


def test_a_task_is_added_by_a_line(kept, monkeypatch, tmp_path, capsys):
    """As CONTRIBUTING.md says; here objects among all that the vocabulary has."""
    added = Task("object-open", "object", "shared", "among all objects", "open")
    monkeypatch.setitem(TASKS, added.name, added)
    result = asked(kept, "object-open", "object")
    scores = result.scores["object-open"]["splits"]["ood"]
    assert scores["n_candidates"] == 110
    assert (
        scores["object_top1"]
        <= result.scores["object"]["splits"]["ood"]["object_top1"]
    )
    again = aobench.load_result(result.save(tmp_path / "mini"))
    assert again.scores == result.scores
    assert cli.main(["score", str(tmp_path / "mini")]) == 0
    assert "object-open" in capsys.readouterr().out


def test_what_the_data_cannot_be_asked_is_left_out_and_said(tmp_path, capsys):
    for place, (attribute, name) in enumerate(
        [("red", "teapot"), ("golden", "lion")]
    ):
        folder = tmp_path / "data" / f"{attribute}_{name}"
        folder.mkdir(parents=True)
        picture = render(attribute, name, np.random.default_rng(place))
        Image.fromarray(picture).save(folder / "0.png")
    words = ["evaluate", "mini", "--data", str(tmp_path / "data")]
    words += ["--out", str(tmp_path / "out"), "--cpu"]
    (tmp_path / "one.txt").write_text("a {}\n")
    words += ["--templates", str(tmp_path / "one.txt")]
    assert cli.main(words) == 0
    assert (
        "The task choice is left out: it takes three attributes"
        in capsys.readouterr().out
    )
    assert cli.main([*words, "--tasks", "choice"]) == 2
    error = capsys.readouterr().err
    assert "no task is left to ask" in error
    assert error.count("\n") == 1


@pytest.fixture(params=[1, 37, 10**6])
def block(request, monkeypatch):
    """Few and many scores at a time."""
    monkeypatch.setattr(scoring, "SCORES", request.param)


def vectors(count, seed, levels=3):
    """Whole numbers, so that many scores are equal and sums are exact."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(
        -levels, levels + 1, (count, 4), generator=draw
    ).float()


def order(scores, ids):
    """``ids`` from the best to the worst; of equal scores the lower id first."""
    return sorted(ids, key=lambda i: (-scores[i], i))


def test_choices_are_ranked_as_a_loop_would(block):
    images, texts = vectors(40, 0), vectors(12, 1)
    draw = np.random.default_rng(2)
    choices = np.sort([draw.permutation(12)[:6] for _ in range(40)], axis=1)
    gold = choices[np.arange(40), draw.integers(6, size=40)]
    found = rank_choices(
        images, texts, torch.tensor(gold), torch.tensor(choices)
    )
    scores = (images @ texts.T).numpy()
    for row in range(40):
        wanted = order(scores[row], choices[row].tolist())
        assert found.top[row].tolist() == wanted[:5]
        assert found.rank[row] == wanted.index(gold[row])


def test_choices_of_all_candidates_are_the_shared_list(block):
    images, texts = vectors(30, 3), vectors(9, 4)
    gold = torch.arange(30) % 9
    alone = rank_choices(images, texts, gold, torch.arange(9).repeat(30, 1))
    shared = rank_embeddings(images, texts, gold)
    for name in ("rank", "top", "margin"):
        np.testing.assert_array_equal(
            getattr(alone, name), getattr(shared, name)
        )


def test_the_best_of_each_side_and_the_rank_on_it_are_a_loops(block):
    images, texts = vectors(40, 5), vectors(11, 6)
    seen, novel = [0, 3, 4, 9], [1, 2, 5, 10]  # 6, 7 and 8 occur in no split
    gold = torch.tensor([(seen + novel)[i % 8] for i in range(40)])
    sides = Sides(torch.tensor(seen), torch.tensor(novel))
    found = rank_embeddings(images, texts, gold, sides=sides)
    plain = rank_embeddings(images, texts, gold)
    np.testing.assert_array_equal(found.rank, plain.rank)
    scores = (images @ texts.T).numpy()
    for row in range(40):
        best = order(scores[row], seen)[0], order(scores[row], novel)[0]
        assert (found.best_seen[row], found.best_novel[row]) == best
        assert found.score_seen[row] == scores[row, best[0]]
        assert found.score_novel[row] == scores[row, best[1]]
        right = int(gold[row])
        mine = seen if right in seen else novel
        assert found.side_rank[row] == order(scores[row], mine).index(right)


def test_rows_are_joined_whether_or_not_there_are_sides():
    some = rank_scores(torch.eye(3), torch.arange(3))
    joined = scoring.Ranked.joined(
        [some, scoring.Ranked.empty(2, 3, sides=False)]
    )
    assert len(joined.rank) == 5
    assert len(joined.best_seen) == 0
