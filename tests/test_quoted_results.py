"""What docs/effective.md quotes of the published table is what the library computes from it."""

import re
from pathlib import Path

import numpy as np
import pytest

import aobench
from aobench.analysis.effective import fit_baseline
from aobench.analysis.effective_groups import by_group, by_group_left_out
from aobench.analysis.model_accuracies import published_models

TEXT = (Path(__file__).parents[1] / "docs" / "effective.md").read_text()
#: On one line, so that a sentence may break anywhere.
SENTENCES = re.sub(r"\s+", " ", TEXT)
#: The models that are in the line and in groups.
CLIPS = [
    row
    for row in published_models()
    if row.family == "CLIP" and not row.left_out
]
#: Of a bootstrap on which the intervals of groups do not hang.
DRAWS = 50
FIVE = ("yfcc15m", "openai", "laion2b", "cc12m", "laion400m")


def points(value, low=None, high=None):
    """As the document writes a residual."""
    shown = [
        f"{100 * one:+.1f}" for one in (value, low, high) if one is not None
    ]
    return (
        shown[0] if len(shown) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"
    )


@pytest.fixture(scope="module")
def report():
    return aobench.effective(contrast=FIVE)


@pytest.fixture(scope="module")
def without():
    """By group, over a line without it."""
    groups = by_group_left_out(CLIPS, CLIPS, draws=DRAWS)
    return {group.name: group for group in groups}


def test_the_line_and_its_models(report):
    line = report.line
    (low, high), slope = line.interval()[:, 1], line.coefficients[1]
    assert f"| slope | {slope:.3f} [{low:.3f}, {high:.3f}] |" in TEXT
    assert f"| R^2 | {line.r2:.3f} |" in TEXT
    assert f"| models | {len(line.models)} rows of {line.runs} runs |" in TEXT
    left_out = sum(bool(record.left_out) for record in report.records)
    assert f"| left out | {left_out} rows (" in TEXT


@pytest.mark.parametrize("name", FIVE)
def test_the_table_of_groups(report, without, name):
    mine = next(group for group in report.groups if group.name == name)
    other = without[name]
    cells = [points(one.rho, one.low, one.high) for one in (mine, other)]
    assert f"| {name} | {mine.runs} | {cells[0]} | {cells[1]} |" in TEXT


def test_the_rows_outside_the_scatter_and_the_odds_ratios(report):
    scores = report.scores
    outside = [
        s for s in scores if not s.scatter_low <= s.rho <= s.scatter_high
    ]
    assert {score.training_set for score in outside} == {"yfcc15m"}
    assert f"{len(outside)} of {len(scores)}, all YFCC-15M" in SENTENCES
    ratios = [score.odds_ratio for score in scores]
    assert f"from {min(ratios):.2f} to {max(ratios):.2f}" in SENTENCES
    assert max(*ratios, *(1 / one for one in ratios)) < 10, (
        "an order of magnitude"
    )


@pytest.mark.parametrize(
    "transform",
    ["probit", "linear"],
)
def test_the_other_scales(transform):
    line = fit_baseline(CLIPS, transform, draws=DRAWS)
    groups = {group.name: group for group in by_group(line, CLIPS)}
    plain = [points(groups[name].rho) for name in ("yfcc15m", "openai")]
    last = groups["laion400m"]
    cells = [*plain, points(last.rho, last.low, last.high)]
    assert f"| {transform} | {' | '.join(cells)} |" in TEXT


def test_the_groups_in_pairs(report):
    found = report.contrasts
    pairs = {(c.first, c.second): c for c in found.contrasts}
    rows = re.findall(
        r"^\| (\w+) less (\w+) \| (.*?) \| (.*?) \| (.*?) \|",
        TEXT,
        re.MULTILINE,
    )
    assert len(rows) == 4
    for first, second, difference, odds, overlap in rows:
        turned = (second, first) in pairs
        one = pairs[(second, first) if turned else (first, second)]
        ends = np.array([one.difference, one.low, one.high])
        ratio = np.array(
            [one.odds_ratio, one.odds_ratio_low, one.odds_ratio_high]
        )
        if turned:
            ends, ratio = -ends[[0, 2, 1]], 1 / ratio[[0, 2, 1]]
        numbers = [
            float(number) for number in re.findall(r"[+-]?[\d.]+", difference)
        ]
        assert numbers == pytest.approx(100 * ends, abs=0.11), (first, second)
        numbers = [float(number) for number in re.findall(r"[\d.]+", odds)]
        assert numbers == pytest.approx(ratio, abs=0.011), (first, second)
        assert (overlap == "no overlap") == bool(one.apart)
    slope = found.slopes["id"]
    common = f"groups, {found.runs} runs, {found.free} degrees of freedom"
    assert f"{common} | {slope:.3f} |" in SENTENCES
    assert f"slopes differ (p = {found.unlike_slopes:.4f})" in SENTENCES
    line = {group.name: group.rho for group in report.groups}
    by_line = 100 * (line["openai"] - line["yfcc15m"])
    whole = report.line.coefficients[1]
    row = f"| the CLIPs' line | {whole:.3f} | {by_line:.1f} points |"
    assert row in SENTENCES


DOCUMENTS = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_times_stand_where_performance_is_the_subject(path):
    """What something took on some machine cannot be checked, so it is said in one place."""
    if path.name == "performance.md" or path.name.startswith("study"):
        return
    plain = re.sub(
        r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    found = re.findall(
        r"\b\d[\d.,]* (?:m?s|seconds|minutes|min|hours)\b.*", plain
    )
    assert not found, f"{path.name}: say it in performance.md: {found}"
