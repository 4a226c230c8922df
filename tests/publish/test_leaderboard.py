"""The leaderboard's pages: which rows stand together, and in a real browser sorting, filtering
and a model's page.
"""

import copy
import csv
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from compositional_ood.compositional_ood import shown_interval
from helpers.tiny_models import save
from safetensors.numpy import load_file

import aobench
import aobench.cli as cli
from aobench.errors import UserError
from aobench.models.bundled import WHOLE
from aobench.publish.board import Cell, board_tables
from aobench.publish.board_plots import pareto_front, seen_plot, size_plot
from aobench.publish.leaderboard import build_pages
from aobench.publish.model_facts import (
    known_facts,
    readable_name,
    readable_names,
)
from aobench.results.verified import read_result

BUNDLED = Path(__file__).parents[2] / "model_cards" / "mini"
FACTS = {"clip-a": "their web captions", "siglip-b": "other captions"}
SIZES = {"clip-a": 400_000, "siglip-b": 30_000_000}


@pytest.fixture(scope="session")
def results(published, result, tmp_path_factory):
    """Three zero-shot models and two of them with other prompts, on the small set."""
    folder = tmp_path_factory.mktemp("models")
    models = [
        save("clip", folder / "clip-a"),
        save("siglip", folder / "siglip-b"),
    ]
    common = ["--data", str(published), "--cpu"]
    here = Path.cwd()
    os.chdir(folder)
    try:
        names = [Path(m).name for m in models]
        two = str(result.parent / "two.txt")
        assert (
            cli.main(
                [
                    "evaluate",
                    *names,
                    *common,
                    "--templates",
                    two,
                    "--out",
                    str(folder / "out"),
                ]
            )
            == 0
        )
        (folder / "one.txt").write_text("{}\n")
        other = [
            "--templates",
            str(folder / "one.txt"),
            "--out",
            str(folder / "other"),
        ]
        assert cli.main(["evaluate", *names, *common, *other]) == 0
    finally:
        os.chdir(here)
    return [
        result,
        *(folder / "out" / n for n in names),
        *(folder / "other" / n for n in names),
        BUNDLED,
        BUNDLED.parent / "efficientnet-lite0",
    ]


@pytest.fixture(scope="session")
def read(results):
    """The results as they are read, once: each is computed anew."""
    return [read_result(folder) for folder in results]


def _copy(result):
    """The result with a content that a test may change."""
    return replace(result, content=copy.deepcopy(result.content))


@pytest.fixture(scope="session")
def uncounted(read):
    """The results as an earlier version wrote them, which counted no parameters."""
    results = [_copy(result) for result in read]
    for result in results:
        result.content["model"].pop("parameters", None)
    return results


@pytest.fixture(scope="session")
def tables(uncounted):
    """The tables of all results, with two models' sizes."""
    sizes = {"mini": {"parameters": 3e6}, "clip-a": {"parameters": 4e5}}
    return board_tables(uncounted, sizes)


