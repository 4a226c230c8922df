"""README's tables are what the commands print today."""

import re
from pathlib import Path

import pytest

import aobench.cli as cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
#: Training sets as README and as the published table call them.
SETS = {
    "OpenAI": "openai",
    "LAION-400M": "laion400m",
    "LAION-2B": "laion2b",
    "CC-12M": "cc12m",
    "YFCC-15M": "yfcc15m",
}


def test_the_first_table_is_that_of_the_bundled_result(capsys):
    assert cli.main(["score", str(ROOT / "model_cards" / "mini")]) == 0
    printed = capsys.readouterr().out.strip()
    assert f"```\n{printed}\n```" in README, f"README should have\n{printed}"


@pytest.fixture(scope="module")
def groups():
    """By training set (runs, residual, low, high) in points, as the command prints them."""
    from contextlib import redirect_stdout
    from io import StringIO

    out = StringIO()
    with redirect_stdout(out):
        assert cli.main(["effective"]) == 0
    row = r"^  (\w+) +([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\] +n = \d+, runs = (\d+)"
    return {
        name: (runs, value, low, high)
        for name, value, low, high, runs in re.findall(
            row, out.getvalue(), re.MULTILINE
        )
    }


@pytest.mark.parametrize("name", SETS)
def test_the_residuals_are_those_of_the_published_table(groups, name):
    row = rf"^\| {name} \| (\d+) \| ([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\] \| (.*) \|$"
    (found,) = re.findall(row, README, re.MULTILINE)
    assert found[:4] == groups[SETS[name]]
    low, high = float(found[2]), float(found[3])
    said = (
        "undecided"
        if low < 0 < high
        else "below it"
        if high < 0
        else "above it"
    )
    assert found[4].startswith(said)


def test_kinds_of_models_are_compared_as_the_page_about_them_does():
    """That page's table is held by tests/evaluation/test_bundled_generative.py."""

    def rows(text):
        kept = [
            line for line in text.splitlines() if re.search(r"`choice", line)
        ]
        cells = [
            [cell.strip() for cell in line.split("|")[1:]] for line in kept
        ]
        return {tuple(row[:2]): row for row in cells if len(row) > 4}

    page = rows((ROOT / "docs" / "generative.md").read_text())
    mine = rows(README)
    assert len(mine) == 5
    for key, row in mine.items():
        assert row[:4] == page[key][:4]
    stay = page["`mini-generative`", "`choice`"][5]
    assert f"{stay} % of the answers on novel pairs stay" in " ".join(
        README.split()
    )


def test_sentences_are_short():
    """Outside tables, code and links: 25 words on average at most."""
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    lines = [
        line
        for line in text.splitlines()
        if not line.startswith(("|", "#", "!"))
    ]
    sentences = re.split(r"(?<=[.:?])\s+", " ".join(lines))
    words = [len(one.split()) for one in sentences if one.strip()]
    assert sum(words) / len(words) < 25
    assert max(words) < 60
