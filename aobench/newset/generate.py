"""Step 2: the images. Each is written once, whole, under a name that says which it is; what is
there isn't remade.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from aobench.errors import UserError
from aobench.files import read_json, write_in_one_move
from aobench.images import BadImageError, read_upright
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.compose import TABLE as COMPOSITIONS
from aobench.newset.compose import image_seed, label
from aobench.newset.config import Generate
from aobench.newset.generators import KINDS, Made, Task, find_generator, make_generator
from aobench.newset.manifests import (
    changes,
    digest,
    folder,
    read_rows,
    write_manifest,
    write_table,
)
from aobench.newset.own_classes import naming
from aobench.newset.pictures_option import pictures_mark, with_pictures

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


def made_from(
    options: Generate, seed: int, out: Path, config_path: Path
) -> dict[str, Any]:
    """What decides the step."""
    return {
        "options": dataclasses.asdict(options),
        "seed": seed,
        **_weights(options, config_path),
        **_pictures(options, config_path),
        "compositions": digest(folder(out, "compose") / COMPOSITIONS),
    }


def _weights(options: Generate, config_path: Path) -> dict[str, str]:
    """The mark of the model's weights; nothing where images are drawn by program."""
    model, revision = (
        placed_model(config_path, options.model),
        options.options.get("revision"),
    )
    own = options.generator not in KINDS and Path(model).is_dir()
    if not own and options.generator != "diffusion":
        return {}
    return {
        "weights": weights_mark(model, revision if isinstance(revision, str) else None)
    }


def _pictures(options: Generate, config_path: Path) -> dict[str, str]:
    """The mark of the user's own pictures, where they are drawn."""
    mark = pictures_mark(
        partial(find_generator, options.generator), options.options, config_path
    )
    return {} if mark is None else {"pictures": mark}


def is_whole(out: Path) -> bool:
    """Whether every image of the table is there, as it was made."""
    where = folder(out, "generate")
    return all(_is_as_made(where, row) for row in read_rows(where / TABLE))


def refuse_altered(out: Path, ids: Collection[str]) -> None:
    """UserError where an image of these ids is gone or no longer as it was made."""
    where = folder(out, "generate")
    for row in read_rows(where / TABLE):
        if row["image_id"] in ids and not _is_as_made(where, row):
            raise UserError(
                f"{where / row['file']} is missing or not the image that was generated; run the "
                "step generate again, "
                "which remakes it: --steps generate"
            )


def _is_as_made(where: Path, row: Mapping[str, Any]) -> bool:
    return (where / row["file"]).is_file() and digest(where / row["file"]) == row[
        "sha256"
    ]


def tasks_of(options: Generate, seed: int, out: Path) -> list[Task]:
    """Every image that the step makes, in order."""
    tasks = []
    kept = [
        row for row in read_rows(folder(out, "compose") / COMPOSITIONS) if row["kept"]
    ]
    if len(kept) * options.images > MOST_IMAGES:
        raise UserError(
            f"generate: images is {options.images:,} of {len(kept):,} compositions each, more than "
            f"{MOST_IMAGES:,} in "
            "all; ask for fewer"
        )
    for row in kept:
        attribute, name = row["attribute"], row["object"]
        for index in range(options.images):
            template = options.prompts[index % len(options.prompts)]
            prompt = template.replace("{attribute}", attribute).replace(
                "{object}", name
            )
            tasks.append(
                Task(
                    f"{label(attribute, name)}/{index}",
                    attribute,
                    name,
                    index,
                    image_seed(seed, attribute, name, index),
                    prompt,
                )
            )
    return tasks


