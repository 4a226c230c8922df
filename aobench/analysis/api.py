"""Effective generalization and comparisons of results, in one call each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.analysis.effective_report import EffectiveReport
    from aobench.analysis.model_accuracies import ModelAccuracies
    from aobench.analysis.paired import PairedComparison
    from aobench.results.predictions import Predictions
    from aobench.results.result import Result


def effective(
    results: Sequence[str | Path] | str | Path | None = None,
    baseline: str | None = None,
    *,
    transform: str = "logit",
    id_sets: Sequence[str] = ("id",),
    figure: str | None = None,
    by: str = "training_set",
    leave_out: bool = False,
) -> EffectiveReport:
    """Effective generalization: novel accuracy beyond what seen accuracy predicts in a baseline.

    Args:
        results: folders of results, or CSVs of accuracies (docs/effective.md); None: the published
            table of 68 models.
        baseline: which of the models the line is fitted over: ``all``, ``family=NAME``,
            ``training_set=NAME[,NAME]`` or ``model=NAME``. Default for the published table:
            ``family=CLIP``.
        transform: the scale of the line: ``logit``, ``probit`` or ``linear``.
        id_sets: the seen sets to fit over: columns of the CSV.
        figure: which accuracy of results, such as ``object_top1`` (default: the first that all
            have).
        by: the groups: ``training_set`` or ``family``.
        leave_out: fit each group's line without the group itself.

    Returns:
        The line, and each model's and group's distance from it with intervals; ``text()``,
        ``to_frame()``, ``write(folder)``.

    Raises:
        UserError: for files that hold no accuracies, and a baseline of too few independent models.

    Example:
        >>> import aobench
        >>> report = aobench.effective()
        >>> len(report.scores), round(float(report.line.r2), 3)
        (68, 0.976)
    """
    from aobench.analysis.effective import (
        by_group,
        by_group_left_out,
        effective_generalization,
        fit_baseline,
    )
    from aobench.analysis.effective_report import EffectiveReport
    from aobench.analysis.model_accuracies import select_models

    if by not in ("training_set", "family"):
        raise UserError(f"by is {by!r}; choose training_set or family")
    paths = [results] if isinstance(results, str | Path) else list(results or ())
    if results is not None and not paths:
        raise UserError(
            "there are no results; name some, or give None for the published table"
        )
    records, accuracy, notes = _accuracies([Path(path) for path in paths], figure)
    rule = baseline or (None if paths else "family=CLIP")
    if not rule:
        families = ", ".join(sorted({f"family={r.family}" for r in records}))
        raise UserError(
            f"name the baseline models (--baseline): all, {families}, or training_set=NAME"
        )
    fitted = select_models(records, rule)
    options: dict[str, Any] = {"transform": transform, "id_sets": tuple(id_sets)}
    line = fit_baseline(fitted, **options)
    groups = (
        by_group_left_out(fitted, records, by, **options)
        if leave_out
        else by_group(line, records, by)
    )
    return EffectiveReport(
        line=line,
        records=records,
        scores=effective_generalization(line, records),
        groups=groups,
        rule=rule,
        column=by,
        left_out=leave_out,
        accuracy=accuracy,
        notes=notes,
    )


def _accuracies(
    paths: list[Path], figure: str | None
) -> tuple[list[ModelAccuracies], str, list[str]]:
    """The models' accuracies, what they are called, and why they may not compare."""
    from aobench.analysis import model_accuracies as source

    tables = [path for path in paths if path.suffix.lower() == ".csv"]
    results = [path for path in paths if path not in tables]
    if figure and not results:
        raise UserError(
            "--figure names an accuracy of results; a CSV holds one only: leave it out, or name "
            "results"
        )
    if not paths:
        return source.published_models(), "object accuracy", []
    records = [record for path in tables for record in source.read_csv(path)]
    if not results:
        source.check_names(records)
        return records, "accuracy", []
    more, notes, name = source.read_results(results, figure)
    records += more
    if tables:
        notes.append(
            "results.json and CSV are put on one line: see to it that both asked the same"
        )
    source.check_names(records)
    return records, f"{name.replace('_', ' ')} accuracy", notes


def compare(
    first: Result | str | Path,
    second: Result | str | Path,
    *,
    split: str = "ood",
    kind: str = "composition",
) -> PairedComparison:
    """Compare two models on the same images.

    Args:
        first: a result, or its folder.
        second: another one, on the same images with the same candidates.
        split: ``ood`` (novel compositions) or ``id``.
        kind: which accuracy: ``composition``, ``attribute`` or ``object``.

    Returns:
        Both accuracies and their difference, with 95 % intervals and tests: ``low``, ``high``,
        ``p`` for these attributes and objects, ``wide_low``, ``wide_high``, ``wide_p`` for
        attributes and objects like these.

    Raises:
        UserError: where the tables do not hold the same images, or other candidates were offered.

    Example:
        >>> import aobench
        >>> aobench.compare("results/mini", "results/mini").difference
        0.0
    """
    from aobench.analysis.paired import compare_tables

    return compare_tables(_answers(first), _answers(second), split, kind)


def _answers(result: Any) -> Predictions:
    from aobench.results.predictions import read

    return read(result) if isinstance(result, str | Path) else result.answers