@pytest.fixture(scope="session")
def site(uncounted, tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    facts = {
        name: {
            "family": name.split("-")[0],
            "training_set": words,
            "parameters": SIZES[name],
        }
        for name, words in FACTS.items()
    }
    build_pages(uncounted, out, facts)
    return out


def test_models_that_were_asked_the_same_stand_in_one_table_a_task(
    tables, read
):
    found = {}
    for table in tables:
        names = sorted(row.name for row in table.rows)
        found.setdefault((table.config, table.task), []).append(names)
    all_three, two = ["clip-a", "mini", "siglip-b"], ["clip-a", "siglip-b"]
    for task in ("composition", "object", "attribute", "choice"):
        assert found["v2", task] == [all_three, two]
    assert found["mini", "composition"] == [["mini"]]
    assert found["mini", "object"] == [["efficientnet-lite0", "mini"]], (
        "a classifier, which has no prompts, stands beside who was asked the same"
    )
    keys = [table.key for table in tables]
    assert len(set(keys)) == len(keys)
    pages = {row.page for table in tables for row in table.rows}
    assert len(pages) == len(read), "each result has a page of its own"


def test_a_classifier_stands_in_each_table_that_asks_it_the_same(read):
    """Without prompts, it compares with models of any prompts."""
    (mini, classifier), other = read[-2:], _copy(read[-2])
    other.content["templates"] = {"hash": "another", "n": 1}
    tables = board_tables([mini, classifier, other])
    objects = [table for table in tables if table.task == "object"]
    assert [len(table.rows) for table in objects] == [2, 2]
    assert all(
        "efficientnet-lite0" in [r.name for r in t.rows] for t in objects
    )
    other.content["settings"] = {"draft": 64}
    apart = board_tables([classifier, other])
    objects = [table for table in apart if table.task == "object"]
    assert [len(table.rows) for table in objects] == [1, 1]


def test_trial_runs_stand_apart_and_last(read):
    whole, part = read[-1], _copy(read[-1])
    part.content["dataset"]["limit"] = 20
    part.content["dataset"]["splits"]["ood"]["fingerprint"] = "of fewer images"
    tables = board_tables([part, whole])
    assert [(bool(table.trial), len(table.rows)) for table in tables] == [
        (False, 1),
        (False, 1),
        (True, 1),
        (True, 1),
    ], "a table for each of the two tasks"
    assert "trial run, --limit 20" in tables[-1].title


def test_what_is_known_of_a_model_and_what_is_not(read, tmp_path):
    folder = tmp_path / "card"
    shutil.copytree(read[-1].folder, folder)
    result = replace(_copy(read[-1]), folder=folder)
    assert known_facts(result).get("licence") is None, "nothing is guessed"
    card = folder / "README.md"
    text = card.read_text().replace(
        "---", "---\nlicense: mit\ndatasets: [a/b, c]", 1
    )
    card.write_text(text)
    assert known_facts(result) == {
        "licence": "mit",
        "training_set": "a/b, c",
        "parameters": 4_652_008,
    }
    result.content["model"]["facts"] = {
        "samples_seen": 3_000,
        "training_set": "own",
    }
    facts = known_facts(result, {"license": "other", "parameters": 4_600_000})
    assert facts == {
        "licence": "other",
        "training_set": "own",
        "images_seen": 3_000,
        "parameters": 4_600_000,
    }
    table, _ = board_tables([result], {"efficientnet-lite0": facts})
    cells = table.rows[0].cells
    assert (cells["parameters"].text, cells["images_seen"].text) == (
        "4.6M",
        "3k",
    )
    assert cells["released"].text == "", "what is not known stays empty"
    card.write_text("---\n: [\n---\n")
    with pytest.raises(UserError, match="head of the card is not YAML"):
        known_facts(result)
    card.write_text("no head")
    assert "licence" not in known_facts(result)


def test_the_front_is_of_the_parameters_that_the_run_counted(read):
    """What a list said of the model gives way to them; ``--models`` goes before."""
    result = _copy(read[0])
    counted = result.content["model"]["parameters"]
    weights = load_file(Path(aobench.__file__).parent / "mini/model" / WHOLE)
    assert counted["total"] == sum(one.size for one in weights.values())
    assert 0 < counted["vision"] < counted["total"]
    result.content["model"]["facts"] = {"parameters": 5}
    assert known_facts(result)["parameters"] == counted["total"]
    assert known_facts(result, {"parameters": 7})["parameters"] == 7
    del result.content["model"]["parameters"]
    assert known_facts(result)["parameters"] == 5, "of an earlier version"
    (table,) = [
        one
        for one in board_tables(read[:3])
        if (one.config, one.task) == ("v2", "composition")
    ]
    sizes = {row.name: row.cells["parameters"].value for row in table.rows}
    assert sizes["mini"] == counted["total"]
    assert all(sizes.values())
    assert "<svg" in size_plot(table)


def test_a_listed_model_has_the_facts_that_ship(read):
    result = _copy(read[-2])
    result.content["model"]["id"] = "open_clip:RN50-quickgelu/openai"
    result.content["model"].pop("parameters", None)
    assert known_facts(result)["parameters"] == 102_007_137


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("mini", "mini"),
        ("/data/models/mine/", "mine"),
        ("timm/vit_base.augreg", "vit_base.augreg"),
        ("open_clip:RN50/cc12m", "RN50, cc12m"),
        ("open_clip:hf-hub:org/model", "model (open_clip:hf-hub)"),
        ("pmi:org/model", "model (pmi)"),
        ("/", "/"),
    ],
)
def test_names_are_readable(model, name):
    assert readable_name(model) == name


