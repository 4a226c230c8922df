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
    from aobench.models.model_lists import ModelList
    from aobench.results.predictions import Predictions
    from aobench.results.result import Result


def effective(
    results: Sequence[str | Path] | str | Path | None = None,
    baseline: str | Sequence[str] | None = None,
    *,
    transform: str = "logit",
    id_sets: Sequence[str] = ("id",),
    figure: str | None = None,
    by: str = "training_set",
    leave_out: bool = False,
    contrast: Sequence[str] | None = None,
    models: ModelList | str | Path | None = None,
    id_score: str | None = None,
    ood_score: str | None = None,
) -> EffectiveReport:
    """Effective generalization: novel accuracy beyond what seen accuracy predicts in a baseline.

    Args:
        results: folders of results, or CSVs of accuracies (docs/effective.md); None: the published
            table of 68 models.
        baseline: which of the models the line is fitted over: ``all``, ``family=NAME``,
            ``training_set=NAME[,NAME]``, ``COLUMN=NAME`` of a list's column; or several such, and
            a model of any of them is in it. Default for the published table: ``family=CLIP``.
        transform: the scale of the line: ``logit``, ``probit`` or ``linear``.
        id_sets: the seen sets to fit over: columns of the CSV.
        figure: which accuracy of results, such as ``object_top1`` (default: the first that all
            have).
        by: the groups: ``training_set``, ``family``, or a column of the list of models.
        leave_out: fit each group's line without the group itself.
        contrast: the groups whose pairs are compared by a common slope (default: all).
        models: a list of models (`aobench.models.model_lists`), or a file of one: its facts are
            taken in place of what the results say.
        id_score: the accuracy on the seen axis as ``SPLIT:TASK``, such as ``id:object``; with
            ``ood_score``, in place of ``figure``. Results that lack one are left out, and named.
        ood_score: that on the novel axis, such as ``ood:composition-own``.

    Returns:
        The line, and each model's and group's distance from it with intervals; ``text()``,
        ``to_frame()``, ``write(folder)``.

    Raises:
        UserError: for files that hold no accuracies, and a baseline of too few independent models.

    Example:
        >>> import aobench
        >>> report = aobench.effective()
        >>> len(report.scores), round(float(report.line.r2), 3)
        (68, 0.981)
    """
    from aobench.analysis.common_slope import contrasts_or_note
    from aobench.analysis.effective import (
        effective_generalization,
        fit_baseline,
    )
    from aobench.analysis.effective_groups import by_group, by_group_left_out
    from aobench.analysis.effective_report import EffectiveReport
    from aobench.analysis.model_groups import (
        check_column,
        select_models,
        with_list_facts,
    )

    paths = (
        [results] if isinstance(results, str | Path) else list(results or ())
    )
    contrast = [contrast] if isinstance(contrast, str) else contrast
    if results is not None and not paths:
        raise UserError(
            "there are no results; name some, or give None for the published table"
        )
    places = [Path(path) for path in paths]
    if id_score is None and ood_score is None:
        records, accuracy, notes = _accuracies(places, figure)
    else:
        records, accuracy, notes = _split_scores(
            places, figure, id_score, ood_score
        )
    if models is not None:
        records, more = with_list_facts(records, _as_model_list(models))
        notes += more
    check_column(records, by, "by (--by)")
    rules = _baseline_rules(baseline, records, bool(paths))
    fitted = [r for r in select_models(records, rules) if not r.left_out]
    counted = [r for r in records if not r.left_out]
    options: dict[str, Any] = {
        "transform": transform,
        "id_sets": tuple(id_sets),
    }
    try:
        line = fit_baseline(fitted, **options)
    except UserError as error:
        # what was left out may be why models are too few
        raise UserError("; ".join([str(error), *notes])) from error
    groups = (
        by_group_left_out(fitted, counted, by, **options)
        if leave_out
        else by_group(line, counted, by)
    )
    contrasts, more = contrasts_or_note(counted, by, contrast, **options)
    return EffectiveReport(
        line=line,
        records=records,
        scores=effective_generalization(line, records),
        groups=groups,
        rule=" or ".join(rules),
        column=by,
        left_out=leave_out,
        accuracy=accuracy,
        contrasts=contrasts,
        notes=notes + more,
    )


def _baseline_rules(
    baseline: str | Sequence[str] | None,
    records: Sequence[ModelAccuracies],
    own: bool,
) -> list[str]:
    """The rules that name the baseline. Raises UserError where one's own results have none."""
    if baseline:
        return [baseline] if isinstance(baseline, str) else list(baseline)
    if not own:
        return ["family=CLIP"]
    families = ", ".join(sorted({f"family={r.family}" for r in records}))
    raise UserError(
        f"name the baseline models (--baseline): all, {families}, or training_set=NAME"
    )


def _as_model_list(models: ModelList | str | Path) -> ModelList:
    from aobench.models.model_lists import ModelList, read_model_list

    return models if isinstance(models, ModelList) else read_model_list(models)


def _split_scores(
    paths: list[Path],
    figure: str | None,
    id_score: str | None,
    ood_score: str | None,
) -> tuple[list[ModelAccuracies], tuple[str, str], list[str]]:
    """As `_accuracies`, of two scores that are named apart."""
    from aobench.analysis.model_accuracies import read_split_scores
    from aobench.analysis.split_scores import parse_split_score

    if id_score is None or ood_score is None:
        raise UserError(
            "--id-score and --ood-score belong together: name both, such as id:object and "
            "ood:composition-own"
        )
    if figure is not None:
        raise UserError(
            "--figure names one accuracy for both axes, --id-score and --ood-score two: leave one "
            "kind out"
        )
    if not paths or any(path.suffix.lower() == ".csv" for path in paths):
        raise UserError(
            "--id-score and --ood-score are of results; a table of accuracies has one score only: "
            "name folders of results"
        )
    known = parse_split_score(id_score, "--id-score")
    novel = parse_split_score(ood_score, "--ood-score")
    read = read_split_scores(paths, known, novel)
    return read.records, read.accuracies, read.notes


def _accuracies(
    paths: list[Path], figure: str | None
) -> tuple[list[ModelAccuracies], str | tuple[str, str], list[str]]:
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
