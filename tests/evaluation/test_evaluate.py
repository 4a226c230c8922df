"""The command line from pictures to figures, on a small folder in the published layout."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aobench.cli as cli
from aobench.images import BadImageError, read_image
from aobench.mini.render import render
from aobench.results.predictions import read

PAIRS = [
    ("wooden", "banana"),
    ("red", "teapot"),
    ("moss covered", "ambulance"),
    ("golden", "lion"),
    ("striped", "zebra"),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Five novel-looking compositions, two images each, and one image that is cut short."""
    root = tmp_path_factory.mktemp("data") / "ImageNet-AO-filtered"
    for attribute, name in PAIRS:
        folder = root / f"{attribute} {name}".replace(" ", "_")
        folder.mkdir(parents=True)
        for index in range(2):
            picture = render(attribute, name, np.random.default_rng((7, index)))
            Image.fromarray(picture).save(folder / f"{index}.png")
    (root / "red_teapot" / "2.png").write_bytes(
        (root / "red_teapot" / "0.png").read_bytes()[:400]
    )
    return root.parent


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    path = tmp_path_factory.mktemp("prompts") / "two.txt"
    path.write_text("# two prompts\na photo of a {}.\nthe {}\n")
    return path


@pytest.fixture(scope="module")
def finished(published, templates, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    arguments = [
        "evaluate",
        "mini",
        "--data",
        str(published),
        "--templates",
        str(templates),
    ]
    assert cli.main([*arguments, "--out", str(out), "--cpu"]) == 0
    return out / "mini"


def test_results_name_what_made_them(finished):
    results = json.loads((finished / "results.json").read_text())
    assert results["model"]["kind"] == "clip"
    assert results["templates"]["n"] == 2
    assert results["dataset"]["splits"]["ood"]["n"] == 11
    assert results["tasks"]["composition"]["candidates"]["ood"]["n"] == len(
        PAIRS
    )


def test_an_unreadable_image_is_named_and_counts_as_wrong(finished):
    results = json.loads((finished / "results.json").read_text())
    assert [row["sample_id"] for row in results["unreadable"]] == [
        "red_teapot/2.png"
    ]
    figures = results["scores"]["composition"]["splits"]["ood"]
    rows = read(finished / "predictions.parquet").split("ood")
    right = sum(rank == 0 for rank in rows["rank"])
    assert figures["n"] == 11
    assert figures["composition_top1"] == pytest.approx(right / 11)
    assert right >= 8, (
        "the bundled model should name most of these five compositions"
    )


def test_score_recomputes_the_same_scores(finished, capsys):
    path = str(finished / "predictions.parquet")
    assert cli.main(["score", path, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)[path]
    assert (
        again == json.loads((finished / "results.json").read_text())["scores"]
    )


def test_a_folders_results_are_in_a_folder_of_its_name_and_a_limit_shows(
    published, templates, tmp_path, monkeypatch, capsys
):
    from aobench.models.registry import BUNDLED
    from aobench.publish.card import card_section
    from aobench.publish.leaderboard import build_pages
    from aobench.results.verified import read_result

    for place in ("tinyclip", "sub/tinyclip"):
        shutil.copytree(BUNDLED, tmp_path / place)
    (tmp_path / "sub" / "here").mkdir()
    monkeypatch.chdir(tmp_path / "sub" / "here")
    common = [
        "--data",
        str(published),
        "--templates",
        str(templates),
        "--cpu",
    ]
    assert (
        cli.main(
            [
                "evaluate",
                "../../tinyclip",
                "./../tinyclip",
                *common,
                "--limit",
                "4",
                "--out",
                "out",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert {path.name for path in Path("out").iterdir()} == {
        "tinyclip",
        "tinyclip-2",
        "embeddings",
    }
    assert "Written to out/tinyclip/\nWritten to out/tinyclip-2/\n" in printed
    assert "a trial run, --limit 4: not a result on the whole set." in printed
    result = read_result("out/tinyclip")
    assert result.content["dataset"]["limit"] == 4
    assert "**This is a trial run, --limit 4" in card_section(result)
    pytest.importorskip("plotly")
    build_pages([result], tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        assert "trial run, --limit 4" in page.read_text(), (
            f"{page.name} shows a trial run as a full one"
        )


def test_a_limit_that_leaves_nothing_out_is_no_trial(
    published, templates, tmp_path
):
    common = [
        "--data",
        str(published),
        "--templates",
        str(templates),
        "--cpu",
    ]
    assert (
        cli.main(
            [
                "evaluate",
                "mini",
                *common,
                "--limit",
                "11",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert (
        "limit"
        not in json.loads((tmp_path / "mini" / "results.json").read_text())[
            "dataset"
        ]
    )


def test_stop_on_a_bad_image(published, templates, tmp_path, capsys):
    arguments = [
        "evaluate",
        "mini",
        "--data",
        str(published),
        "--templates",
        str(templates),
    ]
    assert (
        cli.main(
            [
                *arguments,
                "--out",
                str(tmp_path),
                "--cpu",
                "--on-bad-image",
                "stop",
            ]
        )
        == 2
    )
    assert "red_teapot/2.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "no-such/model-here"], "is not in the local cache"),
        (
            ["evaluate", "mini", "--data", "/no/such/folder"],
            "/no/such/folder",
        ),
        (
            ["evaluate", "mini", "--templates", "/no/such/templates.txt"],
            "templates",
        ),
        (["evaluate", "mini", "--batch-size", "0"], "--batch-size"),
        (
            ["score", "/no/such/table.parquet"],
            "there is no /no/such/table.parquet",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert len(error.splitlines()) == 1


def test_a_folder_without_a_model(tmp_path, capsys):
    assert cli.main(["evaluate", str(tmp_path)]) == 2
    assert "holds no model" in capsys.readouterr().err


def test_damaged_embeddings_are_computed_again_and_the_results_stay(
    published, templates, tmp_path, capsys
):
    words = [
        "evaluate",
        "mini",
        "--data",
        str(published),
        "--templates",
        str(templates),
    ]
    words += ["--out", str(tmp_path), "--cpu", "--shard-size", "5"]
    assert cli.main(words) == 0
    figures = json.loads((tmp_path / "mini/results.json").read_text())["scores"]
    shards = sorted((tmp_path / "embeddings").glob("*/*.safetensors"))
    kinds = {
        json.loads((path.parent / "key.json").read_text())["what"]: path
        for path in shards
    }
    assert set(kinds) == {"images", "texts"}
    for path in kinds.values():
        path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    capsys.readouterr()
    assert cli.main(words) == 0
    said = capsys.readouterr().err
    for path in kinds.values():
        assert said.count(f"{path} is not what was written here") == 1
    assert (
        json.loads((tmp_path / "mini/results.json").read_text())["scores"]
        == figures
    )


def _evaluated(model, published, templates, out, *more):
    words = [
        "evaluate",
        str(model),
        "--data",
        str(published),
        "--templates",
        str(templates),
    ]
    return cli.main([*words, "--out", str(out), "--cpu", *more])


def test_another_models_result_is_never_replaced(
    published, templates, tmp_path, capsys, monkeypatch
):
    """runs/a/checkpoint-1 and runs/b/checkpoint-1: one name of a folder, two models."""
    from aobench.models.registry import BUNDLED

    for run in "ab":
        shutil.copytree(BUNDLED, tmp_path / run / "checkpoint-1")
    config = tmp_path / "b/checkpoint-1/config.json"
    config.write_text(
        config.read_text() + "\n"
    )  # the smallest change that makes another revision
    out = tmp_path / "out"
    assert (
        _evaluated(tmp_path / "a/checkpoint-1", published, templates, out) == 0
    )
    before = (out / "checkpoint-1/results.json").read_bytes()
    monkeypatch.chdir(tmp_path / "a")
    assert _evaluated("checkpoint-1", published, templates, out) == 0, (
        "the same model by another path"
    )
    capsys.readouterr()

    def loaded(*_):
        raise AssertionError(
            "a model was loaded before the folders were looked at"
        )

    monkeypatch.setattr(
        "aobench.models.dual_encoder.TransformersDualEncoder.__init__", loaded
    )
    for model in (tmp_path / "b/checkpoint-1", "../b/checkpoint-1"):
        assert _evaluated(model, published, templates, out) == 2
        error = capsys.readouterr().err
        assert "holds the result of another model" in error
        assert error.count("\n") == 1
    monkeypatch.chdir(tmp_path / "b")  # the very same words, and another model
    assert _evaluated("checkpoint-1", published, templates, out) == 2
    assert "checkpoint-1 (sha256:" in capsys.readouterr().err
    assert json.loads(before)["model"] | {"id": ""} == json.loads(
        (out / "checkpoint-1/results.json").read_text()
    )["model"] | {"id": ""}


def test_a_revision_that_only_loading_tells_is_looked_at_too(
    finished, tmp_path
):
    from aobench.errors import UserError
    from aobench.results.paths import check_folders, check_same_model

    check_folders(["mini"], [finished])
    held = json.loads((finished / "results.json").read_text())["model"]
    check_same_model(finished, held["id"], held["revision"])
    check_same_model(tmp_path / "none", "a", "b")
    with pytest.raises(
        UserError, match=r"another model, mini \(sha256:.*not org/x \(abc\)"
    ):
        check_same_model(finished, "org/x", "abc")
    with pytest.raises(UserError, match="holds the result of another model"):
        check_folders(["org/model"], [finished])
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(UserError, match="not readable JSON"):
        check_folders(["mini"], [tmp_path])


def test_options_that_change_numbers_are_in_the_result_and_a_replacement_is_said(
    published, templates, tmp_path, capsys
):
    from aobench.publish.card import card_section
    from aobench.publish.hub_entries import setting_notes
    from aobench.results.comparability import unlike_settings
    from aobench.results.verified import read_result

    assert _evaluated("mini", published, templates, tmp_path) == 0
    plain = read_result(tmp_path / "mini")
    assert plain.content["settings"] == {}
    capsys.readouterr()
    assert (
        _evaluated(
            "mini",
            published,
            templates,
            tmp_path,
            "--draft",
            "64",
            "--attention",
            "eager",
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "had other settings (draft, attention); it is replaced" in printed
    assert (
        "mini ran with --draft 64, --attention eager: it compares with"
        in printed
    )
    drafted = read_result(tmp_path / "mini")
    assert drafted.content["settings"] == {"draft": 64, "attention": "eager"}
    assert (
        drafted.predictions.provenance["settings"]
        == drafted.content["settings"]
    )
    assert unlike_settings([plain.content, drafted.content]) == [
        "draft",
        "attention",
    ]
    assert "--draft 64, --attention eager" in setting_notes(drafted)
    assert "`--draft 64, --attention eager`" in card_section(drafted)
    assert cli.main(["score", str(tmp_path / "mini")]) == 0
    assert "ran with --draft 64" in capsys.readouterr().out
    assert (
        _evaluated(
            "mini",
            published,
            templates,
            tmp_path,
            "--draft",
            "64",
            "--attention",
            "eager",
        )
        == 0
    )
    assert "is replaced" not in capsys.readouterr().out, (
        "the same run again needs no note"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "mini", "--data", "x"], "there is no dataset 'x'"),
        (
            ["evaluate", "mini", "--data", "v2", "--columns", "file=x"],
            "form of its own",
        ),
        (
            ["prepare", "out", "--data", "mini", "--objects", "x"],
            "mini is drawn",
        ),
        (
            ["disentangle", "x.npz", "--data", "y"],
            "--data is of the runner's embeddings",
        ),
        (
            ["disentangle", "x.npz", "--seed", "-1"],
            "--seed takes a whole number",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    words, said, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_score_prints_json_that_any_reader_takes(finished, capsys):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert cli.main(["score", str(finished), "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=refuse)


@pytest.mark.parametrize("mode", ["CMYK", "P", "L", "RGBA", "1"])
def test_unusual_colour_modes_become_rgb(mode, tmp_path):
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new("RGB", (8, 8), (200, 30, 30)).convert(mode).save(path)
    assert read_image({"bytes": path.read_bytes()}).mode == "RGB"


def test_sixteen_bit_grey_is_scaled(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.full((8, 8), 40000, dtype=np.uint16)).save(path)
    value = np.asarray(read_image({"bytes": path.read_bytes()}))[0, 0, 0]
    assert abs(int(value) - 40000 // 256) <= 1


def test_a_huge_image_is_refused(tmp_path):
    path = tmp_path / "x.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(BadImageError, match="pixels"):
        read_image({"bytes": path.read_bytes()})


def test_an_empty_file_is_bad():
    with pytest.raises(BadImageError, match="empty"):
        read_image({"bytes": b""})


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    path = tmp_path / "x.gif"
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_image({"bytes": path.read_bytes()}).getpixel((4, 4)) == (
        255,
        0,
        0,
    )
