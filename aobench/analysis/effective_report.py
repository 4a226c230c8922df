"""What the verb ``effective`` prints and writes: the line, the groups, the models, tables and
plots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aobench.analysis.common_slope import CommonSlope, SlopeContrast
from aobench.analysis.effective import EffectiveScore, FittedLine
from aobench.analysis.effective_groups import FEW, GroupScore
from aobench.analysis.model_accuracies import ModelAccuracies, images_shown
from aobench.csv_tables import write_csv_rows

if TYPE_CHECKING:
    import pandas as pd


def in_points(low: float, value: float, high: float) -> str:
    """A difference of fractions with its interval, in points."""
    # adding 0 makes 0.0 of -0.0
    middle, lower, upper = (
        round(100 * one, 1) + 0.0 for one in (value, low, high)
    )
    return f"{middle:+6.1f} [{lower:+.1f}, {upper:+.1f}]"


def contrast_lines(common: CommonSlope, most: int = 10) -> list[str]:
    """Groups in pairs, as they are printed: all, or of more than ``most`` pairs those that are told
    apart, the clearest first.
    """
    pairs = common.contrasts
    slopes = ", ".join(
        f"{name} {slope:.3f}" for name, slope in common.slopes.items()
    )
    lines = [
        f"\nGroups in pairs, a line each with one slope ({slopes} on the {common.transform} scale, "
        f"{common.runs} runs, {common.free} degrees of freedom): points at the ID accuracy between "
        f"the two. Intervals and p for all {len(pairs)} pairs together (single step, largest |t|):"
    ]
    shown = list(pairs)
    if len(pairs) > most:
        contrasts = sorted(
            (one for one in pairs if one.low * one.high > 0), key=_p_then_size
        )
        shown = contrasts[:most]
        lines += [
            f"  {len(contrasts)} pairs of {len(pairs)} are told apart; here {len(shown)}, all in "
            "contrasts.csv (--out), or fewer groups by --contrast"
        ]
    lines += [_contrast_line(one) for one in shown]
    if any(one.apart for one in shown):
        lines += [
            "  no overlap: no ID accuracies in common, so that the slope alone bridges the gap"
        ]
    if common.unlike_slopes is not None and common.unlike_slopes < 0.05:
        lines += [
            f"  The groups' own slopes differ (F test, p = {common.unlike_slopes:.2g}): a contrast "
            "speaks of the ID accuracy between the two groups alone."
        ]
    return lines


def _p_then_size(one: SlopeContrast) -> tuple[float, float]:
    return one.p, -abs(one.difference)


def _contrast_line(one: SlopeContrast) -> str:
    named = f"{one.first} less {one.second}"
    points = in_points(one.low, one.difference, one.high)
    odds = f"{one.odds_ratio:.2f} [{one.odds_ratio_low:.2f}, {one.odds_ratio_high:.2f}]"
    apart = f"; no overlap, {one.apart}" if one.apart else ""
    runs = "runs {} and {}".format(*one.runs)
    return f"  {named:30s} {points:24s} odds {odds}, p = {one.p:.2g}; {runs}{apart}"


@dataclass(frozen=True, kw_only=True)
class EffectiveReport:
    """``scores`` and ``groups`` of ``records`` over ``line``, which ``rule`` chose the models of.

    ``column`` groups them; ``contrasts``: these groups in pairs; ``left_out``: each group by a line
    without it; ``accuracy`` names what was measured, such as object accuracy, or on ID and OoD,
    where these are two; ``notes``: why the results may not compare.
    """

    line: FittedLine
    records: Sequence[ModelAccuracies]
    scores: Sequence[EffectiveScore]
    groups: Sequence[GroupScore]
    rule: str
    column: str
    left_out: bool
    accuracy: str | tuple[str, str]
    contrasts: CommonSlope | None = None
    notes: Sequence[str] = ()

    @property
    def measured(self) -> str:
        """What was measured, in words."""
        if isinstance(self.accuracy, str):
            return self.accuracy
        return "ID {}, OoD {}".format(*self.accuracy)

    @property
    def measure(self) -> str:
        """What the distance from the line is: effective generalization beyond a baseline outside
        the models' family, or else a residual within it.
        """
        scored = {
            record.family for record in self.records if not record.left_out
        }
        inner = {
            r.family for r in self.records if r.model in set(self.line.models)
        }
        outside = sorted(scored - inner)
        if not outside:
            return f"Residual among {' and '.join(sorted(inner))} models"
        named = (
            ""
            if not scored & inner
            else f" (of {', '.join(outside)}; else a residual)"
        )
        return f"Effective generalization{named}"

    def to_frame(self) -> pd.DataFrame:
        """One row a model; accuracies and ``rho`` as fractions from 0 to 1, each with its 95 %
        interval.
        """
        import pandas as pd

        return pd.DataFrame([score.row() for score in self.scores])

    def text(self) -> str:
        """All of it, as it is printed."""
        what, images = self.measured, images_shown(self.records)
        head = f"{what[0].upper()}{what[1:]} of {len(self.records)} models, {images}."
        lines = [
            head,
            *self._left_out_text(),
            *self._line_text(),
            *self._groups_text(),
            *([] if self.contrasts is None else contrast_lines(self.contrasts)),
            *self._models_text(),
        ]
        return "\n".join(lines)

    def _left_out_text(self) -> list[str]:
        """How many rows are in no line and no group, by reason."""
        reasons: dict[str, list[str]] = {}
        for record in self.records:
            if record.left_out:
                reasons.setdefault(record.left_out, []).append(record.model)
        if not reasons:
            return []
        said = "; ".join(
            f"{', '.join(some)}: {why}" for why, some in reasons.items()
        )
        count = sum(map(len, reasons.values()))
        return [f"In no line and no group are {count} rows ({said})."]

    def _line_text(self) -> list[str]:
        line = self.line
        names = ("intercept", *line.id_sets)
        slopes = ", ".join(
            f"{name} {c:.3f} [{a:.3f}, {b:.3f}]"
            for name, c, a, b in zip(
                names, line.coefficients, *line.interval(), strict=True
            )
        )
        return [
            f"Baseline: {self.rule}, {len(line.models)} models in {line.runs} independent runs, T "
            f"= {line.transform}.",
            f"T(OoD) = intercept + slope T(ID): {slopes}; R^2 {line.r2:.3f}. Intervals 95 %.",
        ]

    def _groups_text(self) -> list[str]:
        without = ", each group by a line without it" if self.left_out else ""
        lines = [
            f"\n{self.measure}, points (OoD accuracy less what the line expects), mean over runs"
            f"{without}:"
        ]
        for g in self.groups:
            notes = f"n = {g.n}, runs = {g.runs}"
            if g.extrapolated:
                notes += f"; {g.extrapolated} beyond the baseline's range"
            if g.few:
                notes += "; few runs"
            lines += [
                f"  {g.name:20s} {in_points(g.low, g.rho, g.high):26s} {notes}"
            ]
        if any(g.few for g in self.groups):
            lines += [
                f"  few runs: fewer than {FEW}; of one run the interval takes the spread of the "
                "baseline's models."
            ]
        return lines

    def _models_text(self) -> list[str]:
        lines = [
            "\nmodel: ID %, OoD %, expected %, effective generalization, odds ratio, accuracy "
            "ratio"
        ]
        for e in sorted(self.scores, key=lambda score: score.rho):
            notes = " beyond range" if e.extrapolated else ""
            if not e.scatter_low <= e.rho <= e.scatter_high:
                notes += " outside the baseline's scatter"
            lines += [
                f"  {e.model[:48]:48s} {100 * e.id:5.1f} {100 * e.ood:5.1f} "
                f"{100 * e.expected:5.1f} {in_points(e.rho_low, e.rho, e.rho_high):24s} "
                f"{e.odds_ratio:5.2f} [{e.odds_ratio_low:.2f}, {e.odds_ratio_high:.2f}] "
                f"{e.accuracy_ratio:5.2f}{notes}"
            ]
        return lines

    def write(self, folder: Path) -> list[Path]:
        """Tables and plots into ``folder``; returns their paths. The scatter is of one ID set
        only.
        """
        from aobench.analysis.plots import groups_plot, models_plot
        from aobench.drawing import save_plot

        rows = [score.row() for score in self.scores]
        groups = [asdict(group) for group in self.groups]
        title = (
            f"{self.measure}\n{self.measured} over {self.rule} "
            f"({len(self.line.models)} models, {self.line.transform} fit)"
        )
        by = groups_plot(self.groups, f"{title}, by {self.column}")
        return [
            write_csv_rows(folder / "models.csv", rows),
            write_csv_rows(folder / "groups.csv", groups),
            *self._write_contrasts(folder),
            *save_plot(by, folder / "by_group"),
            *save_plot(models_plot(self.scores, title), folder / "by_model"),
            *(
                self._write_scatter(folder)
                if len(self.line.id_sets) == 1
                else []
            ),
        ]

    def _write_contrasts(self, folder: Path) -> list[Path]:
        if self.contrasts is None:
            return []
        rows = [one.row() for one in self.contrasts.contrasts]
        return [write_csv_rows(folder / "contrasts.csv", rows)]

    def _write_scatter(self, folder: Path) -> list[Path]:
        from aobench.analysis.interactive import scatter_page, write_page
        from aobench.analysis.plots import scatter_plot
        from aobench.drawing import save_plot

        line, records, what = self.line, self.records, self.accuracy
        fit = f"slope {line.coefficients[1]:.3f}, R^2 {line.r2:.3f}"
        images = images_shown(records)
        head = f"ID and OoD {what}" if isinstance(what, str) else self.measured
        title = f"{head}, {images}\n{self.rule}: {fit}"
        figure = scatter_plot(line, records, title, self.column, what)
        note = (
            f"{images}. Baseline: {self.rule}. Fit: {fit}. Hover or tab for figures; click a "
            "training set to hide it."
        )
        page = scatter_page(line, records, self.scores, head, note, what=what)
        return [
            *save_plot(figure, folder / "scatter"),
            write_page(page, folder / "scatter.html"),
        ]
