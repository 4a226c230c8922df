"""One model on the same images under several sets of prompt templates: images are embedded once,
and texts for each set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError

if TYPE_CHECKING:
    from aobench.evaluation.data import Source
    from aobench.processes import Together
    from aobench.results.predictions import Predictions


@dataclasses.dataclass(frozen=True)
class TemplateRun:
    """What every set of templates is run with; options as those of `aobench.evaluate`."""

    model: str
    source: Source
    task: str
    embeddings: Path
    limit: int | None = None
    batch_size: int | None = None
    workers: int | None = None
    dtype: str = "float32"

    def opened(
        self, together: Together
    ) -> Callable[[Sequence[str]], Predictions]:
        """Load model and data once; what it gives takes templates and returns the answers under
        their mean classifier.

        Raises UserError for a model without texts, and a task that the data cannot be asked.
        """
        from aobench.evaluation.data import open_splits
        from aobench.evaluation.runner import run
        from aobench.hub import hub_in_one_line

        model = self._loaded(together)
        with hub_in_one_line("the dataset could not be opened"):
            splits = together.main_first(
                lambda: open_splits(self.source, limit=self.limit)
            )
        facts = {
            "model": {"id": model.info.id, "notes": dict(model.info.notes)}
        }

        def answers(templates: Sequence[str]) -> Predictions:
            settings = self._settings(tuple(templates))
            return run(model, splits, settings, together, facts, _refuse)[0]

        return answers

    def _loaded(self, together: Together) -> Any:
        from aobench.hub import hub_in_one_line
        from aobench.models.base import LoadOptions
        from aobench.models.registry import resolve

        with (
            together.as_one(),
            hub_in_one_line(f"the model {self.model!r} could not be loaded"),
        ):
            model = resolve(self.model).load(
                together.device, LoadOptions(self.dtype)
            )
        if not hasattr(model, "encode_texts"):
            raise UserError(
                f"{self.model} reads no prompt templates: it is a classifier, or answers "
                "questions; name a dual encoder"
            )
        return model

    def _settings(self, templates: tuple[str, ...]) -> Any:
        from aobench.evaluation.runner import Settings

        return Settings(
            self.embeddings,
            (self.task,),
            templates,
            self.batch_size,
            self.workers,
        )


def _refuse(line: str) -> None:
    """A task that is left out leaves nothing to look at."""
    raise UserError(line)


def attribute_names(predictions: Predictions) -> list[str]:
    """The attributes of the set that the answers are of."""
    by_split = predictions.lists[predictions.headline]
    return list(next(iter(by_split.values())).attribute_names)


def named_attributes(
    templates: Sequence[str], attributes: Sequence[str]
) -> dict[str, str]:
    """Template -> the first of the ``attributes`` that it names itself, as whole words.

    Example:
        >>> named_attributes(["a black and white photo of a {}.", "a {}."], ["black", "red"])
        {'a black and white photo of a {}.': 'black'}
    """
    answers = {}
    for template in templates:
        words = f" {' '.join(_words(template))} "
        for name in attributes:
            if f" {' '.join(_words(name))} " in words:
                answers[template] = name
                break
    return answers


def _words(text: str) -> list[str]:
    plain = "".join(c if c.isalnum() else " " for c in text.lower())
    return plain.split()
