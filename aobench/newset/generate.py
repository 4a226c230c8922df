"""Step 2: the images. Each is written once, whole, under a name that says which it is; what is
there isn't remade.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from aobench.errors import UserError
from aobench.files import read_json, write_in_one_move
from aobench.image_table import read_image_table
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.compose import TABLE as COMPOSITIONS
from aobench.newset.compose import image_seed
from aobench.newset.config import GenerateOptions
from aobench.newset.exclusions import composition_label
from aobench.newset.generators import (
    KINDS,
    GeneratedImage,
    Generator,
    ImageTask,
    find_generator,
    make_generator,
)
from aobench.newset.image_files import (
    image_record,
    is_as_generated,
    says_task,
    write_images,
)
from aobench.newset.manifests import (
    changed_parts,
    read_rows,
    step_folder,
    table_digest,
    write_table,
)
from aobench.newset.own_classes import naming_class
from aobench.newset.pictures_option import pictures_mark, with_pictures
from aobench.newset.step import Build, Step, StepResult

TABLE = "images.parquet"
#: Images that one build makes at most: their list is held in memory.
MOST_IMAGES = 20_000_000
RECIPE = "recipe.json"
SCHEMA = [
    ("image_id", "string"),
    ("attribute", "string"),
    ("object", "string"),
    ("index", "int64"),
    ("seed", "int64"),
    ("prompt", "string"),
    ("file", "string"),
    ("sha256", "string"),
    ("width", "int64"),
    ("height", "int64"),
    ("flagged", "bool"),
    ("fault", "string"),
]
#: Those that a table of images needn't have.
MORE_COLUMNS = (
    "index",
    "seed",
    "prompt",
    "width",
    "height",
    "flagged",
    "fault",
)


class GenerateStep(Step):
    """Makes what is missing, in the batches that an undisturbed run would use, and writes
    images.parquet.

    Batches are dealt to the processes of the build; its main process writes the table.
    """

    name = "generate"
    shared = True

    def __init__(self, build: Build) -> None:
        self.build = build
        self._options = build.config.generate
        self._where = step_folder(build.out, self.name)

    def options(self) -> dict[str, Any]:
        """The part ``generate`` of the configuration, and the seed."""
        return {
            "options": dataclasses.asdict(self._options),
            "seed": self.build.config.seed,
        }

    def earlier_tables(self) -> dict[str, str]:
        """The compositions."""
        path = step_folder(self.build.out, "compose") / COMPOSITIONS
        return {"compositions": table_digest(path)}

    def outside_inputs(self) -> dict[str, Any]:
        """The model's weights, or the user's own pictures, where these are drawn."""
        return {**self._weights(), **self._pictures()}

    def _weights(self) -> dict[str, str]:
        """The mark of the model's weights; nothing where images are drawn by program."""
        options = self._options
        model = placed_model(self.build.config_path, options.model)
        own = options.generator not in KINDS and Path(model).is_dir()
        if not own and options.generator != "diffusion":
            return {}
        revision = options.options.get("revision")
        return {
            "weights": weights_mark(
                model, revision if isinstance(revision, str) else None
            )
        }

    def _pictures(self) -> dict[str, str]:
        kind = partial(find_generator, self._options.generator)
        mark = pictures_mark(
            kind, self._options.options, self.build.config_path
        )
        return {} if mark is None else {"pictures": mark}

    def is_whole(self) -> bool:
        """Whether every image of the table is there, as it was made."""
        records = read_generated(self.build.out)
        return all(is_as_generated(self._where, row) for row in records)

    def run(self, made_from: Mapping[str, Any]) -> StepResult:
        """Make the images that are missing; the main process gives the table."""
        options, processes = self._options, self.build.processes
        tasks = image_tasks(options, self.build.config.seed, self.build.out)
        if not tasks:
            compositions = step_folder(self.build.out, "compose") / COMPOSITIONS
            raise UserError(
                f"no composition is kept: {compositions} says why each is left out"
            )
        _same_recipe(made_from, self._where)
        missing = _missing(self._where, tasks)
        processes.wait_for_everyone()  # all have looked before one writes
        generator = self._generator()
        waiting = [
            batch
            for batch in _batches(tasks, options.batch_size)
            if any(task.image_id in missing for task in batch)
        ]
        mine = waiting[processes.process_index :: processes.num_processes]
        for batch in tqdm(mine, desc="generate", unit="batch", disable=None):
            with naming_class(f"the generator {options.generator!r}"):
                drawn = generator(batch)
            write_images(
                _one_each(drawn, batch, options.generator), missing, self._where
            )
        processes.wait_for_everyone()
        if not processes.is_main_process:
            return StepResult([])
        rows = [image_record(self._where, task) for task in tasks]
        table = write_table(self._where / TABLE, rows, SCHEMA)
        return StepResult([table], self._facts(rows, generator))

    def _generator(self) -> Generator:
        options, config_path = self._options, self.build.config_path
        kind = partial(find_generator, options.generator)
        call = with_pictures(kind, options.options, config_path)
        model = placed_model(config_path, options.model)
        return make_generator(options.generator, model, call)

    def _facts(
        self, rows: Sequence[Mapping[str, Any]], generator: Generator
    ) -> dict[str, Any]:
        broken = sum(bool(row["fault"]) for row in rows)
        facts = {
            "images": len(rows),
            "flagged": sum(row["flagged"] for row in rows) - broken,
            **({"broken": broken} if broken else {}),
            **generator.facts,
        }
        if "model" in facts:  # as the configuration names it, not where it lies
            facts["model"] = self._options.model
        return facts

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """How many images there are, and how many of them are not to be shown."""
        broken = (
            f", {facts['broken']:,} that are no pictures (see fault)"
            if facts.get("broken")
            else ""
        )
        return [
            f"generate: {facts['images']:,} images, {facts['flagged']:,} flagged by a safety "
            f"checker{broken}"
        ]


