"""The leaderboard's pages: which rows stand together, and in a real browser sorting, filtering
and a model's page.
"""

import os
import re
from pathlib import Path

import pytest
from helpers.browser import Page
from helpers.tiny_models import save

import aobench.cli as cli
from aobench.mini.render import ATTRIBUTES
from aobench.publish.leaderboard import build_pages, comparable_groups
from aobench.results.verified import read_result

BUNDLED = Path(__file__).parents[2] / "model_cards" / "mini"
FACTS = {"clip-a": "their web captions", "siglip-b": "other captions"}


@pytest.fixture(scope="session")
def results(published, result, tmp_path_factory):
    """Three zero-shot models and two of them with other prompts, on the small set."""
    folder = tmp_path_factory.mktemp("models")
    models = [save("clip", folder / "clip-a"), save("siglip", folder / "siglip-b")]
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
        other = ["--templates", str(folder / "one.txt"), "--out", str(folder / "other")]
        assert cli.main(["evaluate", *names, *common, *other]) == 0
    finally:
        os.chdir(here)
    return [
        result,
        *(folder / "out" / n for n in names),
        *(folder / "other" / n for n in names),
        BUNDLED,
    ]


@pytest.fixture(scope="session")
def site(results, tmp_path_factory):
    pytest.importorskip("plotly")
    out = tmp_path_factory.mktemp("site")
    facts = {
        name: {"family": name.split("-")[0], "training_set": words}
        for name, words in FACTS.items()
    }
    build_pages([read_result(folder) for folder in results], out, facts)
    return out


@pytest.fixture
def page(tmp_path):
    opened = Page(tmp_path / "profile")
    yield opened
    opened.close()


def test_rows_that_do_not_compare_are_apart(results):
    found = comparable_groups([read_result(folder) for folder in results], {})
    names = [sorted(row["id"] for row in group["rows"]) for group in found]
    assert names == [["clip-a", "mini", "siglip-b"], ["clip-a", "siglip-b"], ["mini"]]
    assert [group["config"] for group in found] == ["v2", "v2", "mini"]
    slugs = [row["slug"] for group in found for row in group["rows"]]
    assert len(set(slugs)) == len(slugs)


def test_pages_hold_intervals_chance_and_what_mini_is(site):
    text = (site / "index.html").read_text()
    assert "not the published benchmark" in text
    assert re.search(r"\d\.\d <span class=\"interval\">\[", text)
    assert "Chance" in text
    assert "</script" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_names_are_escaped(result, tmp_path):
    pytest.importorskip("plotly")
    bad = read_result(result)
    bad.content["model"]["id"] = "<script>alert(1)</script>"
    build_pages([bad], tmp_path)
    assert "<script>alert" not in (tmp_path / "index.html").read_text()


def test_the_command_line_writes_it(results, tmp_path, capsys):
    pytest.importorskip("plotly")
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
    assert "mini&#39;s train split" in (tmp_path / "site" / "index.html").read_text()
    (tmp_path / "models.csv").write_text("model\nmini\n")
    assert cli.main(command) == 2
    assert "lacks the column(s) family, training_set" in capsys.readouterr().err


def test_folders_without_a_result_are_skipped_unless_alone(result, tmp_path, capsys):
    """As in `leaderboard results/*` beside results/embeddings."""
    pytest.importorskip("plotly")
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


def test_a_classifiers_page_says_objects_and_shows_many_attributes(tmp_path):
    pytest.importorskip("plotly")
    build_pages([read_result(BUNDLED.parent / "efficientnet-lite0")], tmp_path)
    text = (tmp_path / "models" / "efficientnet-lite0.html").read_text()
    assert "Novel compositions whose object was named right" in text
    assert "Novel compositions named" not in text, (
        "a classifier names objects, not compositions"
    )
    shown = re.findall(r'alt="([^"]+)"', text)
    assert len(shown) == 12
    attributes = "|".join(sorted(ATTRIBUTES, key=len, reverse=True))
    for kind, names in (("right", shown[:6]), ("wrong", shown[6:])):
        found = [re.match(f"({attributes}) ", name) for name in names]
        assert all(found), (
            f"captions of pictures named {kind} lack the attribute: {names}"
        )
        assert len({m[1] for m in found}) == 6, (
            f"pictures named {kind} repeat an attribute: {names}"
        )


