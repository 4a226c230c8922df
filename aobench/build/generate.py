"""Step 2: the images. Each is written once, whole, under a name that says which it is; what is there isn't remade."""

from __future__ import annotations

import dataclasses
import io
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from aobench.build.compose import TABLE as COMPOSITIONS
from aobench.build.compose import image_seed
from aobench.build.config import Generate
from aobench.build.generators import Generator, Made, Task, find_generator, make_generator
from aobench.build.pictures import pictures_mark, with_pictures
from aobench.build.steps import digest, folder, read_rows, write_manifest, write_table
from aobench.errors import UserError
from aobench.evaluation.store import write_in_one_move

TABLE = "images.parquet"
RECIPE = "recipe.json"
SCHEMA = [("image_id", "string"), ("attribute", "string"), ("object", "string"), ("index", "int64"), ("seed", "int64"),
          ("prompt", "string"), ("file", "string"), ("sha256", "string"), ("width", "int64"), ("height", "int64"),
          ("flagged", "bool")]  # fmt: skip


def made_from(options: Generate, seed: int, out: Path, config_path: Path) -> dict[str, Any]:
    """What decides the step."""
    return {"options": dataclasses.asdict(options), "seed": seed, **_pictures(options, config_path),
            "compositions": digest(folder(out, "compose") / COMPOSITIONS)}  # fmt: skip


def _pictures(options: Generate, config_path: Path) -> dict[str, str]:
    """The mark of the user's own pictures, where they are drawn."""
    mark = pictures_mark(partial(find_generator, options.generator), options.options, config_path)
    return {} if mark is None else {"pictures": mark}


def is_whole(out: Path) -> bool:
    """Whether every image of the table is there."""
    where = folder(out, "generate")
    return all((where / row["file"]).exists() for row in read_rows(where / TABLE))


def tasks_of(options: Generate, seed: int, out: Path) -> list[Task]:
    """Every image that the step makes, in order."""
    tasks = []
    for row in read_rows(folder(out, "compose") / COMPOSITIONS):
        if not row["kept"]:
            continue
        attribute, name = row["attribute"], row["object"]
        label = f"{attribute}__{name}".replace(" ", "_")
        if "/" in label or "\\" in label or label.startswith("."):
            raise UserError(f"the composition {attribute!r} {name!r} can't be a file name; take it out of the lists")
        for index in range(options.images):
            template = options.prompts[index % len(options.prompts)]
            prompt = template.replace("{attribute}", attribute).replace("{object}", name)
            tasks.append(Task(f"{label}/{index}", attribute, name, index,
                              image_seed(seed, attribute, name, index), prompt))  # fmt: skip
    return tasks


def run(options: Generate, seed: int, out: Path, config_path: Path, accelerator: Any) -> dict[str, Any]:
    """Make what is missing, in the batches that an undisturbed run would use, and write images.parquet.

    Batches are dealt to the processes of ``accelerator``; its main process writes the table.
    """
    where = folder(out, "generate")
    tasks = tasks_of(options, seed, out)
    _same_recipe({**dataclasses.asdict(options), "seed": seed, **_pictures(options, config_path)}, where)
    size = options.batch_size
    batches = [tasks[start : start + size] for start in range(0, len(tasks), size)]
    waiting = [batch for batch in batches if not all(_path(where, task).exists() for task in batch)]
    accelerator.wait_for_everyone()  # all have looked before one writes
    placed = with_pictures(partial(find_generator, options.generator), options.options, config_path)
    generator = make_generator(options.generator, options.model, placed)
    mine = waiting[accelerator.process_index :: accelerator.num_processes]
    for batch in tqdm(mine, desc="generate", unit="batch", disable=None):
        _make(generator, batch, where)
    accelerator.wait_for_everyone()
    if not accelerator.is_main_process:
        return generator.facts
    rows = [_row(where, task) for task in tasks]
    table = write_table(where / TABLE, rows, SCHEMA)
    facts = {"images": len(rows), "flagged": sum(row["flagged"] for row in rows), **generator.facts}
    write_manifest(out, "generate", made_from(options, seed, out, config_path), [table], facts)
    return facts


def _same_recipe(given: dict[str, Any], where: Path) -> None:
    """UserError where the images that are there were made otherwise; more of them may be ``given``, though."""
    import json

    del given["images"]
    text = json.dumps(given, indent=2, sort_keys=True, default=str) + "\n"
    path = where / RECIPE
    where.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        other = "other options, other pictures or another seed"
        raise UserError(f"{where} holds images made with {other}; delete that folder or change out")
    if not path.exists():
        write_in_one_move(path, text.encode())


def _path(where: Path, task: Task) -> Path:
    return where / "images" / f"{task.image_id}.png"


def _make(generator: Generator, batch: list[Task], where: Path) -> None:
    made = generator(batch)
    if len(made) != len(batch):
        raise UserError(f"the generator gave {len(made)} images for {len(batch)} tasks")
    for task, one in zip(batch, made, strict=True):
        path = _path(where, task)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_in_one_move(path, _png(task, one))


def _png(task: Task, made: Made) -> bytes:
    """The image as PNG, which itself says its prompt, its seed and whether a safety checker objected."""
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    for key, value in (("prompt", task.prompt), ("seed", str(task.seed)), ("flagged", str(int(made.flagged)))):
        about.add_itxt(key, value)
    stream = io.BytesIO()
    made.image.convert("RGB").save(stream, format="PNG", pnginfo=about)
    return stream.getvalue()


def _row(where: Path, task: Task) -> dict[str, Any]:
    from PIL import Image

    path = _path(where, task)
    try:
        with Image.open(path) as image:
            image.load()
            width, height = image.size
            flagged = image.info.get("flagged") == "1"
    except OSError as error:
        raise UserError(f"{path} can't be read ({error}); delete it, and the next run makes it again") from error
    return {**dataclasses.asdict(task), "file": path.relative_to(where).as_posix(), "sha256": digest(path),
            "width": width, "height": height, "flagged": flagged}  # fmt: skip