def read_generated(out: Path) -> list[dict[str, Any]]:
    """The rows of images.parquet, with every column of `SCHEMA`.

    Raises:
        UserError: where the step hasn't run, or the file is damaged.
    """
    path = step_folder(out, "generate") / TABLE
    if not path.exists():
        raise UserError(
            f"{path} is missing; run the step before it first: imagenet-ao build CONFIG"
        )
    try:
        return read_image_table(path, MORE_COLUMNS).records()
    except UserError as error:
        raise UserError(
            f"{error}; delete it, and the step runs again"
        ) from error


def refuse_altered(out: Path, ids: Collection[str]) -> None:
    """UserError where an image of these ids is gone or no longer as it was generated."""
    path = altered_image(out, ids)
    if path is not None:
        raise UserError(
            f"{path} is missing or not the image that was generated; run the step generate again, "
            "which remakes it: --steps generate"
        )


def altered_image(out: Path, ids: Collection[str]) -> Path | None:
    """The first image of these ids that is gone or no longer as it was generated; None if none."""
    where = step_folder(out, "generate")
    return next(
        (
            where / row["file"]
            for row in read_generated(out)
            if row["image_id"] in ids and not is_as_generated(where, row)
        ),
        None,
    )


def image_tasks(
    options: GenerateOptions, seed: int, out: Path
) -> list[ImageTask]:
    """Every image that the step makes, in order."""
    tasks = []
    pairs = [
        row
        for row in read_rows(step_folder(out, "compose") / COMPOSITIONS)
        if row["kept"]
    ]
    if len(pairs) * options.images > MOST_IMAGES:
        raise UserError(
            f"generate: images is {options.images:,} of {len(pairs):,} compositions each, "
            f"more than {MOST_IMAGES:,} in all; ask for fewer"
        )
    for row in pairs:
        attribute, name = row["attribute"], row["object"]
        for index in range(options.images):
            template = options.prompts[index % len(options.prompts)]
            prompt = template.replace("{attribute}", attribute).replace(
                "{object}", name
            )
            tasks.append(
                ImageTask(
                    f"{composition_label(attribute, name)}/{index}",
                    attribute,
                    name,
                    index,
                    image_seed(seed, attribute, name, index),
                    prompt,
                )
            )
    return tasks


def _batches(tasks: Sequence[ImageTask], size: int) -> list[list[ImageTask]]:
    return [
        list(tasks[start : start + size])
        for start in range(0, len(tasks), size)
    ]


def _same_recipe(made_from: Mapping[str, Any], where: Path) -> None:
    """UserError where the images that are there were made otherwise; there may be more of them
    now, though.
    """
    recipe = {
        key: value for key, value in made_from.items() if key != "compositions"
    }
    recipe["options"] = {
        key: value
        for key, value in made_from["options"].items()
        if key != "images"
    }
    path = where / RECIPE
    where.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_in_one_move(
            path,
            (
                json.dumps(recipe, indent=2, sort_keys=True, default=str) + "\n"
            ).encode(),
        )
        return
    try:
        then = read_json(path, "the recipe")
    except UserError as error:
        raise UserError(
            f"{error}; delete {where}, whose images nobody can vouch for"
        ) from error
    different = changed_parts(then, recipe)
    if different:
        raise UserError(
            f"{where} holds images made with {' and '.join(different)}; delete that folder, change "
            "out, or undo that "
            "(a model's earlier state on the Hub: options: {revision: COMMIT})"
        )


def _missing(where: Path, tasks: Sequence[ImageTask]) -> set[str]:
    """Ids of the images that are not there as they were made: by the table's SHA-256, or else by
    what the PNG says.
    """
    try:
        rows = {row["image_id"]: row for row in read_generated(where.parent)}
    except (
        UserError
    ):  # there is no table yet, or it is damaged and written anew
        rows = {}

    def whole(task: ImageTask) -> bool:
        row = rows.get(task.image_id)
        if row and (row["prompt"], row["seed"]) == (task.prompt, task.seed):
            return is_as_generated(where, row)
        return says_task(where, task)

    return {task.image_id for task in tasks if not whole(task)}


def _one_each(
    drawn: Any, batch: list[ImageTask], name: str
) -> list[tuple[ImageTask, GeneratedImage]]:
    """Each task with its image. UserError where a generator of one's own gave anything else."""
    from PIL import Image

    if not isinstance(drawn, list | tuple) or len(drawn) != len(batch):
        many = (
            f"{len(drawn)} images"
            if isinstance(drawn, list | tuple)
            else f"a {type(drawn).__name__}"
        )
        raise UserError(
            f"the generator {name!r} gave {many} for {len(batch)} tasks; it is to give a list, one "
            "a task"
        )
    for one in drawn:
        if not isinstance(one, GeneratedImage) or not isinstance(
            one.image, Image.Image
        ):
            raise UserError(
                f"the generator {name!r} gave {type(one).__name__}; it is to give "
                "GeneratedImage(a PIL image)"
            )
    return list(zip(batch, drawn, strict=True))
