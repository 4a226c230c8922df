"""Step 4: near-duplicates among the accepted images, and those too near to a reference.

The work is `aobench.duplicates`; this is its place in a build.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aobench.duplicates.comparison import DECISIONS, find_duplicates
from aobench.duplicates.images import open_set
from aobench.duplicates.options import DuplicateOptions
from aobench.duplicates.reasons import summary_lines
from aobench.duplicates.reference import open_reference
from aobench.errors import UserError
from aobench.files import absolute_path, sha256_of
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.generate import TABLE as IMAGES
from aobench.newset.generate import altered_image, refuse_altered
from aobench.newset.manifests import read_rows, step_folder, table_digest
from aobench.newset.step import Build, Step, StepResult
from aobench.newset.validate.step import TABLE as VERDICTS

TABLE = DECISIONS


class DistinctStep(Step):
    """Compares what validate accepted; hashes, embeddings and neighbours of an earlier run are
    used again.
    """

    name = "distinct"

    def __init__(self, build: Build) -> None:
        self.build = build
        self._options = located_options(
            build.config.distinct, build.config_path
        )

    def options(self) -> dict[str, Any]:
        """The part ``distinct`` of the configuration."""
        return {"options": asdict(self.build.config.distinct)}

    def earlier_tables(self) -> dict[str, str]:
        """The images and the verdicts on them."""
        return {
            "images": table_digest(self._images),
            "verdicts": table_digest(self._verdicts),
        }

    def outside_inputs(self) -> dict[str, Any]:
        """The model's weights, the reference's shards, and an index that is a file."""
        inputs: dict[str, Any] = {}
        if self._options.model is not None:
            inputs["weights"] = weights_mark(self._options.model)
        if self._options.reference:
            shards = open_reference(self._options.reference)
            inputs["reference"] = [shard.state for shard in shards]
        index = self._options.index
        if index is not None and Path(index).is_file():
            inputs["index"] = sha256_of(Path(index))
        return inputs

    @property
    def _images(self) -> Path:
        return step_folder(self.build.out, "generate") / IMAGES

    @property
    def _verdicts(self) -> Path:
        return step_folder(self.build.out, "validate") / VERDICTS

    def _accepted(self) -> set[str]:
        rows = read_rows(self._verdicts)
        return {row["image_id"] for row in rows if row["accepted"]}

    def is_whole(self) -> bool:
        """Whether the images that were compared are still there."""
        return altered_image(self.build.out, self._accepted()) is None

    def run(self, made_from: Mapping[str, Any]) -> StepResult:
        """Compare the accepted images."""
        accepted = self._accepted()
        if not accepted:
            raise UserError(
                f"validate accepted no image; {self._verdicts} says why each is left out"
            )
        refuse_altered(self.build.out, accepted)
        images = open_set(self._images, accepted)
        where = step_folder(self.build.out, self.name)
        search = find_duplicates(images, where, self._options)
        return StepResult(search.files, search.facts)

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """How many images stay, and why the others don't."""
        counts = facts["counts"]
        return [
            f"distinct: {counts['kept']:,} of {counts['images']:,} images kept; look at "
            "report.html",
            *summary_lines(counts["removed"]),
        ]


def located_options(
    options: DuplicateOptions, config_path: Path
) -> DuplicateOptions:
    """The options with what lies beside the configuration as absolute paths: model, index and
    reference.
    """

    def beside(name: str) -> str:
        place = str(absolute_path(config_path.parent) / Path(name).expanduser())
        return place if glob.glob(place) else name  # noqa: PTH207

    return replace(
        options,
        model=placed_model(config_path, options.model)
        if options.model
        else None,
        index=beside(options.index) if options.index else options.index,
        reference=tuple(beside(name) for name in options.reference),
    )
