"""The runs of one call: what all its models share, and going through a list of models."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aobench.evaluation.listed import (
    ListProgress,
    ListResults,
    Workload,
    check_memory,
    resolve_listed,
    set_damaged_aside,
    with_facts,
)

if TYPE_CHECKING:
    from aobench.evaluation.data import Source, Split
    from aobench.evaluation.runner import Settings
    from aobench.models.base import LoadOptions
    from aobench.models.model_lists import ModelList
    from aobench.models.registry import ResolvedModel
    from aobench.processes import Together
    from aobench.results.result import Result

T = TypeVar("T")


class ModelRuns:
    """What all models of one call share."""

    def __init__(
        self,
        source: Source,
        splits: list[Split],
        settings: Settings,
        options: LoadOptions,
        limit: int | None,
        together: Together,
    ) -> None:
        self.source, self.splits, self.limit = source, splits, limit
        self.settings, self.options = settings, options
        self.together = together
        self.said_lines: set[str] = set()

    def _tell_once(self, line: str) -> None:
        """Print a line that no earlier model of the list had."""
        if line not in self.said_lines:
            self.said_lines.add(line)
            print(line)

    def result(
        self,
        resolved: ResolvedModel,
        folder: Path | None,
        said: dict[str, Any] | None = None,
    ) -> Result:
        """Load a model, run it and, in the main process, write its result to ``folder``.

        ``said``: the facts that a list of models has of it.
        """
        from aobench.evaluation.runner import run
        from aobench.hub import hub_in_one_line
        from aobench.results.paths import check_same_model
        from aobench.results.provenance import provenance
        from aobench.results.result import Result
        from aobench.results.scores import all_scores
        from aobench.results.writing import result_content

        began = time.perf_counter()
        with (
            self.together.as_one(),
            hub_in_one_line(f"the model {resolved.name!r} could not be loaded"),
        ):
            model = resolved.load(self.together.device, self.options)
        load = round(time.perf_counter() - began, 3)
        if folder is not None:
            check_same_model(folder, model.info.id, model.info.revision)
        line = self.splits[0].recognised
        facts = provenance(
            model,
            self.splits,
            self.source.path
            or (
                line.name if line and line.config == "folder" else "imagenet_ao"
            ),
            (line.config if line else self.source.config) or "default",
            self.settings.templates,
            self.limit,
            {
                "draft": self.settings.draft,
                "attention": self.options.attention,
                "compile": self.options.compile,
            },
            said,
        )
        answers, seconds = run(
            model,
            self.splits,
            self.settings,
            self.together,
            facts,
            self._tell_once,
        )

        def finished() -> dict[str, Any]:
            content = result_content(
                answers,
                all_scores(answers),
                {"load": load, **seconds},
                self.together.num_processes,
                "",
            )
            one = Result(content, answers)
            with contextlib.ExitStack() as stack:
                # in any case, as the result tells the digest of its table
                one.save(folder or stack.enter_context(temporary_folder()))
            return one.content

        content = self.together.from_main(finished)
        return Result(content, answers, folder)

    def run_listed(
        self,
        resolved: ResolvedModel,
        folder: Path | None,
        facts: dict[str, Any],
    ) -> Result:
        """`result` of a model of a list, checked first: its place, and that it fits the memory.

        What one process meets all have, so that they go on to the next model together.
        """
        from aobench.results.paths import check_folders

        def checked() -> None:
            if folder is not None:
                set_damaged_aside(folder)
                check_folders([resolved.name], [folder])
            check_memory(facts, self.options.dtype)

        with self.together.as_one():
            self.of_main(checked)
            return self.result(resolved, folder, facts)

    def of_main(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in the main process, in all of them."""
        return self.together.from_main(work)

    def stored(
        self, resolved: ResolvedModel, folder: Path | None
    ) -> Result | None:
        """The model's result in ``folder``, where running it would give the same."""
        from aobench.evaluation.stored import stored_result

        if folder is None:
            return None
        return self.of_main(
            lambda: stored_result(
                resolved,
                folder,
                self.splits,
                self.settings.tasks,
                self.settings.templates,
                self.settings.draft,
                self.options,
            )
        )

    def workload(self) -> Workload:
        """The images, and the texts of all tasks for a model that takes some."""
        from aobench.evaluation.stored import names_asked

        names = names_asked(self.splits, self.settings.tasks)
        texts = len(names) * len(self.settings.templates)
        return Workload(sum(len(split) for split in self.splits), texts)


def run_list(
    models: ModelList,
    folders: Sequence[Path | None],
    run: ModelRuns,
    again: bool,
) -> ListResults:
    """The results of a list's models, of those that can be had."""
    from aobench.hub import hub_in_one_line
    from aobench.models.registry import resolve

    main = run.together.is_main_process
    progress = ListProgress(models, run.workload(), main)

    def looked_up(name: str) -> ResolvedModel:
        with (
            run.together.as_one(),
            hub_in_one_line(f"the model {name!r} could not be looked up"),
        ):
            return resolve(name)

    results = []
    places = dict(zip(models.names, folders, strict=True))
    for one in resolve_listed(models, progress, looked_up):
        folder, facts = places[one.name], models.facts[one.name]
        stored = None if again else run.stored(one, folder)
        result = progress.attempt(
            one.name, partial(run.run_listed, one, folder, facts), stored
        )
        if result is not None:
            keep = partial(with_facts, result, facts)
            results.append(run.of_main(keep) if stored is not None else result)
    return ListResults(results, progress.missing, progress.again)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="imagenet-ao-") as folder:
        yield Path(folder)
