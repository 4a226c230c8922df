"""The verbs ``effective``, ``compare``, ``breakdown`` and ``disentangle`` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.analysis.effective import Effective, Group, Line
    from aobench.analysis.model_accuracies import Record

SMALLEST = 1e-300  #: p values below it are told as less than it: floats end there
VERBS = ("effective", "compare", "breakdown", "disentangle")


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    e = verbs.add_parser(
        "effective",
        help="effective generalization over a baseline family, with intervals and figures",
    )
    e.add_argument(
        "files",
        nargs="*",
        type=Path,
        help="folders of results, or CSVs; default: the published 68 models",
    )
    e.add_argument(
        "--baseline",
        help="all, or family=NAME, training_set=NAME[,NAME], model=NAME; default for the published "
        "table: family=CLIP",
    )
    e.add_argument(
        "--transform", default="logit", help="logit (default), probit or linear"
    )
    e.add_argument(
        "--figure",
        help="which accuracy of results (default: composition_top1, or object_top1 where some lack "
        "it)",
    )
    e.add_argument(
        "--id-sets",
        default="id",
        help="ID sets to fit over, such as id,id_yfcc (columns of the CSV)",
    )
    e.add_argument(
        "--by",
        default="training_set",
        choices=("training_set", "family"),
        help="groups of the summary",
    )
    e.add_argument(
        "--leave-out",
        action="store_true",
        help="fit each group's line without the group itself",
    )
    e.add_argument(
        "--out", type=Path, help="folder for models.csv, groups.csv and the figures"
    )

    c = verbs.add_parser(
        "compare",
        help="two models on the same images: McNemar, and a bootstrap over compositions",
    )
    c.add_argument(
        "first", type=Path, help="predictions.parquet, or the folder that holds it"
    )
    c.add_argument(
        "second", type=Path, help="predictions.parquet, or the folder that holds it"
    )
    c.add_argument("--split", default="ood")
    c.add_argument(
        "--kind", default="composition", choices=("composition", "attribute", "object")
    )

    b = verbs.add_parser(
        "breakdown",
        help="accuracy by attribute and object, and against caption counts, as figures",
    )
    b.add_argument(
        "table", type=Path, help="predictions.parquet, or the folder that holds it"
    )
    b.add_argument("--split", default="ood")
    b.add_argument(
        "--kind", default="object", choices=("composition", "attribute", "object")
    )
    b.add_argument(
        "--out",
        type=Path,
        default=Path("breakdown"),
        help="folder for the figures (default: breakdown)",
    )

    d = verbs.add_parser(
        "disentangle",
        help="how separately embeddings on disk hold attribute and object",
    )
    d.add_argument(
        "source",
        type=Path,
        help="the runner's OUT/embeddings, or an .npz: embeddings, attributes, objects",
    )
    d.add_argument("--split", default="ood")
    d.add_argument(
        "--config",
        default="mini",
        choices=("v2", "mini"),
        help="dataset of the embeddings (default: mini)",
    )
    d.add_argument("--data-dir", help="folder or zip of the published archive")
    d.add_argument(
        "--images",
        type=int,
        default=2500,
        help="measure a sample of about this many images (2500)",
    )
    d.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the held-out compositions and the sample",
    )


def run(args: argparse.Namespace) -> None:
    """Carry out the verb of ``args``. Raises UserError for bad input."""
    {
        "effective": _effective,
        "compare": _compare,
        "breakdown": _breakdown,
        "disentangle": _disentangle,
    }[args.verb](args)


def _records(args: argparse.Namespace) -> tuple[list[Record], str, str]:
    """The records that the files hold, the rule of the baseline, and which accuracy it is."""
    from aobench.analysis import model_accuracies as source

    if args.figure and all(path.suffix.lower() == ".csv" for path in args.files):
        raise UserError(
            "--figure names an accuracy of results; a CSV holds one only: leave it out, or name "
            "results"
        )
    if not args.files:
        return source.published(), args.baseline or "family=CLIP", "object accuracy"
    tables = [path for path in args.files if path.suffix.lower() == ".csv"]
    results = [path for path in args.files if path not in tables]
    found = [record for path in tables for record in source.read_csv(path)]
    figure = args.figure
    if results:
        more, warnings, figure = source.read_results(results, args.figure)
        found += more
        for warning in warnings:
            print(f"Note: {warning}.")
        if tables:
            print(
                "Note: results.json and CSV are put on one line: see to it that both asked the "
                "same."
            )
    if not args.baseline:
        families = ", ".join(sorted({f"family={r.family}" for r in found}))
        raise UserError(
            f"name the baseline models with --baseline: all, {families}, or training_set=NAME"
        )
    source.check_names(found)
    return (
        found,
        args.baseline,
        f"{figure.replace('_', ' ')} accuracy" if results else "accuracy",
    )


def _effective(args: argparse.Namespace) -> None:
    from aobench.analysis.effective import by_group, effective, fit, left_out
    from aobench.analysis.model_accuracies import images_shown, select

    records, rule, what = _records(args)
    id_sets = tuple(args.id_sets.split(","))
    how: dict[str, Any] = {"transform": args.transform, "id_sets": id_sets}
    baseline = select(records, rule)
    line = fit(baseline, **how)
    found = effective(line, records)
    summary = (
        left_out(baseline, records, args.by, **how)
        if args.leave_out
        else by_group(line, records, args.by)
    )
    print(
        f"{what[0].upper()}{what[1:]} of {len(records)} models, {images_shown(records)}."
    )
    _print_effective(line, found, summary, rule, args.leave_out)
    if args.out:
        for path in _write_effective(
            args.out, line, records, found, summary, rule, args.by, what
        ):
            print(f"Written: {path}")


def _points(low: float, value: float, high: float) -> str:
    return f"{100 * value:+6.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _print_effective(
    line: Line, found: list[Effective], summary: list[Group], rule: str, without: bool
) -> None:
    from aobench.analysis.effective import FEW

    low, high = line.interval()
    print(
        f"Baseline: {rule}, {len(line.models)} models in {line.runs} independent runs, T = "
        f"{line.transform}."
    )
    slopes = ", ".join(
        f"{name} {c:.3f} [{a:.3f}, {b:.3f}]"
        for name, c, a, b in zip(
            ("intercept", *line.id_sets), line.coefficients, low, high, strict=True
        )
    )
    print(
        f"T(OoD) = intercept + slope T(ID): {slopes}; R^2 {line.r2:.3f}. Intervals 95 %."
    )
    print(
        "\nEffective generalization, points (OoD accuracy less what the line expects)"
        + (", each group by a line without it:" if without else ":")
    )
    for g in summary:
        far = (
            f"; {g.extrapolated} beyond the baseline's range" if g.extrapolated else ""
        )
        far += "; few runs" if g.few else ""
        print(
            f"  {g.name:20s} {_points(g.low, g.rho, g.high):26s} n = {g.n}, runs = {g.runs}{far}"
        )
    if any(g.few for g in summary):
        print(
            f"  few runs: fewer than {FEW}; the interval says little of another run with that "
            "training."
        )
    print(
        "\nmodel: ID %, OoD %, expected %, effective generalization, odds ratio, accuracy ratio"
    )
    for e in sorted(found, key=lambda e: e.rho):
        marks = (" beyond range" if e.extrapolated else "") + (
            " outside the baseline's scatter"
            if not e.scatter_low <= e.rho <= e.scatter_high
            else ""
        )
        print(
            f"  {e.model[:48]:48s} {100 * e.id:5.1f} {100 * e.ood:5.1f} {100 * e.expected:5.1f} "
            f"{_points(e.rho_low, e.rho, e.rho_high):24s} {e.odds_ratio:5.2f} "
            f"[{e.odds_ratio_low:.2f}, {e.odds_ratio_high:.2f}] {e.accuracy_ratio:5.2f}{marks}"
        )


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write ``rows`` as CSV, floats with six digits. Raises UserError where the file cannot be
    written.
    """
    import csv

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow(
                    {
                        k: f"{v:.6g}" if isinstance(v, float) else v
                        for k, v in row.items()
                    }
                )
    except OSError as error:
        raise UserError(f"{path} could not be written: {error}") from error
    return path


