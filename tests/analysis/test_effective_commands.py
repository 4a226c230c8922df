"""The verbs as a user types them: files, figures, one line where something is wrong."""

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.made_embeddings import made_embeddings
from helpers.made_results import made_result

from aobench.analysis.breakdown import (
    CellCounts,
    against_counts,
    caption_counts,
    counts_plot,
    heat_map,
)
from aobench.cli import main
from aobench.csv_tables import read_csv_rows
from aobench.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n"


def result(model, known, novel, kind="clip", fingerprint="a"):
    split = {"n": 500, "composition_top1": novel, "object_top1": novel}
    return {
        "model": {"id": model, "kind": kind, "notes": {}},
        "dataset": {
            "name": "imagenet_ao",
            "config": "mini",
            "splits": {"ood": {"fingerprint": fingerprint}},
        },
        "templates": None,
        "candidates": {},
        "figures": {
            "splits": {
                "id": split | {"composition_top1": known, "object_top1": known},
                "ood": split,
            }
        },
    }


@pytest.fixture
def results(tmp_path):
    paths = []
    for i in range(5):
        path = tmp_path / f"r{i}.json"
        path.write_text(
            json.dumps(result(f"model {i} <b>", 0.3 + 0.1 * i, 0.2 + 0.1 * i))
        )
        paths.append(str(path))
    return paths


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What `effective` writes of the published table, and what it prints."""
    folder = tmp_path_factory.mktemp("published")
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("IMAGENET_AO_PLOT_FILES", "svg png")
        assert main(["effective", "--out", str(folder)]) == 0
    return folder, said.getvalue()


def test_the_published_table_gives_tables_and_figures(published):
    folder, text = published
    assert "53 models in 51 independent runs" in text
    assert "In no line and no group are 13 rows" in text
    assert re.search(r"yfcc15m +-10\.7 \[-12\.\d, -[89]\.\d\]", text)
    assert re.search(r"openai +-4\.0 \[-5\.\d, -2\.1\]", text)
    assert re.search(r"laion400m +\+1\.9 \[-0\.\d, \+4\.\d\]", text), (
        "undecided"
    )
    assert "else a residual" in text, "CLIPs are their own baseline"
    assert len((folder / "models.csv").read_text().splitlines()) == 69
    for name in ("scatter", "by_group", "by_model"):
        assert (folder / f"{name}.png").read_bytes().startswith(PNG)
        assert "<svg" in (folder / f"{name}.svg").read_text()


def test_the_page_is_small_whole_and_loads_nothing(published):
    page = (published[0] / "scatter.html").read_text()
    assert len(page) < 100_000
    assert page.count('class="p"') == 68
    assert not re.search(
        r"(src|href)=(?!.data:)|https?://|@import|url\((?!#)", page
    )


def test_figures_have_the_same_bytes_each_time(
    tmp_path, published, monkeypatch
):
    monkeypatch.setenv("IMAGENET_AO_PLOT_FILES", "svg png")
    assert main(["effective", "--out", str(tmp_path)]) == 0
    for name in ("scatter.svg", "scatter.png", "by_group.svg", "scatter.html"):
        first = (published[0] / name).read_bytes()
        assert first == (tmp_path / name).read_bytes(), name


def test_results_of_the_runner_and_names_with_markup(tmp_path, results, capsys):
    assert (
        main(
            [
                "effective",
                *results,
                "--baseline",
                "all",
                "--out",
                str(tmp_path / "out"),
                "--by",
                "family",
            ]
        )
        == 0
    )
    assert "5 models in 5 independent runs" in capsys.readouterr().out
    page = (tmp_path / "out" / "scatter.html").read_text()
    assert "model 0 &lt;b&gt;" in page
    assert "<b>" not in page


def test_incomparable_results_are_said_to_be(results, capsys):
    content = result("model x", 0.5, 0.4, fingerprint="another")
    with open(results[0], "w") as stream:
        json.dump(content, stream)
    assert main(["effective", *results, "--baseline", "all"]) == 0
    assert (
        "the results differ in dataset: they are not comparable"
        in capsys.readouterr().out
    )


def test_other_pixels_of_the_same_set_are_only_noted(results, capsys):
    content = json.loads(Path(results[0]).read_text())
    content["dataset"]["splits"]["ood"]["pixels"] = "0" * 16
    Path(results[0]).write_text(json.dumps(content))
    assert main(["effective", *results, "--baseline", "all"]) == 0
    assert "not comparable" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ([], "name the baseline models"),
        (["--baseline", "family=supervised"], "no model has family=supervised"),
        (["--baseline", "all", "--figure", "top9"], "has no top9"),
        (
            ["--baseline", "all", "--transform", "cubic"],
            "unknown transform 'cubic'",
        ),
        (["--baseline", "all", "--out", "/dev/null/x"], "could not be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(results, capsys, extra, message):
    assert main(["effective", *results, *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


CARDS = Path(__file__).parents[2] / "model_cards"


def test_compare_takes_a_task_that_both_answer_and_prints_intervals_and_chance(
    capsys,
):
    assert (
        main(
            [
                "compare",
                str(CARDS / "mini"),
                str(CARDS / "efficientnet-lite0"),
                "--kind",
                "object",
            ]
        )
        == 0
    )
    text = capsys.readouterr().out
    assert re.search(
        r"mini: 54\.1\d % \[47\.\d\d, 60\.\d\d\], chance 0\.91 % of 110 candidates \(object\)",
        text,
    )
    assert re.search(
        r"efficientnet-lite0: 24\.7\d % \[1\d\.\d\d, 3\d\.\d\d\], chance 0\.91 % of 110 "
        r"candidates \(object\)",
        text,
    )
    assert "lists differ" not in text, (
        "both can be asked for the object among one list"
    )
    assert re.search(
        r"difference \+29\.4 \[\+2\d\.\d, \+3\d\.\d\] points for attributes and objects like these "
        r"\(two-way t, p = \d\.\d+e-",
        text,
    )
    assert "sign flips over compositions, p = 0.0001)" in text
    assert main(["compare", str(CARDS / "mini"), str(CARDS / "mini")]) == 0
    assert "lists differ" not in capsys.readouterr().out


def test_folders_are_taken_for_their_results_and_empty_ones_skipped(
    results, tmp_path, capsys
):
    folders = []
    for path in map(Path, results):
        folder = tmp_path / path.stem
        folder.mkdir()
        folders.append(str(path.rename(folder / "results.json").parent))
    (tmp_path / "embeddings").mkdir()
    assert (
        main(
            [
                "effective",
                *folders,
                str(tmp_path / "embeddings"),
                "--baseline",
                "all",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "5 models in 5 independent runs" in printed
    assert (
        f"Skipped: {tmp_path / 'embeddings'} holds no results.json" in printed
    )
    for wrong in (tmp_path / "embeddings", tmp_path / "nowhere.json"):
        assert main(["effective", str(wrong), "--baseline", "all"]) == 2
        error = capsys.readouterr().err
        assert f"there is no {wrong}" in error
        assert "JSON" not in error, "a file that is not there is blamed on JSON"


def test_few_runs_are_marked_and_the_figures_say_which_accuracy(published):
    folder, printed = published
    assert (
        "Object accuracy of 68 models, 50,000 ID and 46,092 OoD images."
        in printed
    )
    for name, few in (("cc12m", True), ("yfcc15m", True), ("laion400m", False)):
        line = next(
            line
            for line in printed.splitlines()
            if line.strip().startswith(f"{name} ")
        )
        assert line.endswith("few runs") == few, line
    groups = (folder / "by_group.svg").read_text()
    assert "cc12m (n = 1, r = 1)*" in groups
    assert "laion400m (n = 4, r = 4)<" in groups
    assert "fewer than 3 runs" in groups
    scatter = (folder / "scatter.svg").read_text()
    assert "ID object accuracy, % (logit axis)" in scatter
    assert "50,000 ID and 46,092 OoD images" in scatter


def test_intervals_use_the_independent_images_where_a_result_tells_them(
    tmp_path,
):
    from aobench.analysis.model_accuracies import images_shown, read_results

    content = result("m", 0.5, 0.4)
    for split in content["figures"]["splits"].values():
        split["composition_top1_effective_n"] = 123.4
    (tmp_path / "results.json").write_text(json.dumps(content))
    [record], _, figure = read_results([tmp_path])
    assert figure == "composition_top1"
    assert (record.n_id, record.n_ood) == (123, 123)
    assert images_shown([record]) == "500 ID and 500 OoD images"


def test_absent_classes_and_absent_series_are_told():
    right = dict.fromkeys(list(caption_counts()["cc3m"])[:20], (3, 9)) | {
        "no such class": (1, 9)
    }
    figure, _ = counts_plot(right, "title")
    assert "1 of 21 objects left out" in figure.get_suptitle()
    from aobench.study.collecting import read_table
    from aobench.study.plots import correlations_plot
    from aobench.study.summary import Study

    axes = correlations_plot(Study(read_table())).axes[0]
    assert (
        "absent, for it is the same in all runs: z_diff of attribute + object classifier"
        in axes.get_xlabel()
    )


def test_disentangle_names_limit_where_the_images_are_others(tmp_path):
    from aobench.analysis import embeddings

    key = {
        "what": "images",
        "split": "ood",
        "fingerprint": "another",
        "order": "x",
    }
    with pytest.raises(UserError, match="a run with --limit"):
        embeddings.read_store(tmp_path, key, [])


def test_disentangle_reads_an_npz(tmp_path, capsys):
    z, factors = made_embeddings("factored", 4, 4, 8)
    np.savez(
        tmp_path / "z.npz",
        embeddings=z,
        attributes=factors[:, 0],
        objects=factors[:, 1],
    )
    assert main(["disentangle", str(tmp_path / "z.npz")]) == 0
    assert re.search(r"factor_r2 +0\.99", capsys.readouterr().out)
    np.savez(tmp_path / "bad.npz", embeddings=z)
    assert main(["disentangle", str(tmp_path / "bad.npz")]) == 2
    assert "lacks the array(s) attributes, objects" in capsys.readouterr().err


def test_disentangle_reads_the_runners_shards(tmp_path, capsys):
    import torch

    from aobench.evaluation.data import Source, open_splits
    from aobench.evaluation.embedding_store import Store
    from aobench.vocabulary.templates import texts_hash

    [split] = open_splits(Source("mini"), ("ood",), limit=300)
    from aobench.analysis import embeddings

    key = {
        "what": "images",
        "kind": "clip",
        "revision": "r",
        "fingerprint": split.fingerprint,
        "split": "ood",
        "order": texts_hash(split.sample_ids),
    }
    store = Store(tmp_path, key, 300, 128)
    a, o = torch.tensor(split.attributes), torch.tensor(split.objects)
    z = torch.cat([torch.eye(24)[a], torch.eye(110)[o]], dim=1)
    for shard in range(len(store)):
        rows = store.items(shard)
        store.write(
            shard,
            z[rows.start : rows.stop],
            {0: "broken"} if shard == 0 else None,
        )
    [(path, found)] = embeddings.image_stores(tmp_path)
    table = embeddings.read_store(path, found, [split])
    assert table.left_out == 1
    assert table.z == pytest.approx(z[1:].numpy())
    assert table.factors[:, 0].tolist() == split.attributes[1:]
    for unlike in (
        {"order": texts_hash(split.sample_ids[::-1])},
        {"content": "x"},
    ):
        with pytest.raises(UserError, match="another dataset or order of rows"):
            embeddings.read_store(path, found | unlike, [split])
    store.path(1).unlink()
    with pytest.raises(UserError, match="not complete"):
        embeddings.read_store(path, found, [split])
    with pytest.raises(UserError, match="no embeddings of images of id"):
        embeddings.image_stores(tmp_path, "id")


def test_heat_map_says_what_it_leaves_out():
    rng = np.random.default_rng(0)
    n = rng.integers(0, 3, (4, 80))
    figure = heat_map(
        CellCounts(
            np.minimum(n, 1),
            n,
            [f"a{i}" for i in range(4)],
            [f"o{i}" for i in range(80)],
        ),
        "title",
    )
    assert "20 objects left out, evenly" in figure.get_suptitle()


def test_caption_counts_are_those_of_a_thousand_classes():
    counts = caption_counts()
    assert set(counts) == {"cc3m", "cc12m", "yfcc15m", "laion400m"}
    assert {len(c) for c in counts.values()} == {1000}
    right = {
        name: (min(9, int(np.log10(c + 1))), 9)
        for name, c in list(counts["laion400m"].items())[:60]
    }
    _, fits = counts_plot(right, "title")
    assert fits["laion400m"].spearman > 0.9
    assert fits["laion400m"].low > fits["cc3m"].low
    with pytest.raises(UserError, match="only 3 classes"):
        against_counts(np.arange(3), np.arange(3))


@pytest.fixture
def listed(tmp_path):
    """Results of tasks of their own, and a list that says more of the models."""
    folders = []
    for number in range(8):
        known = 0.2 + 0.07 * number
        novel = None if number == 7 else known - 0.15
        name = f"model {number}"
        place = tmp_path / "results" / str(number)
        folders.append(
            str(
                made_result(
                    place, name, known, known - 0.1, novel, family="old"
                )
            )
        )
    lines = ["model,family,training_set,maker,run"]
    lines += [
        f"model {n},new,set {n % 2},{'ab'[n % 2]},run {n // 2}"
        for n in range(7)
    ]
    path = tmp_path / "list.csv"
    path.write_text("\n".join([*lines, "model 9,new,set 1,a,"]) + "\n")
    return folders, str(path)


def test_two_scores_named_apart_and_a_list_with_columns_of_its_own(
    listed, tmp_path, capsys
):
    folders, models = listed
    scores = ["--id-score", "id:object", "--ood-score", "ood:composition-own"]
    rules = ["--baseline", "maker=a", "--baseline", "training_set=set 1"]
    out = ["--out", str(tmp_path / "out")]
    command = ["effective", *folders, *scores, "--models", models, *rules, *out]
    assert main([*command, "--by", "maker"]) == 0
    said = capsys.readouterr().out
    assert "left out: model 7." in said
    assert f"in the list {models}, without a result: model 9." in said
    assert (
        "maker=a or training_set=set 1, 7 models in 4 independent runs" in said
    )
    assert "ID object accuracy (id:object), OoD composition accuracy" in said
    groups = read_csv_rows(tmp_path / "out" / "groups.csv")
    assert {row["name"] for row in groups} == {"a", "b"}
    models_rows = read_csv_rows(tmp_path / "out" / "models.csv")
    assert {row["family"] for row in models_rows} == {"new"}
    first = next(row for row in models_rows if row["model"] == "model 0")
    assert (float(first["id"]), float(first["ood"])) == pytest.approx(
        (0.2, 0.05)
    )
    assert (
        "composition accuracy" in (tmp_path / "out" / "scatter.svg").read_text()
    )


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--id-score", "id:object"], "belong together"),
        (
            ["--id-score", "object", "--ood-score", "ood:object"],
            "write SPLIT:TASK",
        ),
        (
            ["--id-score", "id:objekt", "--ood-score", "ood:object"],
            "did you mean",
        ),
        (
            ["--id-score", "id:choice", "--ood-score", "ood:object"],
            "no result has id:choice and ood:object; evaluate with --tasks choice object",
        ),
        (
            [
                "--id-score",
                "id:object",
                "--ood-score",
                "ood:object",
                "--figure",
                "x",
            ],
            "leave one kind out",
        ),
        (["--by", "makers"], "did you mean 'maker'"),
        (["--baseline", "maker=c"], "no model has maker=c; there are: a, b"),
    ],
)
def test_scores_and_columns_that_are_not_there(listed, extra, message, capsys):
    folders, models = listed
    rule = [] if "--baseline" in extra else ["--baseline", "all"]
    command = ["effective", *folders[:7], "--models", models, *rule, *extra]
    if "--id-score" not in extra:
        extra = ["--id-score", "id:object", "--ood-score", "ood:object"]
        command += extra
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_scores_named_apart_are_not_of_tables(tmp_path, capsys):
    scores = ["--id-score", "id:object", "--ood-score", "ood:object"]
    assert main(["effective", *scores]) == 2
    assert "are of results; a table of accuracies" in capsys.readouterr().err
