"""The verbs ``effective``, ``compare``, ``breakdown`` and ``disentangle`` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.analysis import paper_command
from aobench.errors import UserError
from aobench.evaluation.data_arguments import add_gone_options

if TYPE_CHECKING:
    from aobench.analysis.embeddings import LabelledEmbeddings
    from aobench.analysis.paired import PairedComparison
    from aobench.results.predictions import Predictions

#: What the figures of `breakdown` show, by their files.
BREAKDOWN_FIGURES = {
    "heat_map": "accuracy of each attribute with each object",
    "caption_counts": "accuracy of classes by how many captions name them",
}
SMALLEST = (
    1e-300  #: p values below it are told as less than it: floats end there
)


def add_parser(verbs: Any) -> None:
    """Add the verbs to argparse's subparsers ``verbs``."""
    _add_effective(verbs)
    _add_compare(verbs)
    _add_breakdown(verbs)
    _add_disentangle(verbs)
    paper_command.add_parser(verbs)


def _add_effective(verbs: Any) -> None:
    parser = verbs.add_parser(
        "effective",
        help="effective generalization over a baseline family, with intervals and figures",
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        help="folders of results, or CSVs; default: the published 68 models",
    )
    parser.add_argument(
        "--baseline",
        action="append",
        metavar="RULE",
        help="all, or family=NAME, training_set=NAME[,NAME], model=NAME, or any column of the list "
        "of models; said again it adds models; default for the published table: family=CLIP",
    )
    parser.add_argument(
        "--transform", default="logit", help="logit (default), probit or linear"
    )
    parser.add_argument(
        "--figure",
        help="which accuracy of results (default: composition_top1, or object_top1 where some lack "
        "it)",
    )
    parser.add_argument(
        "--id-score",
        metavar="SPLIT:TASK",
        help="the score on the ID axis, such as id:object; with --ood-score",
    )
    parser.add_argument(
        "--ood-score",
        metavar="SPLIT:TASK",
        help="the score on the OoD axis, such as ood:composition-own",
    )
    parser.add_argument(
        "--models",
        dest="model_list",
        metavar="FILE",
        help="a list of models (CSV: model, family, training_set, ...), or paper: its facts are "
        "taken in place of what the results say",
    )
    parser.add_argument(
        "--id-sets",
        default="id",
        help="ID sets to fit over, such as id,id_yfcc (columns of the CSV)",
    )
    parser.add_argument(
        "--by",
        default="training_set",
        metavar="COLUMN",
        help="groups of the summary: training_set (default), family, or a column of the list",
    )
    parser.add_argument(
        "--leave-out",
        action="store_true",
        help="fit each group's line without the group itself",
    )
    parser.add_argument(
        "--contrast",
        metavar="NAME,NAME",
        help="the groups whose pairs are compared by a line each and one slope (default: all)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for models.csv, groups.csv, contrasts.csv and the figures",
    )
    parser.set_defaults(run=_effective)


def _add_compare(verbs: Any) -> None:
    parser = verbs.add_parser(
        "compare",
        help="two models or more on the same images: differences, for both populations",
    )
    parser.add_argument(
        "tables",
        nargs="+",
        type=Path,
        metavar="RESULT",
        help="folders that `imagenet-ao evaluate` wrote, or one that holds several; more than two: "
        "all pairs at once, corrected",
    )
    parser.add_argument("--split", default="ood")
    parser.add_argument(
        "--kind",
        default="composition",
        choices=("composition", "attribute", "object"),
    )
    parser.set_defaults(run=_compare)


def _add_breakdown(verbs: Any) -> None:
    parser = verbs.add_parser(
        "breakdown",
        help="accuracy by attribute and object, and against caption counts, as figures",
    )
    parser.add_argument(
        "table",
        type=Path,
        help="predictions.parquet, or the folder that holds it",
    )
    parser.add_argument("--split", default="ood")
    parser.add_argument(
        "--kind",
        default="object",
        choices=("composition", "attribute", "object"),
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("breakdown"),
        help="folder for the figures (default: breakdown)",
    )
    parser.set_defaults(run=_breakdown)


def _add_disentangle(verbs: Any) -> None:
    parser = verbs.add_parser(
        "disentangle",
        help="how separately embeddings on disk hold attribute and object",
    )
    parser.add_argument(
        "source",
        type=Path,
        help="the runner's OUT/embeddings, or an .npz: embeddings, attributes, objects",
    )
    parser.add_argument("--split", default="ood")
    parser.add_argument(
        "--data",
        help="dataset of the embeddings, as evaluate takes it (default: mini)",
    )
    add_gone_options(parser)
    parser.add_argument(
        "--random-weights",
        metavar="MODEL",
        help="a baseline beside: this model on the same images, its weights drawn anew",
    )
    parser.add_argument(
        "--images",
        type=int,
        default=2500,
        help="measure a sample of about this many images (2500)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the held-out compositions and the sample",
    )
    parser.set_defaults(run=_disentangle)


