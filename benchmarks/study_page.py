"""docs/study.md from its text and the results that ship: no figure on the page is typed by hand.

    python benchmarks/study_page.py            # say whether the page is what the results give
    python benchmarks/study_page.py --write    # write it

The text, benchmarks/study_page.md, holds ``{{WHAT}}`` in place of figures:

* ``{{table NAME}}``: conditions, statements, unclaimed, readings, tuning, controls;
* ``{{control NUMBER SPLIT READING}}``: an accuracy of a row of the controls, from 1;
* ``{{FIGURE | FORM}}``: a figure of ``aobench.study.factorial_figures`` by name, as ``percent``,
  ``points`` or ``odds``, bare or, with ``+`` after it, with its interval (seeds and pairs both);
* ``{{expect NUMBER VERDICT}}``: nothing, where the statement has that verdict; else an error, for the
  sentence before it would be wrong;
* ``{{wide differs}}``: the statements whose verdict is another for attributes and objects like these;
* ``{{seeds}}``, ``{{runs}}``, ``{{minutes}}``, ``{{tuning minutes}}``: how much was run.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from aobench.study import factorial_report as report
from aobench.study.factorial_figures import Factorial
from aobench.study.factorial_statements import all_findings
from aobench.study.factorial_table import BUNDLED, read_factorial

HERE = Path(__file__).parent
TEXT = HERE / "study_page.md"
PAGE = HERE.parent / "docs" / "study.md"
CONTROLS = json.loads(
    BUNDLED.with_name("controls.json").read_text(encoding="utf-8")
)
WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


def control_cells(study: Factorial) -> list[tuple[str, ...]]:
    """Head and rows of the single runs of benchmarks/study_controls.py."""
    head = ("", "pixels", "channels", "steps x images", "peak", "supervision")
    rows = [(*head, "ID object", "OoD object", "OoD object by seen pairs")]
    for number, row in enumerate(CONTROLS, 1):
        setting = (
            str(row["side"]),
            ", ".join(map(str, row["channels"])),
            f"{row['steps']} x {row['batch']}",
            f"{row['peak']:g}",
        )
        by_pairs = row.get("ood_object_seen")
        figures = (row["id_object"], row["ood_object"], by_pairs)
        shown = ("-" if f is None else f"{100 * f:.1f}" for f in figures)
        rows.append((str(number), *setting, row["supervision"], *shown))
    return rows


TABLES = {
    "controls": control_cells,
    "conditions": report.table_cells,
    "statements": report.statement_cells,
    "unclaimed": report.unclaimed_cells,
    "readings": report.reading_cells,
    "tuning": lambda study: report.tuning_cells(study.table.content),
}
#: form: whether in percent, whether signed, and the unit after it.
FORMS = {
    "percent": (True, False, " %"),
    "points": (True, True, " points"),
    "odds": (False, True, ""),
}


def figure_text(study: Factorial, name: str, form: str) -> str:
    """One figure as the page has it."""
    percent, signed, unit = FORMS[form.rstrip("+")]
    e = study.sourced[name].over_both
    if not signed:
        e = report.bounded(e)
    value, interval = report.shown(e, percent, signed).split(" ", 1)
    return (
        f"{value}{unit} {interval}" if form.endswith("+") else f"{value}{unit}"
    )


def amounts(study: Factorial) -> dict[str, str]:
    """How much was run, by what the text calls it."""
    content = study.table.content
    spent = sum(run["seconds"] for run in content["runs"])
    tuning = sum(trial["seconds"] for trial in content["trials"])
    return {
        "seeds": WORDS[len(study.seeds)],
        "runs": str(len(content["runs"])),
        "trials": str(len(content["trials"])),
        "minutes": f"{spent / 60:.0f}",
        "tuning minutes": f"{tuning / 60:.0f}",
    }


def rendered(study: Factorial, text: str) -> str:
    """The page. Raises ValueError where a sentence expects another verdict."""
    findings = all_findings(study)
    verdicts = {f.number: f.verdict for f in findings}
    others = [f.number for f in findings if f.wide_verdict != f.verdict]
    known = amounts(study) | {"wide differs": ", ".join(others) or "none"}

    def filled(match: re.Match[str]) -> str:
        what = match[1].strip()
        if what in known:
            return known[what]
        if what.startswith("table "):
            cells = TABLES[what.removeprefix("table ")](study)
            return "\n".join(report.markdown_lines(cells))
        if what.startswith("control "):
            _, number, split, reading = what.split()
            row = CONTROLS[int(number) - 1]
            return f"{100 * row[f'{split}_{reading}']:.1f} %"
        if what.startswith("expect "):
            _, number, verdict = what.split(" ", 2)
            if verdicts[number] != verdict:
                raise ValueError(
                    f"statement {number} is {verdicts[number]}, not {verdict}: change the text"
                )
            return ""
        name, form = (part.strip() for part in what.split("|"))
        return figure_text(study, name, form)

    return re.sub(r"\{\{(.*?)\}\}", filled, text)


def main() -> int:
    """Compare or write."""
    study = Factorial(read_factorial())
    page = rendered(study, TEXT.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    same = PAGE.read_text(encoding="utf-8") == page
    print("docs/study.md is " + ("up to date" if same else "out of date"))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