def test_names_that_would_agree_are_told_in_full():
    assert readable_names(["a/m", "b/m", "c"]) == ["a/m", "b/m", "c"]
    assert readable_names(["a/m", "a/m"]) == ["a/m", "a/m (2)"]


def test_the_csv_holds_every_column_as_numbers(site, tables):
    table = tables[0]
    (path,) = (site / "tables").glob(f"{table.key}.csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["model"] for row in rows] == [row.name for row in table.rows]
    for row, one in zip(rows, table.rows, strict=True):
        scores = one.result.content["scores"]["composition"]["splits"]["ood"]
        key = "composition_top1"
        wanted = [scores[key], *shown_interval(scores, key)]
        figures = [
            float(row[name]) for name in ("novel", "novel_low", "novel_high")
        ]
        assert figures == pytest.approx(
            [100 * value for value in wanted], rel=1e-3
        )
    assert rows[0]["licence"] == ""


def test_the_front_is_what_nothing_smaller_matches():
    random = np.random.default_rng(5)
    for _ in range(50):
        points = [tuple(one) for one in random.integers(1, 6, (8, 2)).tolist()]
        front = {points[i] for i in pareto_front(points)}
        for cost, gain in points:
            beaten = any(
                (c <= cost and g > gain) or (c < cost and g == gain)
                for c, g in points
            )
            assert ((cost, gain) in front) == (not beaten)


def test_plots_hold_a_mark_a_model_and_what_lacks_is_no_plot(tables):
    table = tables[0]
    assert seen_plot(table) == "", "the small set has no seen compositions"
    drawn = size_plot(table)
    assert drawn.count("<title>") == 2, "one model's size is not known"
    assert "400k" in drawn or "500k" in drawn
    objects = next(
        t for t in tables if (t.config, t.task) == ("mini", "object")
    )
    assert seen_plot(objects).count("<title>") == 2
    assert "<script" not in drawn


def test_names_on_the_front_lie_on_no_mark():
    """A name is read where nothing else is; the largest and best model always has one."""
    random = np.random.default_rng(7)
    sizes = 10 ** random.uniform(6.5, 10, 40)
    rights = np.clip(
        20 * np.log10(sizes) - 120 + random.normal(0, 9, 40), 2, 97
    )
    rows = [
        SimpleNamespace(
            name=f"a-model-{number}",
            page=f"m{number}",
            family="CLIP",
            cells={
                "novel": Cell(f"{right:.1f}", float(right)),
                "parameters": Cell(f"{size:.0f}", float(size)),
            },
        )
        for number, (size, right) in enumerate(zip(sizes, rights, strict=True))
    ]
    drawn = size_plot(SimpleNamespace(rows=rows))
    places = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", drawn)
    marks = np.array(places, float)
    names = re.findall(
        r'class="name" .*? x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">(.*?)<',
        drawn,
    )
    assert len(marks) == 40
    assert f"a-model-{int(np.argmax(rights))}" in {one[3] for one in names}
    for x, y, anchor, name in names:
        width = 6.2 * len(name)
        start = float(x) - (width if anchor == "end" else 0)
        within = (marks[:, 0] > start) & (marks[:, 0] < start + width)
        near = (marks[:, 1] > float(y) - 10) & (marks[:, 1] < float(y) + 2)
        assert not (within & near).any(), name


def test_pages_hold_intervals_chance_and_what_mini_is(site):
    text = (site / "index.html").read_text()
    assert "not the published benchmark" in text
    assert re.search(r"\d\.\d <span class=\"interval\">\[", text)
    assert "Chance" in text
    assert "@misc{abbasi2024language" in text
    assert not re.search(r"<(script|link)[^>]+(src|href)=\"(?!data:)", text), (
        "a page that needs nothing else"
    )


def test_names_are_escaped(read, tmp_path):
    bad = _copy(read[0])
    bad.content["model"]["id"] = "<script>alert(1)</script>"
    bad.content["model"]["facts"] = {
        "family": '"><script>alert(2)',
        "parameters": 5,
    }
    build_pages([bad, read[0]], tmp_path)
    assert "<script>alert" not in (tmp_path / "index.html").read_text()


def test_the_command_line_writes_it(results, tmp_path, capsys):
    (tmp_path / "models.csv").write_text(
        "model,family,training_set\nmini,drawn,mini's train split\n"
    )
    command = [
        "leaderboard",
        str(results[0]),
        "--out",
        str(tmp_path / "site"),
        "--models",
        str(tmp_path / "models.csv"),
    ]
    assert cli.main(command) == 0
    assert (
        "mini&#39;s train split"
        in (tmp_path / "site" / "index.html").read_text()
    )
    (tmp_path / "models.csv").write_text("model\nmini\n")
    assert cli.main(command) == 2
    assert "lacks the column(s) family, training_set" in capsys.readouterr().err


def test_folders_without_a_result_are_skipped_unless_alone(
    result, tmp_path, capsys
):
    """As in `leaderboard results/*` beside results/embeddings."""
    (tmp_path / "embeddings").mkdir()
    both = [
        "leaderboard",
        str(tmp_path / "embeddings"),
        str(result),
        "--out",
        str(tmp_path / "site"),
    ]
    assert cli.main(both) == 0
    assert (
        f"Skipped: {tmp_path / 'embeddings'} holds no results.json"
        in capsys.readouterr().err
    )
    assert (
        cli.main(
            [
                "leaderboard",
                str(tmp_path / "embeddings"),
                "--out",
                str(tmp_path / "none"),
            ]
        )
        == 2
    )
    assert "there is no" in capsys.readouterr().err


def test_pages_say_chance_of_each_accuracy_and_what_the_gap_is_between(site):
    text = " ".join((site / "index.html").read_text().split())
    assert (
        "Chance: composition 0.04 %, attribute 4.17 %, object 0.91 %." in text
    )
    own = text[text.index('id="mini-drawn-pictures-composition-own"') :]
    assert "unlike difficulty" in own[: own.index("</section>")]
    shared = text[text.index('id="mini-drawn-pictures-composition"') :]
    shared = shared[: shared.index("</section>")]
    assert "unlike difficulty" not in shared, "both splits choose from one list"
    for value, name in (
        (r"86\.8", "area"),
        (r"89\.3", "held-out harmonic mean"),
    ):
        interval = r'<span class="interval">\[8\d\.\d, \d\d\.\d\]'
        assert re.search(f"{value} {interval}", shared), (
            f"the {name} has no interval"
        )
    assert "for attributes and objects like these" in text


def test_a_models_page_is_its_report(site):
    text = (site / "models" / "efficientnet-lite0.html").read_text()
    assert '<a href="../index.html">Leaderboard</a>' in text
    assert "cannot name attributes" in text
    assert text.count("<tr>") < 40, "no list of a hundred rows"
    assert 'id="gallery"' in text


def test_models_that_cannot_be_told_apart_share_a_letter(tables):
    """Letters and places are those of the tests of all pairs."""
    for table in tables:
        if len(table.rows) == 1 or table.sorted_by == "seen":
            assert not any(row.cells["group"].text for row in table.rows)
            continue
        letters = [set(row.cells["group"].text.split()) for row in table.rows]
        ranks = [row.cells["rank"].text for row in table.rows]
        assert letters[0] >= {"a"}
        assert ranks[0].split()[0] == "1"
        assert ranks[-1].split()[-1] == str(len(ranks))
        best = [row.cells["novel"].value for row in table.rows]
        assert best == sorted(best, reverse=True)
        for one, mine in enumerate(letters):
            alike = sum(bool(mine & other) for other in letters)
            low, high = (int(n) for n in (ranks[one].split(" to ") * 2)[:2])
            assert alike == high - low + 1
        assert (
            "tests of all pairs, corrected for their number" in table.notes[0]
        )
    two = next(t for t in tables if (t.config, t.task) == ("mini", "object"))
    assert [row.cells["group"].text for row in two.rows] == ["a", "b"]


def _first_column(page):
    return page.run(
        "Array.from(document.querySelector('section.board:not([hidden]) tbody').rows, "
        "r => r.hidden ? null : r.cells[0].textContent.trim()).filter(Boolean)"
    )


def _choose(page, name, value):
    page.run(
        f"var field = document.getElementById('choice').elements.{name}; "
        f"field.value = {value!r}; "
        "field.dispatchEvent(new Event('input', {bubbles: true})); 0"
    )


def test_what_people_choose_stands_in_the_link(page, site):
    page.open(f"file://{site}/index.html")
    start = _first_column(page)
    assert len(start) == 3
    boards = "document.querySelectorAll('section.board:not([hidden])').length"
    assert page.run(boards) == 1, "one table at a time"
    page.run("document.querySelector('thead button').focus()")
    page.key("Enter")
    assert _first_column(page) == sorted(start, reverse=True)
    page.key("Enter")
    assert _first_column(page) == sorted(start)
    sizes = "document.querySelector('section.board [data-sort=parameters]')"
    page.run(f"{sizes}.click()")
    assert _first_column(page) == ["siglip-b", "clip-a", "mini"], (
        "unknown: last"
    )
    page.run(f"{sizes}.click()")
    assert _first_column(page) == ["clip-a", "siglip-b", "mini"]
    _choose(page, "family", "siglip")
    assert _first_column(page) == ["siglip-b"]
    status = "document.getElementById('shown').textContent"
    assert page.run(status) == "1 of 3 rows shown."
    marks = "document.querySelectorAll('section.board svg g[data-page]')"
    hidden = (
        f"Array.from({marks}).filter(m => m.style.display === 'none').length"
    )
    assert page.run(hidden) >= 1, "marks of hidden models go, too"
    _choose(page, "family", "")
    _choose(page, "table", "mini-drawn-pictures-object")
    page.run("document.querySelector('input[value=licence]').click()")
    page.run("document.querySelector('input[value=gap]').click()")
    link = page.run("location.href")
    assert "table=mini-drawn-pictures-object" in link
    assert "sort=parameters" in link
    page.open("about:blank#", 1280, 800)
    page.open(link, 390, 844, phone=True)
    shown = (
        "Array.from(document.querySelectorAll('section.board:not([hidden]) thead th'))"
        ".filter(h => h.offsetParent).map(h => h.textContent.trim())"
    )
    heads = page.run(shown)
    assert "Licence" in heads
    assert "Gap" not in heads
    assert set(_first_column(page)) == {"mini", "efficientnet-lite0"}
    page.open(f"file://{site}/index.html#table=gone&family=none&columns=novel")
    assert _first_column(page) == start, (
        "a link to what is gone shows the first table"
    )
    assert page.run(shown) == ["Model", "Novel"]
    _choose(page, "table", "all")
    assert page.run(boards) > 5
    assert page.problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_their_screen_and_lead_to_each_other(page, site, width):
    for name in ("models/efficientnet-lite0.html", "index.html"):
        page.open(
            f"file://{site}/{name}", width=width, height=800, phone=width < 500
        )
        assert page.run("document.documentElement.scrollWidth") <= width
        if shots := os.environ.get("IMAGENET_AO_SHOTS"):
            page.picture(Path(shots) / f"{Path(name).stem}-{width}.png")
    page.follow("section.board tbody a", "/models/")
    assert page.run("document.querySelector('header a').href").endswith(
        "/index.html"
    )
    assert page.problems == []


def test_axe_finds_nothing_serious(page, site):
    axe = os.environ.get("AXE_SCRIPT")
    if not axe:
        pytest.skip("AXE_SCRIPT names no axe.min.js")
    for name in ("index.html", "models/efficientnet-lite0.html"):
        page.open(f"file://{site}/{name}")
        page.run(Path(axe).read_text() + "; 0")
        found = page.run(
            "axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => "
            "n.html).slice(0, 3)]))"
        )
        assert [v for v in found if v[0] in ("serious", "critical")] == []
