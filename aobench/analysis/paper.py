"""The seed paper's experiment in one call: every model of a list, two questions, a verdict on each
claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compositional_ood.compositional_ood import DRAWS

from aobench.analysis.paper_page import PaperReport
from aobench.analysis.paper_questions import QUESTIONS, answer_question
from aobench.analysis.paper_verdicts import lost_models, reach_verdicts
from aobench.errors import UserError
from aobench.models.model_lists import ModelList, read_model_list
from aobench.results.comparability import trial
from aobench.results.paths import RESULTS, result_file, result_places
from aobench.results.results_json import read_results_json

#: What every model is asked.
TASKS = ("object", "composition-own")
#: Columns of a list without which the claims' groups are empty.
GROUP_COLUMNS = ("training_images", "supervision")


@dataclass(frozen=True)
class PaperPlan:
    """What is to be run: a list of models, the data as `aobench.evaluate` takes it, a folder and
    options of `aobench.evaluate`.
    """

    out: Path
    data: Mapping[str, Any]
    models: ModelList = field(default_factory=lambda: read_model_list("paper"))
    options: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False

    @property
    def results(self) -> Path:
        """The folder of the results, one folder a model."""
        return self.out / "results"


def check_paper_list(models: ModelList) -> None:
    """Raise UserError for a list of models that lacks what the claims group by."""
    for column in GROUP_COLUMNS:
        lacking = [one.name for one in models if column not in one.facts]
        if lacking:
            raise UserError(
                f"the list of models {models.source} has no {column} for {lacking[0]}"
                f"{f' and {len(lacking) - 1} more' if len(lacking) > 1 else ''}; the claims are of "
                "groups by it: fill the column in"
            )


def run_paper(plan: PaperPlan) -> PaperReport:
    """Evaluate the models whose result is not there yet, and hold the claims against all results.

    Raises UserError where no model has a result, and for bad data and options, as
    `aobench.evaluate` does.
    """
    from aobench.evaluation.api import evaluate

    check_paper_list(plan.models)
    results = evaluate(
        plan.models,
        **plan.data,
        tasks=TASKS,
        out=plan.results,
        again=plan.again,
        **plan.options,
    )
    missing: dict[str, str] = getattr(results, "missing", {})
    if not results:
        first = next(iter(missing))
        raise UserError(
            f"no model of the list could be evaluated; the first, {first}: {missing[first]}"
        )
    folders = [result.folder for result in results if result.folder is not None]
    return paper_report(folders, missing, plan.models)


def paper_report(
    paths: Sequence[str | Path],
    missing: Mapping[str, str] | None = None,
    models: ModelList | None = None,
    draws: int = DRAWS,
) -> PaperReport:
    """The claims held against results that are there; their facts are those that they carry.

    Args:
        paths: folders of results of the tasks ``object`` and ``composition-own``.
        missing: by model of a list why it has no result.
        models: that list, which tells the claims that a missing model concerns.
        draws: of the bootstrap of each line.

    Raises:
        UserError: where there are no results, or one is not what it says.
    """
    if not paths:
        raise UserError("there are no results; name folders that a run wrote")
    places = result_places(paths)
    answers = {
        one.key: answer_question(one, places, draws) for one in QUESTIONS
    }
    contents = [
        read_results_json(result_file(path, RESULTS)) for path in places
    ]
    warnings = _data_warnings(contents)
    verdicts = reach_verdicts(answers, lost_models(missing or {}, models))
    return PaperReport(
        answers, verdicts, _data_words(contents), dict(missing or {}), warnings
    )


def _data_words(contents: Sequence[Mapping[str, Any]]) -> str:
    """``imagenet_ao mini: 4,180 id and 4,400 ood images``, of the first result."""
    data = contents[0]["dataset"]
    name = " ".join(dict.fromkeys((str(data.get("name", "")), data["config"])))
    sizes = " and ".join(
        f"{facts['n']:,} {split}"
        for split, facts in sorted(data["splits"].items())
    )
    return f"{name}: {sizes} images"


def _data_warnings(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the verdicts are not of the published set as a whole."""
    warnings = []
    configs = sorted({content["dataset"]["config"] for content in contents})
    if configs != ["v2"]:
        warnings.append(
            f"This is not the published ImageNet-AO but {', '.join(configs)}: the verdicts are of "
            "the claims on these pictures, and say nothing of the paper's."
        )
    if said := {trial(dict(content)) for content in contents} - {""}:
        warnings.append(f"A {said.pop()}: not a result on the whole set.")
    return warnings
