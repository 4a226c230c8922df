"""What the user's words for results mean: one place decides it for every verb."""

import shutil
import zipfile
from pathlib import Path

import pytest

from aobench.cli import main
from aobench.errors import UserError
from aobench.results.paths import (
    RESULTS,
    TABLE,
    find_results,
    result_file,
    result_places,
    results_below,
)

MINI = Path(__file__).parents[2] / "model_cards" / "mini"


def lay_out(root, *folders):
    """Folders with the two files of a result, empty; one of an evaluation's embeddings."""
    for name in folders:
        (root / name).mkdir(parents=True)
        (root / name / RESULTS).touch()
        (root / name / TABLE).touch()
    (root / "embeddings" / "shards").mkdir(parents=True)
    return root


def names(places, root):
    return [str(place.relative_to(root)) for place in places]


def test_a_folder_above_results_is_all_of_them(tmp_path):
    root = lay_out(
        tmp_path / "lite", "b", "a", "deep/er/c", ".hidden", "a/inner"
    )
    places, notes = find_results([root])
    assert names(places, root) == ["a", "b", "deep/er/c"]
    assert notes == [f"{root}: 3 results (a, b, deep/er/c)"]


def test_what_is_a_result_is_itself_though_others_lie_in_it(tmp_path):
    root = lay_out(tmp_path, "a", "a/inner")
    for given in (
        root / "a",
        f"{root}/a/",
        root / "a" / RESULTS,
        root / "a" / TABLE,
    ):
        assert find_results([given]) == ([Path(given)], [])


@pytest.mark.parametrize("pattern", ["*", "[ab]", "?"])
def test_a_pattern_that_the_shell_left_is_what_it_matches(tmp_path, pattern):
    root = lay_out(tmp_path, "a", "b")
    places, _ = find_results([root / pattern])
    assert names(places, root) == ["a", "b"]


def test_a_folder_with_a_pattern_for_a_name_is_that_folder(tmp_path):
    root = lay_out(tmp_path, "run[1]", "run1")
    assert find_results([root / "run[1]"])[0] == [root / "run[1]"]


def test_folders_without_a_result_are_left_out_and_said_to_be(tmp_path):
    root = lay_out(tmp_path, "a")
    places, notes = find_results([root / "a", root / "embeddings"])
    assert places == [root / "a"]
    assert notes == [f"Skipped: {root / 'embeddings'} holds no {RESULTS}"]
    assert find_results([root / "embeddings"]) == ([root / "embeddings"], [])


def test_files_that_are_no_result_by_their_name_are_left_out_and_said_to_be(
    tmp_path,
):
    root = lay_out(tmp_path, "a")
    table, renamed = root / "models.csv", root / "mini.json"
    table.write_text("model\n")
    renamed.write_text("{}")
    given = [root / "a", table, renamed]
    note = f"Skipped: {table} is no result"
    assert find_results(given) == ([root / "a", renamed], [note])
    assert find_results([table]) == ([table], []), "alone it is read, and told"
    missing = root / "gone.csv"
    assert find_results([root / "a", missing])[0] == [root / "a", missing]


def test_tables_alone_are_enough_where_tables_are_read(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / TABLE).touch()
    assert find_results([tmp_path], TABLE)[0] == [tmp_path / "a" / "b"]
    assert results_below(tmp_path) == []


def test_what_can_not_be_meant_is_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as archive:
        archive.writestr("x", "")
    for given, told in (
        ("results.zip", "is an archive; unpack it"),
        ("nothing*", "nothing matches"),
    ):
        with pytest.raises(UserError, match=told):
            find_results([tmp_path / given])
    with pytest.raises(UserError, match="is an archive"):
        result_file(tmp_path / "results.zip", TABLE)


def test_where_one_result_is_wanted_several_are_named_and_one_is_taken(
    tmp_path,
):
    one = lay_out(tmp_path / "one", "only")
    assert result_file(one, TABLE) == one / "only" / TABLE
    two = lay_out(tmp_path / "two", "a", "b")
    with pytest.raises(
        UserError, match="holds 2 results: a, b; name one of them"
    ):
        result_file(two, RESULTS)
    with pytest.raises(UserError, match="did you mean 'two'"):
        result_file(tmp_path / "tow", RESULTS)


def test_a_result_within_a_folder_that_is_named_too_is_there_twice(tmp_path):
    root = lay_out(tmp_path, "a", "b")
    with pytest.raises(UserError, match="are the same result"):
        result_places([root, root / "b"])


@pytest.fixture(scope="module")
def above(tmp_path_factory):
    """A folder above one real result, and another of two links to it."""
    root = tmp_path_factory.mktemp("above")
    shutil.copytree(MINI, root / "one" / "mini")
    return root


@pytest.mark.parametrize(
    "words",
    [
        ["effective", "--baseline", "all"],
        ["power"],
        ["compare"],
        ["export", "--to", "csv"],
        ["card", "--dataset", "a/b"],
    ],
    ids=lambda words: words[0],
)
def test_every_verb_takes_the_folder_above(
    words, above, tmp_path, capsys, monkeypatch
):
    """None says that results.json is missing in a folder that holds a result one level deeper."""
    monkeypatch.chdir(tmp_path)
    status = main([words[0], str(above / "one"), *words[1:]])
    said = capsys.readouterr().err
    few = {"effective": "needs 3", "compare": "two results or more are needed"}
    assert "there is no" not in said
    assert status == (2 if words[0] in few else 0), said
    assert few.get(words[0], "") in said


def test_what_is_left_out_of_two_is_said_in_the_one_line(
    above, tmp_path, capsys
):
    (tmp_path / "empty").mkdir()
    other = tmp_path / "notes.txt"
    other.write_text("nothing")
    for path, why in (
        (tmp_path / "empty", "holds no predictions.parquet"),
        (other, "is no result"),
    ):
        assert main(["compare", str(path), str(above / "one" / "mini")]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert f"mini is one (skipped: {path} {why}); name another" in said


def test_what_is_left_out_is_said_where_a_line_lacks_models(
    above, tmp_path, capsys
):
    (tmp_path / "empty").mkdir()
    places = [str(above / "one" / "mini"), str(tmp_path / "empty")]
    assert main(["effective", *places, "--baseline", "all"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert "needs 3; Skipped: " in said
    assert "empty holds no results.json" in said