def run(
    options: Generate,
    seed: int,
    out: Path,
    config_path: Path,
    accelerator: Any,
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """Make what is missing, in the batches that an undisturbed run would use, and write
    images.parquet.

    Batches are dealt to the processes of ``accelerator``; its main process writes the table.
    ``made``: what `made_from` gave before the work.
    """
    where = folder(out, "generate")
    tasks = tasks_of(options, seed, out)
    if not tasks:
        raise UserError(
            f"no composition is kept: {folder(out, 'compose') / COMPOSITIONS} says why each fell"
        )
    _same_recipe(made, where)
    size = options.batch_size
    batches = [tasks[start : start + size] for start in range(0, len(tasks), size)]
    missing = _missing(where, tasks)
    waiting = [
        batch for batch in batches if any(task.image_id in missing for task in batch)
    ]
    accelerator.wait_for_everyone()  # all have looked before one writes
    call = with_pictures(
        partial(find_generator, options.generator), options.options, config_path
    )
    generator = make_generator(
        options.generator, placed_model(config_path, options.model), call
    )
    mine = waiting[accelerator.process_index :: accelerator.num_processes]
    for batch in tqdm(mine, desc="generate", unit="batch", disable=None):
        with naming(f"the generator {options.generator!r}"):
            drawn = generator(batch)
        _write_images(_one_each(drawn, batch, options.generator), missing, where)
    accelerator.wait_for_everyone()
    if not accelerator.is_main_process:
        return generator.facts
    rows = [_row(where, task) for task in tasks]
    table = write_table(where / TABLE, rows, SCHEMA)
    broken = sum(bool(row["fault"]) for row in rows)
    flagged = sum(row["flagged"] for row in rows) - broken
    facts = {
        "images": len(rows),
        "flagged": flagged,
        **({"broken": broken} if broken else {}),
        **generator.facts,
    }
    if "model" in facts:
        facts["model"] = (
            options.model
        )  # as the configuration names it, not where it lies
    write_manifest(out, "generate", made, [table], facts)
    return facts


def _same_recipe(made: Mapping[str, Any], where: Path) -> None:
    """UserError where the images that are there were made otherwise; there may be more of them
    now, though.
    """
    given = {key: value for key, value in made.items() if key != "compositions"}
    given["options"] = {
        key: value for key, value in made["options"].items() if key != "images"
    }
    path = where / RECIPE
    where.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_in_one_move(
            path,
            (json.dumps(given, indent=2, sort_keys=True, default=str) + "\n").encode(),
        )
        return
    try:
        then = read_json(path, "the recipe")
    except UserError as error:
        raise UserError(
            f"{error}; delete {where}, whose images nobody can vouch for"
        ) from error
    different = changes(then, given)
    if different:
        raise UserError(
            f"{where} holds images made with {' and '.join(different)}; delete that folder, change "
            "out, or undo that "
            "(a model's earlier state on the Hub: options: {revision: COMMIT})"
        )


def _missing(where: Path, tasks: Sequence[Task]) -> set[str]:
    """Ids of the images that are not there as they were made: by the table's SHA-256, or else by
    what the PNG says.
    """
    try:
        rows = {row["image_id"]: row for row in read_rows(where / TABLE)}
    except UserError:  # there is no table yet, or it is damaged and written anew
        rows = {}

    def whole(task: Task) -> bool:
        row = rows.get(task.image_id)
        if row and (row["prompt"], row["seed"]) == (task.prompt, task.seed):
            return _is_as_made(where, row)
        return _says(where, task)

    return {task.image_id for task in tasks if not whole(task)}


def _says(where: Path, task: Task) -> bool:
    """Whether the file is a whole PNG that says this prompt and seed."""
    try:
        said = read_upright(_path(where, task), ("PNG",)).info
    except BadImageError:
        return False
    return said.get("prompt") == task.prompt and said.get("seed") == str(task.seed)


def _path(where: Path, task: Task) -> Path:
    return where / "images" / f"{task.image_id}.png"


def _one_each(drawn: Any, batch: list[Task], name: str) -> list[tuple[Task, Made]]:
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
        if not isinstance(one, Made) or not isinstance(one.image, Image.Image):
            raise UserError(
                f"the generator {name!r} gave {type(one).__name__}; it is to give Made(a PIL image)"
            )
    return list(zip(batch, drawn, strict=True))


def _write_images(
    drawn: Sequence[tuple[Task, Made]], missing: Collection[str], where: Path
) -> None:
    for task, one in drawn:
        path = _path(where, task)
        if task.image_id in missing:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_in_one_move(path, _png(task, one))


def _png(task: Task, made: Made) -> bytes:
    """The image as PNG, which itself says its prompt, its seed, whether it was flagged, and its
    fault.
    """
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    flagged = str(int(made.flagged or bool(made.fault)))
    said = {"prompt": task.prompt, "seed": str(task.seed), "flagged": flagged}
    for key, value in (said | ({"fault": made.fault} if made.fault else {})).items():
        about.add_itxt(key, value)
    stream = io.BytesIO()
    made.image.convert("RGB").save(stream, format="PNG", pnginfo=about)
    return stream.getvalue()


def _row(where: Path, task: Task) -> dict[str, Any]:
    path = _path(where, task)
    try:
        image = read_upright(path, ("PNG",))
    except BadImageError as error:
        raise UserError(
            f"{path} can't be read ({error}); delete it, and the next run makes it again"
        ) from error
    about = {
        "flagged": image.info.get("flagged") == "1",
        "fault": str(image.info.get("fault", "")),
    }
    return {
        **dataclasses.asdict(task),
        "file": path.relative_to(where).as_posix(),
        "sha256": digest(path),
        "width": image.width,
        "height": image.height,
        **about,
    }
