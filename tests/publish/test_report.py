"""A report is one file that needs nothing else, tells what is stored, and works in a browser."""

import json
import re
import shutil
from pathlib import Path

import pytest
from helpers.few_images import one_image_each

import aobench.cli as cli
from aobench.publish.report import MOST_PARTS, write_report
from aobench.results.verified import read_result

BUNDLED = Path(__file__).parents[2] / "model_cards"


@pytest.fixture(scope="module")
def page_of_set(result, published, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    data = ["--data", str(published)]
    assert cli.main(["report", str(result), "--out", str(path), *data]) == 0
    return path


def _gallery(text):
    found = re.search(
        r'<script type="application/json" id="gallery">(.*?)</script>', text
    )
    return json.loads(found[1])


def test_it_needs_nothing_else(page_of_set):
    text = page_of_set.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text), (
        "the page asks for a file"
    )
    assert not re.search(r"url\((?!data:)", text)
    assert "@import" not in text


def test_each_picture_has_its_truth_and_the_stored_answers(page_of_set, result):
    content = _gallery(page_of_set.read_text())
    stored = read_result(result).predictions
    rows, listed = stored.split("ood"), stored.candidates["ood"]
    assert (
        len(content["images"]) == content["of"] == len(rows["sample_id"]) == 12
    )
    answers = sorted(
        (image["t"], rank, tuple(content["names"][0][one] for one in best))
        for image, (rank, *best) in zip(
            content["images"], content["answers"][0], strict=True
        )
    )
    wanted = sorted(
        (listed.names[label], rank, tuple(listed.names[one] for one in top))
        for label, rank, top in zip(
            rows["label"], rows["rank"], rows["top"], strict=True
        )
    )
    assert answers == wanted


@pytest.fixture(scope="module")
def page_of_several(tmp_path_factory):
    """The report of a dual encoder and a classifier, without pictures."""
    results = [
        read_result(BUNDLED / name) for name in ("mini", "efficientnet-lite0")
    ]
    path = tmp_path_factory.mktemp("several") / "report.html"
    return write_report(results, path, pictures=0)


def test_the_page_shows_the_tables_and_the_curve_of_several_models(
    page_of_several,
):
    path = page_of_several
    text = " ".join(
        re.sub(r"<(?!/?(svg|td|th))[^>]*>", " ", path.read_text()).split()
    )
    assert "86.8 [" in text, "the area under the curve"
    assert text.count("<svg") == 2, "the curve, and the models side by side"
    assert "differ in task, candidates" in text
    assert "not the published ImageNet-AO benchmark" in text
    assert "moss covered" in text
    assert "The task object , which all of them answered" in text
    assert path.stat().st_size < 300_000


def test_attributes_and_objects_are_shrunken_or_it_says_why_not(
    page_of_several, tmp_path
):
    text = page_of_several.read_text()
    rows = re.findall(
        r'<th scope="row">([^<]+)</th><td>([\d.]+) <span class="interval">'
        r"\[([\d.]+), ([\d.]+)\]</span></td><td>([\d.]+)</td><td>(\d+)</td>",
        text,
    )
    lists = 4 + 2  # worst and best; the classifier's of objects alone
    assert len(rows) == lists * MOST_PARTS
    by_name = {
        name: [float(one) for one in row]
        for name, *row in rows[: 4 * MOST_PARTS]
    }
    shrunken, low, high, plain, images = by_name["rugby ball"]
    assert low < shrunken < high
    assert (plain, images) == (59.0, 78)
    assert shrunken > plain + 10, "few images: drawn towards the mean"
    assert "8,580 images" in text
    few = one_image_each(BUNDLED / "mini-generative", tmp_path / "few")
    path = write_report(
        [read_result(few)], tmp_path / "report.html", pictures=0
    )
    said = "Not told: 600 images of 600 compositions are too few"
    assert said in path.read_text()


def test_counts_of_captions_stand_beside_compositions(
    result, published, tmp_path
):
    captions = tmp_path / "captions.txt"
    captions.write_text("a red teapot\na wooden banana\nred teapots\n")
    audit, path = tmp_path / "audit", tmp_path / "report.html"
    assert cli.main(["audit", str(captions), "--out", str(audit)]) == 0
    options = [
        "--data",
        str(published),
        "--audit",
        str(audit),
        "--pictures",
        "12",
    ]
    assert cli.main(["report", str(result), "--out", str(path), *options]) == 0
    counts = {
        image["t"]: image["c"] for image in _gallery(path.read_text())["images"]
    }
    assert counts == {
        "red teapot": 2,
        "wooden banana": 1,
        "golden lion": 0,
        "striped zebra": 0,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--pictures", "-1"], "--pictures takes 0 to 20,000"),
        (["--data", "nowhere"], "there is no dataset 'nowhere'"),
        (["--data", "mini"], "not of mini: name the set that it was evaluated"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    result, tmp_path, capsys, change, said
):
    path = tmp_path / "report.html"
    assert cli.main(["report", str(result), "--out", str(path), *change]) == 2
    assert said in capsys.readouterr().err
    assert not path.exists()


def test_names_cannot_end_the_script(result, published, tmp_path):
    """A name of the set that looks like markup stays text."""
    copy = tmp_path / "result"
    shutil.copytree(result, copy)
    from aobench.publish.report import _for_script

    text = _for_script({"t": "</script><script>alert(1)</script>&"})
    assert "<" not in text
    assert json.loads(text)["t"].startswith("</script>")


@pytest.mark.parametrize("width", [1280, 390])
def test_filters_work_in_a_browser(page, page_of_set, width):
    page.open(f"file://{page_of_set}", width, 844, phone=width < 500)
    count = "document.querySelectorAll('#pictures > li').length"
    assert page.run(count) == 12
    assert page.run("document.documentElement.scrollWidth") <= width, (
        "it is too wide"
    )
    page.run(
        "var f = document.getElementById('filter'); f.elements.words.value = 'teapot';"
        "f.dispatchEvent(new Event('input')); 0"
    )
    assert 3 <= page.run(count) < 12, "teapots, and what was named so"
    page.run("f.elements.words.value = ''; f.elements.which.value = 'right'; 0")
    page.run("f.dispatchEvent(new Event('input')); 0")
    first = page.run("document.querySelector('#pictures .right').textContent")
    assert first == page.run(
        "document.querySelector('#pictures strong').textContent"
    )
    page.run(
        "f.elements.split.value = 'id'; f.dispatchEvent(new Event('input')); 0"
    )
    assert page.run(count) == 0
    assert "0 shown of 0" in page.run(
        "document.getElementById('shown').textContent"
    )
    assert page.problems == []
