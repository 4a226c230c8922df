"""docs/study.md and README say what the study's data say: the page is made from them, and no
figure in its text is typed by hand.
"""

import importlib.util
import re
from pathlib import Path

import pytest

from aobench.study.collecting import read_table
from aobench.study.factorial_figures import Factorial
from aobench.study.factorial_report import shown
from aobench.study.factorial_statements import CLAIMS
from aobench.study.factorial_table import read_factorial
from aobench.study.summary import Study

ROOT = Path(__file__).parents[2]
DECIMAL = r"\d+\.\d+"
FIGURE = r"[+-]?\d+\.\d+ (?:points |% )?\[[+-]?\d+\.\d+, [+-]?\d+\.\d+\]"


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page():
    place = ROOT / "benchmarks" / "study_page.py"
    spec = importlib.util.spec_from_file_location("study_page", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study():
    return Factorial(read_factorial())


def test_the_page_is_what_the_results_give(page, study):
    assert page.rendered(study, text_of("benchmarks/study_page.md")) == text_of(
        "docs/study.md"
    ), "run python benchmarks/study_page.py --write"


def test_figures_typed_into_the_text_are_the_first_edition_s():
    typed = re.sub(r"\{\{.*?\}\}", "", text_of("benchmarks/study_page.md"))
    first = set(re.findall(DECIMAL, text_of("docs/study_first.md")))
    fixed = set(re.findall(DECIMAL, text_of("docs/study_design_2.md")))
    assert set(re.findall(DECIMAL, typed)) - first - fixed == set()


def test_every_statement_that_the_text_judges_is_expected_so():
    expected = re.findall(
        r"\{\{expect (\w+) ", text_of("benchmarks/study_page.md")
    )
    assert set(expected) == set(CLAIMS)


def test_a_sentence_that_no_longer_holds_is_an_error(page, study):
    with pytest.raises(ValueError, match="change the text"):
        page.rendered(study, "{{expect 1 contradicted}}")
    with pytest.raises(KeyError):
        page.rendered(study, "{{mean lead of nothing | odds}}")


def figures_of_both(study):
    """Each figure of either edition as it may be printed, without unit and sign."""
    seen = set()
    for figure in study.sourced.values():
        for percent in (True, False):
            seen.add(shown(figure.over_both, percent, False))
    first = Study(read_table())
    for run in first.rows:
        rho = first.mean_rho(
            first.condition(run.scale, run.diversity, run.supervision)
        )
        seen.add(shown(rho, True, False))
    return seen


def test_the_readme_s_figures_of_the_miniature_are_in_the_data(study):
    whole = text_of("README.md")
    start = whole.index("A miniature has drawn pictures")
    part = " ".join(whole[start : whole.index("\n## ", start)].split())
    printed = re.findall(FIGURE, part)
    assert printed
    plain = {re.sub(r"points |% |\+", "", text) for text in printed}
    assert plain - figures_of_both(study) == set()