def test_pages_say_chance_of_each_accuracy_and_what_the_gap_is_between(tmp_path):
    pytest.importorskip("plotly")
    build_pages([read_result(BUNDLED)], tmp_path)
    text = " ".join((tmp_path / "index.html").read_text().split())
    assert "ood composition 0.04 %, attribute 4.17 %, object 0.91 %" in text
    assert "unlike difficulty" not in text, "both splits choose from one list"
    for value, name in ((r"86\.8", "area"), (r"89\.3", "held-out harmonic mean")):
        interval = r'<span class="interval">\[8\d\.\d, \d\d\.\d\]'
        assert re.search(f"{value} {interval}", text), f"the {name} has no interval"
    assert "for attributes and objects like these" in text


def _first_column(page):
    return page.run(
        "Array.from(document.querySelector('tbody').rows, r => r.cells[0].textContent.trim())"
    )


def test_sorting_and_filtering_in_a_browser(page, site):
    page.open(f"file://{site}/index.html")
    start = _first_column(page)
    assert len(start) == 3
    page.run("document.querySelector('thead button').focus()")
    page.key("Enter")
    assert _first_column(page) == sorted(start, reverse=True)
    page.key("Enter")
    assert _first_column(page) == sorted(start)
    assert (
        page.run("document.querySelector('thead th').getAttribute('aria-sort')")
        == "ascending"
    )
    values = (
        "Array.from(document.querySelector('tbody').rows, r => "
        "Number(r.cells[1].dataset.value))"
    )
    page.run("document.querySelectorAll('thead th')[1].querySelector('button').click()")
    assert page.run(values) == sorted(page.run(values), reverse=True)
    page.run(
        "const s = document.querySelector('select[name=family]'); s.value = 'siglip'; "
        "s.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    assert (
        page.run("document.getElementById('shown').textContent")
        == "2 of 6 models shown"
    )
    assert (
        page.run(
            "Array.from(document.querySelectorAll('tr[data-family]')).filter(r => !r.hidden).length"
        )
        == 2
    )
    assert page.problems == []


def test_a_model_page_opens_from_the_table(page, site):
    page.open(f"file://{site}/index.html")
    page.run(
        "Array.from(document.querySelectorAll('section')).at(-1).querySelector('tbody a').click()"
    )
    for _ in range(200):
        if page.run(
            "location.href.includes('/models/') && document.readyState === 'complete'"
        ):
            break
    assert page.run("document.querySelector('h1').textContent") == "mini"
    assert page.run(
        "Array.from(document.images).every(i => i.complete && i.naturalWidth > 0)"
    )
    assert page.run("document.images.length") >= 7
    assert page.run("document.querySelectorAll('table').length") == 2
    assert page.problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_screen(page, site, width):
    for name in ("index.html", "models/mini.html"):
        page.open(f"file://{site}/{name}", width=width, height=800, phone=width < 500)
        assert page.run("document.documentElement.scrollWidth") <= width
        if shots := os.environ.get("IMAGENET_AO_SHOTS"):
            page.picture(Path(shots) / f"{Path(name).stem}-{width}.png")
    assert page.problems == []


def test_axe_finds_nothing_serious(page, site):
    axe = os.environ.get("AXE_SCRIPT")
    if not axe:
        pytest.skip("AXE_SCRIPT names no axe.min.js")
    for name in ("index.html", "models/mini.html"):
        page.open(f"file://{site}/{name}")
        page.run(Path(axe).read_text() + "; 0")
        found = page.run(
            "axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => "
            "n.html).slice(0, 3)]))"
        )
        assert [v for v in found if v[0] in ("serious", "critical")] == []


def test_models_of_one_table_have_the_ranks_that_tests_leave_them(results, site):
    groups = comparable_groups([read_result(folder) for folder in results], {})
    for group in groups:
        ranks = [row.get("rank") for row in group["rows"]]
        assert bool(group["ranked"]) == (len(ranks) > 1)
        if len(ranks) > 1:
            assert ranks[0].split()[0] == "1"
            assert ranks[-1].split()[-1] == str(len(ranks))
    text = (site / "index.html").read_text()
    assert "tests of all pairs, corrected for their number" in " ".join(text.split())