def _effective(args: argparse.Namespace) -> None:
    from aobench.analysis.api import effective

    report = effective(
        args.files or None,
        args.baseline,
        transform=args.transform,
        id_sets=args.id_sets.split(","),
        figure=args.figure,
        by=args.by,
        leave_out=args.leave_out,
        contrast=_names_of(args.contrast),
        models=args.model_list,
        id_score=args.id_score,
        ood_score=args.ood_score,
    )
    for note in report.notes:
        print(f"Note: {note}.")
    print(report.text())
    if args.out:
        for path in report.write(args.out):
            print(f"Written: {path}")


def _names_of(text: str | None) -> list[str] | None:
    """The names of a list with commas; None where it is not said."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",")]


def _compare(args: argparse.Namespace) -> None:
    from aobench.analysis.paired import alike_tasks, compare_tables
    from aobench.results.comparability import unlike_settings
    from aobench.results.paths import TABLE, result_places
    from aobench.results.predictions import read
    from aobench.results.scores import (
        candidates_text,
        chance,
        shown_accuracy,
        split_scores,
    )

    once = len(args.tables) > 2
    places = result_places(args.tables, TABLE, once, several=True)
    tables = [read(path) for path in places]
    if len(tables) > 2:
        _compare_many(tables, args.split, args.kind)
        return
    if tables[0].table.equals(tables[1].table):
        print(
            "Note: both tables hold the same answers; is one of them named twice?"
        )
    r = compare_tables(tables[0], tables[1], args.split, args.kind)
    print(
        f"{args.kind} accuracy on {args.split}, {r.n:,} images of {r.compositions:,} compositions:"
    )
    asked = alike_tasks(tables, args.split, args.kind)
    lists = []
    for table, task, rate in zip(
        tables, asked, (r.first, r.second), strict=True
    ):
        candidates = table.lists[task][args.split]
        lists.append(candidates)
        f = split_scores(table.split(args.split, task), candidates)
        _, low, high = shown_accuracy(f, f"{args.kind}_top1")
        by_chance = chance(f, args.kind) or 0.0
        print(
            f"  {table.provenance['model']['id']}: {100 * rate:.2f} % [{100 * low:.2f}, "
            f"{100 * high:.2f}], "
            f"chance {100 * by_chance:.2f} % of {candidates_text(f)} candidates ({task})"
        )
    if len({candidates.hash for candidates in lists}) > 1:
        print(
            "  The candidate lists differ: the models were not asked the same, which is part of "
            "the difference."
        )
    if unlike := unlike_settings([table.provenance for table in tables]):
        print(
            f"  The runs differ in {', '.join(unlike)}, which is part of the difference, too."
        )
    _print_difference(r)


def _compare_many(tables: list[Predictions], split: str, kind: str) -> None:
    from aobench.analysis.many_models import compare_models
    from aobench.columns import columns
    from aobench.results.comparability import unlike_settings

    comparison = compare_models(tables, split, kind)
    letters = _class_letters(comparison.classes, len(tables))
    rows = [("model", f"{kind} on {split}, %", "rank", "class")]
    for place, number in enumerate(comparison.order):
        best, worst = comparison.ranks[place]
        rows.append(
            (
                tables[number].provenance["model"]["id"],
                f"{100 * comparison.rates[place]:.2f}",
                str(best) if best == worst else f"{best} to {worst}",
                letters[place],
            )
        )
    print("\n".join(columns(rows, rule=True)))
    like = "attributes and objects like these"
    print(
        "Models that share a letter can't be told apart; rank: the places that the tests leave a "
        f"model. {len(tables) * (len(tables) - 1) // 2} pairs, 5 % for all of them together "
        f"(Holm), for {like if comparison.wide else 'these attributes and objects'}."
    )
    if unlike := unlike_settings([table.provenance for table in tables]):
        print(
            f"The runs differ in {', '.join(unlike)}, which is part of the order."
        )


def _class_letters(
    classes: tuple[tuple[int, ...], ...], count: int
) -> list[str]:
    """``a``, ``ab``, ``b``: a letter for each class that a model is in; z is followed by a1."""
    names = [f"{chr(97 + i % 26)}{i // 26 or ''}" for i in range(len(classes))]
    pairs = list(zip(names, classes, strict=True))
    return [
        "".join(n for n, some in pairs if place in some)
        for place in range(count)
    ]


def _print_difference(r: PairedComparison) -> None:
    """The difference with its interval and its test, for both populations."""
    from aobench.analysis.effective_report import in_points

    print(f"  right in one alone: {r.only_first} and {r.only_second} images")
    if (
        r.wide_p is not None
        and r.wide_low is not None
        and r.wide_high is not None
    ):
        wide = in_points(r.wide_low, r.difference, r.wide_high).strip()
        print(
            f"  difference {wide} points for attributes and objects like these (two-way t, "
            f"p {_p_value(r.wide_p)})"
        )
    else:
        print(
            "  difference: nothing can be said of attributes and objects like these, as there is "
            "one attribute or object, or none is known"
        )
    narrow = in_points(r.low, r.difference, r.high).strip()
    print(
        f"  difference {narrow} points for these attributes and objects (bootstrap and sign flips "
        f"over compositions, p {_p_value(r.p)})"
    )
    if r.wide_p is not None:
        print(
            "  Intervals 95 %; the accuracies' for attributes and objects like these."
        )


def _p_value(p: float) -> str:
    return f"= {p:.3g}" if p >= SMALLEST else f"< {SMALLEST:g}"


def _breakdown(args: argparse.Namespace) -> None:
    from aobench.analysis.breakdown import (
        by_class_name,
        cell_counts,
        counts_plot,
        heat_map,
    )
    from aobench.drawing import drawn_lines, save_plot
    from aobench.results.predictions import read

    predictions = read(args.table)
    cells = cell_counts(predictions, args.split, args.kind)
    name = predictions.provenance["model"]["id"]
    head = f"{name}, {args.split}: {args.kind} accuracy, n = {int(cells.n.sum()):,} images"
    written = save_plot(heat_map(cells, head), args.out / "heat_map")
    print(f"{head}.")
    try:
        figure, fits = counts_plot(
            by_class_name(cells), f"{head}; bars: 95 % of fifths of the classes"
        )
    except UserError as error:
        print(f"No figure of caption counts: {error}.")
    else:
        written += save_plot(figure, args.out / "caption_counts")
        for training_set, f in fits.items():
            print(
                f"  {training_set:10s} rank correlation {f.spearman:+.2f} [{f.low:+.2f}, "
                f"{f.high:+.2f}], {f.n} classes"
            )
    print("\n".join(drawn_lines(written, BREAKDOWN_FIGURES)))


def _disentangle(args: argparse.Namespace) -> None:
    from aobench.analysis import embeddings as source

    if args.images < 10:
        raise UserError("--images takes a number of at least 10")
    if args.seed < 0:
        raise UserError(
            f"--seed takes a whole number of at least 0; got {args.seed}"
        )
    if args.data and args.source.suffix == ".npz":
        raise UserError(
            f"--data is of the runner's embeddings, and {args.source} holds its own labels: leave "
            "it out"
        )
    if args.source.suffix == ".npz":
        if args.random_weights:
            raise UserError(
                "--random-weights needs the images, and an .npz has none: name the runner's "
                "OUT/embeddings"
            )
        tables = [source.read_npz(args.source)]
    else:
        from aobench.evaluation.data import open_splits
        from aobench.evaluation.sources import data_source

        stores = source.image_stores(args.source, args.split)
        splits = open_splits(data_source(args.data or "mini"), (args.split,))
        tables = [source.read_store(path, key, splits) for path, key in stores]
    if args.random_weights:
        from aobench.analysis.random_weights import random_embeddings

        (split,) = splits
        tables.append(
            random_embeddings(
                args.random_weights, split, args.images, args.seed
            )
        )
    for table in tables:
        _print_measures(table, args)


def _print_measures(
    table: LabelledEmbeddings, args: argparse.Namespace
) -> None:
    """Informativeness and probes first; DCI only where the forests know enough."""
    from aobench.analysis.disentanglement import EXPLAINED
    from aobench.analysis.factor_fit import all_measures
    from aobench.analysis.probe_span import PROBED, probe_measures, refused_dci

    measures = all_measures(table.z, table.factors, args.seed, args.images)
    measures |= probe_measures(table.z, table.factors, args.seed, args.images)
    refused = refused_dci(measures)
    lost = (
        f", {table.left_out} left out (unreadable or unlabelled)"
        if table.left_out
        else ""
    )
    print(
        f"{table.name}: {measures['n']:,.0f} of {len(table.z):,} images, {table.z.shape[1]} "
        f"dimensions{lost}"
    )
    explained = EXPLAINED | PROBED
    first = [
        key for key in explained if key.startswith(("informativeness", "probe"))
    ]
    for key in dict.fromkeys([*first, *explained]):
        value = f"{measures[key]:8.3f}"
        if key.startswith("dci_") and refused:
            value = " refused"
        chance = (
            f" (chance {measures[f'{key}_chance']:.3f})"
            if f"{key}_chance" in measures
            else ""
        )
        print(f"  {key:26s} {value}{chance}  {explained[key]}")
    if refused:
        print(f"  DCI is refused: {refused}.")
