"""The verb ``study``: the experiment in miniature, run or drawn from the bundled results."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.columns import columns
from aobench.errors import UserError
from aobench.files import absolute_path

if TYPE_CHECKING:
    from aobench.study.summary import Study

#: What the figures show, by their files.
FIGURES = {
    "scatter": "OoD over ID object accuracy of all runs, with the baseline",
    "factors": "accuracies along scale, diversity and supervision",
    "disentanglement": "disentanglement of the features against OoD accuracy",
    "nmi": "effective generalization against the captions' mutual information",
}
COLUMNS = (
    "id_object",
    "ood_object",
    "rho_object",
    "id_composition",
    "ood_composition",
    "rho_composition",
)


def add_parser(verbs: Any) -> None:
    """Add the verb to argparse's subparsers ``verbs``."""
    s = verbs.add_parser(
        "study",
        help="scale, diversity and supervision under control, in miniature",
    )
    s.add_argument(
        "--from-bundled",
        action="store_true",
        help="use the results that ship with the package; trains nothing",
    )
    s.add_argument(
        "--edition",
        type=int,
        choices=(1, 2),
        default=2,
        help="1: one factor at a time, 72 runs; 2: crossed factors, tuned, 320 runs (default: 2)",
    )
    s.add_argument(
        "--runs",
        type=Path,
        help="folder of the runs (default: study/runs-2, of the first edition study/runs)",
    )
    s.add_argument(
        "--out",
        type=Path,
        default=Path("study"),
        help="folder for tables and figures (default: study)",
    )
    s.add_argument(
        "--workers",
        type=int,
        help="processes that train at once (default: one a GPU, or one a core)",
    )
    s.add_argument(
        "--dry-run",
        action="store_true",
        help="say what is left to do and how long it takes, and stop",
    )
    s.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Carry out the verb. Raises UserError for bad input."""
    if args.workers is not None and not 1 <= args.workers <= 1024:
        raise UserError(
            "--workers takes a whole number of at least 1, up to 1,024"
        )
    _refuse_contradictions(args)
    (_first_edition if args.edition == 1 else _second_edition)(args)


def _first_edition(args: argparse.Namespace) -> None:
    from aobench.study.collecting import BUNDLED, read_table

    path = BUNDLED if args.from_bundled else _first_table(args)
    if path is not None:
        write_report(read_table(path), args.out)


def _second_edition(args: argparse.Namespace) -> None:
    from aobench.study.factorial_figures import Factorial
    from aobench.study.factorial_report import write_report
    from aobench.study.factorial_table import BUNDLED, read_factorial

    path = BUNDLED if args.from_bundled else _second_table(args)
    if path is not None:
        write_report(Factorial(read_factorial(path)), args.out)


def _refuse_contradictions(args: argparse.Namespace) -> None:
    """UserError for options of the runs beside the bundled results, which are of runs that are
    done.
    """
    if args.from_bundled:
        settings = {
            "--dry-run": args.dry_run,
            "--workers": args.workers is not None,
            "--runs": args.runs is not None,
        }
        named = [name for name, is_given in settings.items() if is_given]
        if named:
            raise UserError(
                f"--from-bundled trains nothing, and {named[0]} is of the training: leave one of "
                "them out"
            )
    elif args.runs is not None and absolute_path(args.runs) == absolute_path(
        args.out
    ):
        raise UserError("--runs and --out name one folder; give each its own")


def _worker_count(args: argparse.Namespace) -> int:
    """--workers, or one a GPU, or one a core."""
    from aobench.study.running import device_names

    names = device_names()
    return args.workers or (
        len(names) if names[0] != "cpu" else os.cpu_count() or 1
    )


def _kept_table(content: dict[str, Any], out: Path) -> Path:
    """The table in ``out``, whose path it returns."""
    import json

    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.json"
    path.write_text(
        json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8"
    )
    return path


def _first_table(args: argparse.Namespace) -> Path | None:
    """Do the runs that are left and collect them; the path of their table, None for a dry run."""
    import sys

    from aobench.study.collecting import collect_runs
    from aobench.study.design import first_edition
    from aobench.study.running import run_all, time_estimate

    runs, workers = args.runs or Path("study/runs"), _worker_count(args)
    print(time_estimate(runs, workers, first_edition()), flush=True)
    if args.dry_run:
        return None
    run_all(runs, workers, first_edition())
    content = collect_runs(runs, first_edition(), quiet=not sys.stderr.isatty())
    return _kept_table(content, args.out)


def _second_table(args: argparse.Namespace) -> Path | None:
    """As :func:`_first_table`, with the tuning before it."""
    from aobench.study.factorial import second_edition
    from aobench.study.factorial_table import collect_factorial
    from aobench.study.running import run_all, time_estimate
    from aobench.study.tuning import tuned_settings

    runs, workers = args.runs or Path("study/runs-2"), _worker_count(args)
    untuned = second_edition({})
    print(
        f"{time_estimate(runs, workers, untuned)}; tuning before it", flush=True
    )
    if args.dry_run:
        return None
    tuned, trials = tuned_settings(runs)
    edition = second_edition(tuned)
    run_all(runs, workers, edition)
    return _kept_table(collect_factorial(runs, edition, trials), args.out)


def write_report(content: dict[str, Any], out: Path) -> None:
    """Print the tables and what they say of each statement; write tables and figures to ``out``."""
    from aobench.csv_tables import write_csv_rows
    from aobench.drawing import drawn_lines
    from aobench.study.plots import draw_all
    from aobench.study.statements import all_statements
    from aobench.study.summary import Study

    study = Study(content)
    rows = study.table()
    _print_table(rows)
    _print_controls(study)
    statements = all_statements(study)
    print(
        "\nStatements fixed before the runs (docs/study_design.md), with 95 % intervals:"
    )
    for statement in statements:
        print(f"  {statement.line}")
    _print_measures(study)
    written = [write_csv_rows(out / "conditions.csv", rows)]
    written.append(write_csv_rows(out / "runs.csv", run_rows(study)))
    for path in written:
        print(f"Written: {path}")
    print("\n".join(drawn_lines(draw_all(study, out), FIGURES)))


def _cell(row: dict[str, Any], key: str) -> str:
    if row[key] is None:
        return "-"
    sign = "+" if key.startswith("rho") else ""
    return (
        f"{100 * row[key]:{sign}.1f} [{100 * row[key + '_low']:.1f}, "
        f"{100 * row[key + '_high']:.1f}]"
    )


def _print_table(rows: list[dict[str, Any]]) -> None:
    from aobench.study.statements import adjusted_nmi

    print(
        "Object accuracy: chance 2.1 %, 48 candidates. Composition accuracy: chance 0.09 %, 1,152 "
        "candidates."
    )
    print(
        "1,920 images in each of id and ood; means of 3 seeds, 95 % intervals; rho in points (*: "
        "beyond the baseline)."
    )
    head = (
        "images",
        "d",
        "supervision",
        "ID object",
        "OoD object",
        "rho",
        "ID comp.",
        "OoD comp.",
        "comp. rho",
        "NMI",
    )
    lines = [head]
    for row in rows:
        far = "*" if row["extrapolated_runs"] else ""
        cells = [
            _cell(row, key) + (far if key == "rho_object" else "")
            for key in COLUMNS
        ]
        nmi = f"{row['nmi']:.3f} ({adjusted_nmi(row):.3f})"
        lines.append(
            (
                f"{row['scale']:,}",
                str(row["diversity"]),
                row["supervision"],
                *cells,
                nmi,
            )
        )
    print("\n".join(columns(lines)))
    print(
        "d: attributes an object in training. NMI of the training captions, in brackets adjusted "
        "for chance."
    )


def _print_controls(study: Study) -> None:
    """The controls at the centre, if the table has them."""
    from aobench.study.design import CENTRE, CONTROLS
    from aobench.study.plots import percent_text
    from aobench.study.summary import over_seeds

    known = [
        c for c in CONTROLS if study.condition(*CENTRE, c)[0] in study.rows
    ]
    if not known:
        return
    print(
        "\nControls at the centre, added after the results: OoD object, rho, OoD composition; rho "
        "less contrastive's"
    )
    for control in known:
        runs = study.condition(*CENTRE, control)
        pairs = zip(runs, study.condition(*CENTRE, "contrastive"), strict=True)
        less = over_seeds(study.rho(a) - study.rho(b) for a, b in pairs)
        figures = (
            study.mean_accuracy(runs, "ood"),
            study.mean_rho(runs),
            study.mean_accuracy(runs, "ood", "composition"),
        )
        print(
            f"  {control:20s} "
            + "   ".join(percent_text(e) for e in (*figures, less))
        )


def _print_measures(study: Study) -> None:
    from aobench.analysis.disentanglement import EXPLAINED
    from aobench.study.design import SUPERVISIONS
    from aobench.study.statements import measure_correlation

    print(
        "\nDisentanglement of the features on OoD pictures: rank correlation with OoD object "
        "accuracy, "
        "all 72 runs | by supervision"
    )
    for name in EXPLAINED:
        results = [
            measure_correlation(study, name),
            *(measure_correlation(study, name, (s,)) for s in SUPERVISIONS),
        ]
        cells = [
            "constant"
            if e.value != e.value
            else f"{e.value:+.2f} [{e.low:+.2f}, {e.high:+.2f}]"
            for e in results
        ]
        print(
            f"  {name:24s} {cells[0]} | "
            + "  ".join(
                f"{s} {c}" for s, c in zip(SUPERVISIONS, cells[1:], strict=True)
            )
        )


def run_rows(study: Study) -> list[dict[str, Any]]:
    """One row a run, with bootstrap intervals over compositions; rho and the disentanglement
    measures.
    """
    from aobench.analysis.disentanglement import EXPLAINED

    out = []
    for run_, raw in study.rows.items():
        row: dict[str, Any] = {
            "run": run_.name,
            **{
                k: raw[k]
                for k in ("supervision", "scale", "diversity", "seed", "nmi")
            },
        }
        for split in ("id", "ood"):
            for kind in ("object", "attribute", "composition", "object_prompt"):
                there = kind in raw["right"][split]
                e = study.interval(run_, split, kind) if there else None
                row |= {
                    f"{split}_{kind}": e and e.value,
                    f"{split}_{kind}_low": e and e.low,
                    f"{split}_{kind}_high": e and e.high,
                }
        row["rho_object"] = study.rho(run_)
        row |= {name: raw["disentanglement"][name] for name in EXPLAINED}
        out.append(row)
    return out
