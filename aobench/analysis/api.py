"""Effective generalization and comparisons of results, in one call each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from aobench.analysis.effective import Effective, Group, Line
    from aobench.analysis.paired import Paired
    from aobench.results.predictions import Predictions
    from aobench.results.result import Result


@dataclass(frozen=True)
class EffectiveReport:
    """How far models lie from what a baseline's line expects of them.

    Attributes:
        line: the fitted baseline.
        models: one `Effective` a model, in their order.
        groups: the mean of each training set, or family.
        warnings: why the results don't compare as they stand; empty where they do.
    """

    line: Line
    models: list[Effective]
    groups: list[Group]
    warnings: list[str]

    def to_frame(self) -> pd.DataFrame:
        """One row a model; accuracies and ``rho`` as fractions from 0 to 1, each with its 95 %
        interval.
        """
        import pandas as pd

        return pd.DataFrame([one.row() for one in self.models])


def effective(
    results: Sequence[str | Path] | str | Path | None = None,
    baseline: str | None = None,
    *,
    transform: str = "logit",
    figure: str | None = None,
    by: str = "training_set",
) -> EffectiveReport:
    """Effective generalization: novel accuracy beyond what seen accuracy predicts in a baseline.

    Args:
        results: folders of results, or one CSV of accuracies (docs/effective.md); None: the
            published table of 68 models.
        baseline: which of the models the line is fitted over: ``all``, ``family=NAME``,
            ``training_set=NAME[,NAME]`` or ``model=NAME``. Default for the published table:
            ``family=CLIP``.
        transform: the scale of the line: ``logit``, ``probit`` or ``linear``.
        figure: which accuracy of results, such as ``object_top1`` (default: the first that all
            have).
        by: the groups: ``training_set`` or ``family``.

    Returns:
        The line, and each model's and group's distance from it with intervals.

    Raises:
        UserError: for files that hold no accuracies, and a baseline of fewer than three independent
            models.

    Example:
        >>> import aobench
        >>> report = aobench.effective()
        >>> len(report.models), round(float(report.line.r2), 3)
        (68, 0.976)
    """
    from aobench.analysis import model_accuracies as source
    from aobench.analysis.effective import by_group, fit
    from aobench.analysis.effective import effective as distances

    if by not in ("training_set", "family"):
        raise UserError(f"by is {by!r}; choose training_set or family")
    warnings: list[str] = []
    if results is None:
        records, baseline = source.published(), baseline or "family=CLIP"
    else:
        paths = [results] if isinstance(results, str | Path) else list(results)
        places = [Path(path) for path in paths]
        if [place.suffix.lower() for place in places] == [".csv"]:
            records = source.read_csv(places[0])
        else:
            records, warnings, _ = source.read_results(places, figure)
    if baseline is None:
        raise UserError(
            "name the baseline: all, family=NAME, or training_set=NAME[,NAME]"
        )
    line = fit(source.select(records, baseline), transform)
    return EffectiveReport(
        line, distances(line, records), by_group(line, records, by), warnings
    )


def compare(
    first: Result | str | Path,
    second: Result | str | Path,
    *,
    split: str = "ood",
    kind: str = "composition",
) -> Paired:
    """Compare two models on the same images.

    Args:
        first: a result, or its folder.
        second: another one, on the same images with the same candidates.
        split: ``ood`` (novel compositions) or ``id``.
        kind: which accuracy: ``composition``, ``attribute`` or ``object``.

    Returns:
        Both accuracies; their difference with a 95 % interval, by a bootstrap over compositions;
        and McNemar's exact test over images.

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
