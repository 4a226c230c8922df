"""The second edition as tables: printed, as CSV and as Markdown, each from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aobench.columns import columns
from aobench.csv_tables import write_csv_rows
from aobench.files import write_in_one_move
from aobench.study.factorial import FURTHER, SUPERVISIONS, points
from aobench.study.factorial_figures import Factorial, Sourced
from aobench.study.factorial_statements import Finding, all_findings
from aobench.study.summary import Estimate

#: Figures of a row of the table: name, heading, whether it is in percent.
CELLS = (
    ("id object", "ID object", True),
    ("ood object", "OoD object", True),
    ("lead", "lead, log odds", False),
    ("points", "lead, points", True),
    ("ood composition", "OoD composition", True),
)
SIGNED = ("lead", "points")
STATEMENT_HEAD = (
    "",
    "claim",
    "figure",
    "seeds",
    "pairs",
    "both",
    "seeds, attributes and objects",
    "verdict",
)


def conditions() -> list[tuple[int, int, str]]:
    """(scale, diversity, supervision) of each row of the table."""
    return [(n, d, s) for n, d in points() for s in SUPERVISIONS]


def shown(e: Estimate, percent: bool, signed: bool) -> str:
    """A figure with its interval: one digit in percent, two in log odds."""
    factor, digits, sign = (100, 1, "") if percent else (1, 2, "")
    sign = "+" if signed else ""
    rounded = (
        round(factor * v, digits) + 0.0 for v in (e.value, e.low, e.high)
    )
    middle, low, high = (f"{v:{sign}.{digits}f}" for v in rounded)
    return f"{middle} [{low}, {high}]"


def bounded(e: Estimate) -> Estimate:
    """An accuracy's interval within 0 and 1."""
    return Estimate(e.value, max(0.0, e.low), min(1.0, e.high))


def _cell(
    study: Factorial, what: str, percent: bool, row: tuple[int, int, str]
) -> str:
    n, d, s = row
    figure = study.sourced.get(f"{what} {s} {n} {d}")
    if figure is None or (what in SIGNED and s == "object"):
        return "-"
    signed = what in SIGNED
    e = figure.over_both
    return shown(e if signed else bounded(e), percent, signed)


def table_cells(study: Factorial) -> list[tuple[str, ...]]:
    """Head and rows of the table of conditions."""
    head = (
        "images",
        "attributes an object",
        "supervision",
        *(c[1] for c in CELLS),
    )
    rows = [
        (
            f"{row[0]:,}",
            str(row[1]),
            row[2],
            *(_cell(study, what, percent, row) for what, _, percent in CELLS),
        )
        for row in conditions()
    ]
    return [head, *rows]


def _range(e: Estimate) -> str:
    return f"[{e.low:+.2f}, {e.high:+.2f}]"


def statement_cells(study: Factorial) -> list[tuple[str, ...]]:
    """Head and rows of the table of statements, in log odds."""
    return [STATEMENT_HEAD, *(_statement_row(f) for f in all_findings(study))]


def _statement_row(finding: Finding) -> tuple[str, ...]:
    figure = finding.figure
    claimed = "> 0" if finding.sign > 0 else "< 0"
    ranges = (
        figure.over_seeds,
        figure.over_pairs,
        figure.over_both,
        figure.over_parts,
    )
    return (
        finding.number,
        f"{finding.claim}: {claimed}",
        f"{figure.value:+.2f}",
        *map(_range, ranges),
        finding.verdict,
    )


def unclaimed_cells(study: Factorial) -> list[tuple[str, ...]]:
    """Head and rows of what the design reports without a claim, in log odds."""
    head = ("supervision", *(title for _, title in UNCLAIMED))
    rows = [head]
    for s in SUPERVISIONS:
        figures = (study.sourced[f"{name} {s}"] for name, _ in UNCLAIMED)
        rows.append((s, *(_log_odds(f, s) for f in figures)))
    return rows


