"""What the experiment of the seed paper writes: figures, tables, verdicts.json and a page that
loads nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from aobench.analysis.effective_groups import FEW
from aobench.analysis.effective_report import in_points
from aobench.analysis.group_contrasts import GroupContrast
from aobench.analysis.model_accuracies import ModelAccuracies, images_shown
from aobench.analysis.paper_questions import GROUPS, QuestionAnswer
from aobench.analysis.paper_verdicts import Verdict
from aobench.csv_tables import write_csv_rows
from aobench.files import write_in_one_move

TITLE = "ImageNet-AO: the paper's claims, one by one"


@dataclass(frozen=True)
class PaperReport:
    """``answers`` to the questions by key, ``verdicts`` on the claims, ``missing`` by model why it
    has no result, ``warnings`` on the data, ``data`` in words.
    """

    answers: Mapping[str, QuestionAnswer]
    verdicts: Sequence[Verdict]
    data: str
    missing: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def text(self) -> str:
        """The verdicts, as they are printed."""
        lines = [f"{TITLE}. {self.data}.", *self.warnings]
        for one in self.verdicts:
            lines.append(f"\n{one.verdict.upper()}: {one.claim}")
            named = (
                ("", one.evidence),
                ("why: ", one.why),
                ("missing: ", one.missing),
            )
            lines += [
                f"  {word}{item}" for word, items in named for item in items[:6]
            ]
        lost = [f"  {name}: {why}" for name, why in self.missing.items()]
        return "\n".join(
            [*lines, *(["\nModels without a result:", *lost] if lost else [])]
        )

    def write(self, folder: Path) -> list[Path]:
        """Everything into ``folder``; returns the paths, the page first."""
        folder.mkdir(
            parents=True, exist_ok=True
        )  # there may be no figure to make it
        figures = {key: _figure(answer) for key, answer in self.answers.items()}
        written = [
            path for figure in figures.values() for path in figure.save(folder)
        ]
        for key, answer in self.answers.items():
            written += _tables(answer, folder, key)
        content = {
            "data": self.data,
            "warnings": list(self.warnings),
            "missing": dict(self.missing),
            "verdicts": [one.row() for one in self.verdicts],
        }
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        drawn = {key: figure.svg(folder) for key, figure in figures.items()}
        page = folder / "index.html"
        for path, words in (
            (folder / "verdicts.json", text),
            (page, self._page(drawn)),
        ):
            write_in_one_move(path, words.encode())
            written.append(path)
        return [page, *(path for path in written if path != page)]

    def _page(self, figures: Mapping[str, str]) -> str:
        import jinja2
        from markupsafe import Markup

        source = resources.files("aobench.analysis") / "pages" / "paper.html"
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined
        )
        questions = [
            _shown(answer, Markup(figures[key]))
            for key, answer in self.answers.items()
        ]
        names = {
            r.model for answer in self.answers.values() for r in answer.records
        }
        return environment.from_string(
            source.read_text(encoding="utf-8")
        ).render(
            title=TITLE,
            models=len(names),
            data=self.data,
            warnings=self.warnings,
            verdicts=self.verdicts,
            questions=questions,
            missing=dict(self.missing),
            few=FEW,
        )


@dataclass(frozen=True)
class _Figure:
    """A question's scatter, under its key; None where there is no line."""

    key: str
    plot: Any

    def save(self, folder: Path) -> list[Path]:
        from aobench.drawing import plot_endings, save_plot

        if self.plot is None:
            return []
        # the page has the SVG in it, whichever files are asked for
        endings = dict.fromkeys((".svg", *plot_endings()))
        return save_plot(self.plot, folder / self.key, tuple(endings))

    def svg(self, folder: Path) -> str:
        """The saved picture without what stands before its first mark; its ids under the key, as
        several stand in one page.
        """
        if self.plot is None:
            return ""
        text = (folder / f"{self.key}.svg").read_text(encoding="utf-8")
        text = text[text.index("<svg") :]
        text = re.sub("<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        return re.sub(r'( id="|url\(#|href="#)', rf"\1{self.key}-", text)


def _figure(answer: QuestionAnswer) -> _Figure:
    from aobench.analysis.plots import scatter_plot

    question, line = answer.question, answer.line
    if line is None:
        return _Figure(question.key, None)
    over = " and ".join(GROUPS[key].words for key in question.baseline)
    title = (
        f"{len(answer.records)} models, {images_shown(answer.records)}\nLine over {over}: "
        f"slope {line.coefficients[1]:.3f}, R^2 {line.r2:.3f}"
    )
    what = (question.id_score.label, question.ood_score.label)
    return _Figure(
        question.key, scatter_plot(line, answer.records, title, what=what)
    )


def _tables(answer: QuestionAnswer, folder: Path, key: str) -> list[Path]:
    facts = {record.model: record.facts for record in answer.records}
    rows = [
        {
            "supervision": facts[score.model].get("supervision", ""),
            **score.row(),
        }
        for score in answer.scores
    ]
    contrasts = [
        {"line": name, **one.row()}
        for name, some in (
            ("baseline", answer.contrasts),
            ("check", answer.checks),
        )
        for one in some.values()
    ]
    tables = ((f"{key}_models.csv", rows), (f"{key}_contrasts.csv", contrasts))
    return [
        write_csv_rows(folder / name, some) for name, some in tables if some
    ]


def _shown(answer: QuestionAnswer, figure: str) -> dict[str, Any]:
    question, line = answer.question, answer.line
    over = " and ".join(GROUPS[key].words for key in question.baseline)
    words = f"No line could be fitted over {over}."
    if line is not None:
        slope, (low, high) = line.coefficients[1], line.interval()[:, 1]
        words = (
            f"Line over {over}: {len(line.models)} models in {line.runs} independent runs, "
            f"slope {slope:.3f} [{low:.3f}, {high:.3f}] on the {line.transform} scale, R² "
            f"{line.r2:.3f}."
        )
    return {
        "key": question.key,
        "title": question.words[0].upper() + question.words[1:],
        "id": f"{question.id_score.label}, chance {100 * answer.chances[0]:.2g} %",
        "ood": f"{question.ood_score.label}, chance {100 * answer.chances[1]:.2g} %",
        "line": words,
        "line_known": line is not None,
        "notes": answer.notes,
        "figure": figure,
        "contrasts": _contrast_tables(answer),
        "models": _model_rows(answer),
    }


def _contrast_tables(
    answer: QuestionAnswer,
) -> list[tuple[str, list[dict[str, str]]]]:
    """The contrasts over each line that there is, under the line's name."""
    question = answer.question
    lines = (
        ("line over", question.baseline, answer.contrasts),
        ("check, line over", question.second_baseline, answer.checks),
    )
    return [
        (
            f"{word} {' and '.join(GROUPS[key].words for key in keys)}",
            [_contrast_row(one) for one in contrasts.values()],
        )
        for word, keys, contrasts in lines
        if contrasts
    ]


def _contrast_row(one: GroupContrast) -> dict[str, str]:
    shown = in_points(one.low, one.difference, one.high).strip()
    points, _, interval = shown.partition(" ")
    return {
        "name": f"{one.first} less {one.second}",
        "points": points,
        "interval": interval,
        "odds": f"{one.odds_ratio:.3g}",
        "odds_interval": f"[{one.odds_ratio_low:.3g}, {one.odds_ratio_high:.3g}]",
        "n": "{} and {}".format(*one.n),
        "runs": "{} and {}".format(*one.runs),
        "beyond": "{} and {}".format(*one.extrapolated),
    }


def _model_rows(answer: QuestionAnswer) -> list[dict[str, str]]:
    scores = {score.model: score for score in answer.scores}
    ordered: list[ModelAccuracies] = sorted(
        answer.records, key=lambda r: -scores[r.model].rho if scores else -r.ood
    )
    rows = []
    for r in ordered:
        row = {
            "name": r.model,
            "training": r.training_set,
            "id": f"{100 * r.id:.1f}",
            "ood": f"{100 * r.ood:.1f}",
        }
        if score := scores.get(r.model):
            row["expected"] = f"{100 * score.expected:.1f}"
            shown = in_points(score.rho_low, score.rho, score.rho_high).strip()
            row["points"], _, row["interval"] = shown.partition(" ")
        rows.append(row)
    return rows
