"""The seen-novel curve of results: of stored tables, printed, and of open tasks."""

from dataclasses import replace
from pathlib import Path

import pytest

from aobench.errors import UserError
from aobench.results.candidates import ask_task
from aobench.results.predictions import read, write
from aobench.results.printing import print_table
from aobench.results.scores import all_scores
from aobench.results.tasks import TASKS

MINI = Path(__file__).parents[2] / "model_cards" / "mini"


@pytest.fixture(scope="module")
def mini():
    return read(MINI)


def test_minis_curve(mini):
    scores = all_scores(mini)
    assert [task for task, its in scores.items() if "curve" in its] == [
        "composition"
    ]
    curve = scores["composition"]["curve"]
    assert (curve["n_seen_candidates"], curve["n_novel_candidates"]) == (
        2090,
        550,
    )
    assert curve["seen_novel_auc"] == pytest.approx(0.868, abs=5e-4)
    assert curve["field_auc"] == pytest.approx(0.858, abs=5e-4)
    assert curve["best_harmonic_mean"] == pytest.approx(0.894, abs=5e-4)
    held = curve["held_out_harmonic_mean"]
    assert held < curve["best_harmonic_mean"]
    assert (
        curve["held_out_harmonic_mean_low"]
        < held
        < curve["held_out_harmonic_mean_high"]
    )


def test_where_minis_errors_fall(mini):
    scores = all_scores(mini)
    splits = scores["composition"]["splits"]
    for mine in splits.values():
        assert mine["errors_n"] == round(
            mine["n"] * (1 - mine["composition_top1"])
        )
        assert mine["errors_seen_chance"] == pytest.approx(
            2090 / 2640, abs=5e-4
        )
    assert not any(
        "errors_" in key for key in scores["object"]["splits"]["ood"]
    )
    choice = scores["choice"]["splits"]["ood"]
    # of the eight others two share the attribute, and two the object
    assert choice["errors_same_attribute_chance"] == 0.25
    assert choice["errors_same_object_chance"] == 0.25


def test_the_printed_tables(mini, capsys):
    print_table([("mini", mini, all_scores(mini))])
    text = capsys.readouterr().out
    assert "seen-novel AUC" in text
    assert "86.8 [85.4, 88.0]" in text
    assert "a seen composition" in text
    assert "352" in text


def test_a_model_that_is_never_right_has_a_curve_without_nan(mini):
    import math

    import pyarrow as pa
    import pyarrow.compute as pc

    table = mini.table
    ranks = pc.if_else(pc.equal(table["side_rank"], 0), 1, table["side_rank"])
    for name, values in {
        "side_rank": pc.cast(ranks, pa.int32()),
        "top": pa.array([[-1]] * len(table), pa.list_(pa.int32())),
    }.items():
        table = table.set_column(table.column_names.index(name), name, values)
    curve = all_scores(replace(mini, table=table))["composition"]["curve"]
    assert curve["seen_novel_auc"] == 0 == curve["best_harmonic_mean"]
    assert "field_auc" not in curve
    assert all(math.isfinite(value) for value in curve.values())


def test_a_table_without_sides_has_no_curve(mini):
    names = [
        "best_seen",
        "best_novel",
        "score_seen",
        "score_novel",
        "side_rank",
    ]
    import pyarrow as pa

    table = mini.table
    for name in names:
        place = table.column_names.index(name)
        nulls = pa.nulls(len(table), table.schema.field(name).type)
        table = table.set_column(place, name, nulls)
    scores = all_scores(replace(mini, table=table))
    assert "curve" not in scores["composition"]
    assert "gap" in scores["composition"]


def test_a_table_whose_sides_belie_its_answers_is_refused(mini, tmp_path):
    table = mini.table
    place = table.column_names.index("score_seen")
    seen = table["score_seen"].to_pylist()
    row = next(i for i, value in enumerate(seen) if value is not None)
    import pyarrow as pa

    novel = table["score_novel"][row].as_py()
    seen[row] = novel + (1 if seen[row] < novel else -1)
    table = table.set_column(place, "score_seen", pa.array(seen, pa.float32()))
    write(replace(mini, table=table), tmp_path / "predictions.parquet")
    with pytest.raises(
        UserError, match="the better of its best seen and novel ones"
    ):
        read(tmp_path / "predictions.parquet")


def test_in_an_open_task_all_that_is_not_seen_is_novel():
    pairs = {"id": [(0, 0), (1, 1)], "ood": [(0, 1)]}
    names = (("red", "blue"), ("cup", "hat"))
    asked = ask_task(TASKS["composition-open"], pairs, *names)
    assert asked["id"].candidates.names == (
        "red cup",
        "red hat",
        "blue cup",
        "blue hat",
    )
    assert asked["id"].sides == asked["ood"].sides == (True, False, False, True)
    own = ask_task(TASKS["composition-own"], pairs, *names)
    assert own["id"].sides == ()