UNCLAIMED = (
    ("mean plain", "plain lead"),
    ("mean lead", "lead"),
    ("scale lead", "lead per doubling of images"),
    ("diversity lead", "lead per doubling of diversity"),
    ("scale ood", "OoD log odds per doubling of images"),
    ("diversity ood", "OoD log odds per doubling of diversity"),
)


def _log_odds(figure: Sourced, supervision: str) -> str:
    nothing = supervision == "object" and figure.value == 0
    return "-" if nothing else shown(figure.over_both, False, True)


def reading_cells(study: Factorial) -> list[tuple[str, ...]]:
    """Head and rows of the mean OoD accuracies by reading."""
    rows: list[tuple[str, ...]] = [
        ("supervision", "reading", "OoD accuracy, mean")
    ]
    for s in SUPERVISIONS:
        for kind in ("object", *FURTHER.get(s, ())):
            figure = study.sourced[f"mean ood {kind} {s}"]
            rows.append(
                (s, kind, shown(bounded(figure.over_both), True, False))
            )
    return rows


def tuning_cells(content: dict[str, Any]) -> list[tuple[str, ...]]:
    """Head and rows of the trials of the tuning; ``*`` marks what was chosen."""
    rows: list[tuple[str, ...]] = [
        ("supervision", "peak", "decay", "ID object")
    ]
    for trial in content["trials"]:
        chosen = content["settings"][trial["supervision"]]
        same = all(trial[key] == chosen[key] for key in ("peak", "decay"))
        figure = f"{100 * trial['id_object']:.1f}{'*' if same else ''}"
        settings = (f"{trial['peak']:g}", f"{trial['decay']:g}")
        rows.append((trial["supervision"], *settings, figure))
    return rows


def markdown_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    rule = "|" + "---|" * len(cells[0])
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return [lines[0].replace("|  |", "| |"), rule, *lines[1:]]


def _rows_of(cells: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    head, *rows = cells
    return [dict(zip(head, row, strict=True)) for row in rows]


def figure_rows(study: Factorial) -> list[dict[str, Any]]:
    """Every figure by name: value, standard errors of its sources, bounds of "both"."""
    return [
        {
            "figure": name,
            "value": f.value,
            "error_seeds": f.seeds,
            "error_pairs": f.pairs,
            "error_attributes_and_objects": f.parts,
            "low": f.over_both.low,
            "high": f.over_both.high,
            "seeds": f.runs,
        }
        for name, f in study.sourced.items()
    ]


def write_report(study: Factorial, out: Path) -> None:
    """Print the tables; write them, every figure and the plots to ``out``."""
    from aobench.study.factorial_plots import draw_all

    out.mkdir(parents=True, exist_ok=True)
    parts = report_parts(study)
    for title, cells in parts:
        print(f"\n{title}")
        print("\n".join(columns(cells)))
    print()
    page = "\n".join(
        line
        for title, cells in parts
        for line in (title, "", *markdown_lines(cells), "")
    )
    write_in_one_move(out / "tables.md", page.encode())
    written = [
        out / "tables.md",
        write_csv_rows(out / "figures.csv", figure_rows(study)),
    ]
    for path in [*written, *draw_all(study, out)]:
        print(f"Written: {path}")


def report_parts(study: Factorial) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Each table with its title."""
    count = len(study.seeds)
    return [
        (
            f"Accuracies in percent, 1,920 images a test, means of {count} seeds; object: chance "
            "2.1 %, composition: chance 0.09 %. Lead over object classifiers of the same "
            "diversity at equal ID accuracy. 95 %, seeds and pairs both:",
            table_cells(study),
        ),
        (
            "Statements, 1 to 7 fixed before the runs (docs/study_design_2.md), in log odds, 95 % "
            "by source of error; verdicts by both:",
            statement_cells(study),
        ),
        (
            "Without a claim, in log odds, seeds and pairs both:",
            unclaimed_cells(study),
        ),
        ("Readings, percent, means over the 8 points:", reading_cells(study)),
        (
            "Tuning, 4,000 images and 8 attributes an object, one seed, percent (*: chosen):",
            tuning_cells(study.table.content),
        ),
    ]