def _write_effective(
    out: Path,
    line: Line,
    records: list[Record],
    found: list[Effective],
    summary: list[Group],
    rule: str,
    by: str,
    what: str,
) -> list[Path]:
    from dataclasses import asdict

    from aobench.analysis import plots
    from aobench.analysis.interactive import page, write_page
    from aobench.analysis.model_accuracies import images_shown

    written = [write_rows(out / "models.csv", [e.row() for e in found])]
    written.append(write_rows(out / "groups.csv", [asdict(g) for g in summary]))
    title = (
        f"Effective generalization ({what}) over {rule} ({len(line.models)} models, "
        f"{line.transform} fit)"
    )
    written += plots.save(plots.groups(summary, f"{title}, by {by}"), out / "by_group")
    written += plots.save(plots.models(found, title), out / "by_model")
    if len(line.id_sets) == 1:
        fit = f"slope {line.coefficients[1]:.3f}, R^2 {line.r2:.3f}"
        head, images = f"ID and OoD {what}", images_shown(records)
        picture = plots.scatter(
            line, records, f"{head}, {images}\n{rule}: {fit}", by, what
        )
        written += plots.save(picture, out / "scatter")
        note = (
            f"{images}. Baseline: {rule}. Fit: {fit}. Hover or tab for figures; click a "
            "training set to hide it."
        )
        written.append(
            write_page(
                page(line, records, found, head, note, what=what), out / "scatter.html"
            )
        )
    return written


def _compare(args: argparse.Namespace) -> None:
    from aobench.analysis.paired import compare_tables, shared_tasks
    from aobench.results.comparability import unlike_settings
    from aobench.results.predictions import read
    from aobench.results.scores import chance, split_scores

    tables = [read(path) for path in (args.first, args.second)]
    if tables[0].table.equals(tables[1].table):
        print("Note: both tables hold the same answers; is one of them named twice?")
    r = compare_tables(tables[0], tables[1], args.split, args.kind)
    print(
        f"{args.kind} accuracy on {args.split}, {r.n:,} images of {r.compositions:,} compositions:"
    )
    asked = shared_tasks(tables[0], tables[1], args.split, args.kind)
    lists = []
    for table, task, rate in zip(tables, asked, (r.first, r.second), strict=True):
        listed = table.lists[task][args.split]
        lists.append(listed)
        f = split_scores(table.split(args.split, task), listed)
        low, high, by_chance = (
            f[f"{args.kind}_top1_low"],
            f[f"{args.kind}_top1_high"],
            chance(f, args.kind) or 0.0,
        )
        print(
            f"  {table.provenance['model']['id']}: {100 * rate:.2f} % [{100 * low:.2f}, "
            f"{100 * high:.2f}], "
            f"chance {100 * by_chance:.2f} % of {f['n_candidates']:,} candidates ({task})"
        )
    if len({listed.hash for listed in lists}) > 1:
        print(
            "  The candidate lists differ: the models were not asked the same, which is part of "
            "the difference."
        )
    if unlike := unlike_settings([table.provenance for table in tables]):
        print(
            f"  The runs differ in {', '.join(unlike)}, which is part of the difference, too."
        )
    print(f"  difference {_points(r.low, r.difference, r.high).strip()} points")
    p = f"= {r.p:.3g}" if r.p >= SMALLEST else f"< {SMALLEST:g}"
    print(
        f"  right in one alone: {r.only_first} and {r.only_second}; exact McNemar, images as "
        f"independent: p {p}"
    )
    print(
        "  Intervals 95 %, compositions as independent; the difference's by a bootstrap over them."
    )


def _breakdown(args: argparse.Namespace) -> None:
    from aobench.analysis.breakdown import (
        counts_figure,
        from_table,
        heat_map,
        per_class,
    )
    from aobench.analysis.plots import save
    from aobench.results.predictions import read

    predictions = read(args.table)
    cells = from_table(predictions, args.split, args.kind)
    name = predictions.provenance["model"]["id"]
    head = (
        f"{name}, {args.split}: {args.kind} accuracy, n = {int(cells.n.sum()):,} images"
    )
    written = save(heat_map(cells, head), args.out / "heat_map")
    try:
        figure, fits = counts_figure(
            per_class(cells), f"{head}; bars: 95 % of fifths of the classes"
        )
    except UserError as error:
        print(f"No figure of caption counts: {error}.")
    else:
        written += save(figure, args.out / "caption_counts")
        for training_set, f in fits.items():
            print(
                f"  {training_set:10s} rank correlation {f.spearman:+.2f} [{f.low:+.2f}, "
                f"{f.high:+.2f}], {f.n} classes"
            )
    for path in written:
        print(f"Written: {path}")


def _disentangle(args: argparse.Namespace) -> None:
    from aobench.analysis import embeddings as source
    from aobench.analysis.disentanglement import EXPLAINED
    from aobench.analysis.factor_fit import measures

    if args.images < 10:
        raise UserError("--images takes a number of at least 10")
    if args.seed < 0:
        raise UserError(f"--seed takes a whole number of at least 0; got {args.seed}")
    if args.data_dir and (args.config == "mini" or args.source.suffix == ".npz"):
        raise UserError(
            "--data-dir is of the published archive: give --config v2 and the runner's embeddings "
            "with it"
        )
    if args.source.suffix == ".npz":
        tables = [source.read_npz(args.source)]
    else:
        from aobench.evaluation.data import Source, open_splits

        stores = source.image_stores(args.source, args.split)
        splits = open_splits(Source(args.config, args.data_dir), (args.split,))
        tables = [source.read_store(path, key, splits) for path, key in stores]
    for table in tables:
        found = measures(table.z, table.factors, args.seed, args.images)
        lost = (
            f", {table.left_out} left out (unreadable or unlabelled)"
            if table.left_out
            else ""
        )
        print(
            f"{table.name}: {found['n']:,.0f} of {len(table.z):,} images, {table.z.shape[1]} "
            f"dimensions{lost}"
        )
        for key, words in EXPLAINED.items():
            chance = (
                f" (chance {found['retrieval_chance']:.3f})"
                if key == "retrieval"
                else ""
            )
            print(f"  {key:24s} {found[key]:8.3f}{chance}  {words}")
