"""Evaluating models from Python; the command ``imagenet-ao evaluate`` is a thin layer over it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError, did_you_mean
from aobench.evaluation.data import Source, Split, open_splits
from aobench.evaluation.own_questions import read_own_questions
from aobench.evaluation.sources import data_source

if TYPE_CHECKING:
    import torch

    from aobench.evaluation.listed import Workload
    from aobench.evaluation.model_runs import ModelRuns
    from aobench.models.base import Model
    from aobench.models.model_lists import ModelList
    from aobench.models.registry import ResolvedModel
    from aobench.processes import Together
    from aobench.results.result import Result

#: The least and the most of each number: beyond it stands a slip of the hand.
BOUNDS = {
    "batch_size": (1, 65_536),
    "limit": (1, 1 << 40),
    "shard_size": (1, 1_000_000),
    "draft": (1, 100_000),
    "workers": (0, 1024),
}


def evaluate(
    models: str | os.PathLike[str] | Model | ModelList | Sequence[Any],
    data: str | os.PathLike[str] | Source = "mini",
    *,
    id_data: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    columns: str | Mapping[str, str] | None = None,
    attributes: str | os.PathLike[str] | None = None,
    objects: str | os.PathLike[str] | None = None,
    tasks: str | Sequence[str] | None = None,
    questions: str | os.PathLike[str] | None = None,
    templates: str | os.PathLike[str] | Sequence[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    embeddings: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    shard_size: int = 256,
    workers: int | None = None,
    dtype: str = "float32",
    compile: bool = False,
    attention: str | None = None,
    draft: int | None = None,
    limit: int | None = None,
    on_bad_image: str = "count",
    cpu: bool = False,
    again: bool = False,
) -> list[Result]:
    """Evaluate models on a dataset: how often they name what an image shows.

    Runs in a notebook, in a script, or in every process that torchrun started; then each process
    gets all results, and the main one writes them.

    Args:
        models: one or several: Hub ids, folders, ``mini`` (the bundled model), ``timm:NAME``,
            ``open_clip:ARCHITECTURE/TAG``, or loaded objects of the protocol in
            `aobench.models.base`. Or a list of models: a CSV file, ``paper``, or what
            `read_model_list` gives. Of a list, a model that can't be had is named on stderr and
            the run goes on; one whose result of the same settings is in ``out`` is not run again.
        data: ``mini`` (bundled); the folder or zip of the published archive, or ``v2``, which
            fetches it; one's own pictures in a layout of `aobench.layouts`; a prepared folder or
            a dataset's id on the Hub, with ``:CONFIG`` where it has several. What it was taken for
            stands in the result, under ``content["dataset"]["recognised"]``.
        id_data: pictures of ImageNet, which are the split ``id`` then: folders of wnids, the flat
            validation set with its ground truth, its tar, Parquet with labels, or a Hub id.
            The task ``object`` asks for all 1,000 classes on both splits.
        layout: the layout of one's own pictures, or ``published``, where two would do.
        columns: what a list or a Hub dataset calls its columns, such as
            ``{"image": "img", "attribute": "state"}``.
        attributes: text file of the attributes of one's own pictures, one a line.
        objects: likewise of the objects.
        tasks: what is asked, one or several of ``composition`` (all compositions of both splits),
            ``composition-own`` (each split among its own), ``composition-open`` (every attribute
            with every object), ``object``, ``attribute``, ``choice`` (1 of 9) and ``choice-object``
            (the objects of these nine; asked with ``choice``, too); default: all but
            ``composition-open``. What the data cannot be asked is left out and said; a supervised
            classifier answers ``object`` whatever is asked, and ``choice-object`` with ``choice``.
        questions: a CSV, JSON or Parquet file of questions of one's own for ``choice``: what each
            image is offered, and the answer (`aobench.evaluation.own_questions`). Images that it
            doesn't name are left out, of all tasks; default: the task's own nine.
        templates: prompt templates with ``{}`` for the name, or a text file of them (default:
            OpenAI's 80).
        out: folder for the results, one folder a model; None: nothing is stored.
        embeddings: folder of embeddings that later runs use again (default: ``OUT/embeddings``). A
            loaded object's are kept only where this is given, as its ``info.revision`` alone tells
            its weights from others'.
        batch_size: images at once (default: 256 on a GPU, 32 on a processor; halved if need be).
        shard_size: images in a file of embeddings.
        workers: processes that decode images (default: by the cores; on a processor, threads do).
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        compile: run the image tower through torch.compile.
        attention: transformers' ``attn_implementation``.
        draft: decode JPEGs at a smaller scale, no side below so many pixels.
        limit: only so many images of each split, spread evenly; for trying out.
        on_bad_image: ``count`` (as wrong) or ``stop``.
        cpu: use the processor even where there is a GPU.
        again: run the models of a list anew, too, whose result is there.

    Returns:
        A `Result` for each model, in their order. For a list a `ListResults`, whose ``missing``
        says by model why it has none.

    Raises:
        UserError: for a model, dataset or option that is of no use; it says how to mend it.
        SystemExit: with several processes, in all of them where one fails; it is told once.

    Example:
        >>> import aobench
        >>> prompts = ["a photo of a {}."]
        >>> results = aobench.evaluate("mini", "mini", limit=24, templates=prompts, out="results")
        >>> results[0].scores["composition"]["splits"]["ood"]["n"]
        24
    """
    check_numbers(
        batch_size=batch_size,
        limit=limit,
        shard_size=shard_size,
        draft=draft,
        workers=workers,
    )
    _check_choice("dtype", dtype, ("float32", "bfloat16", "float16"))
    _check_choice("on_bad_image", on_bad_image, ("count", "stop"))
    chosen = _chosen_tasks(tasks)
    prompts = prompt_templates(templates)
    source = data_source(
        data,
        id_data=id_data,
        layout=layout,
        columns=columns,
        attributes=attributes,
        objects=objects,
    )
    own = (
        None if questions is None else read_own_questions(os.fspath(questions))
    )
    rows = _listed_models(models)
    resolved = [] if rows else _resolve_models(models)
    from aobench.evaluation.model_runs import ModelRuns, run_list
    from aobench.evaluation.runner import Settings
    from aobench.hub import hub_in_one_line
    from aobench.models.base import LoadOptions
    from aobench.processes import process_group, quiet_bars
    from aobench.results.paths import check_folders, result_names

    names = rows.names if rows else [one.name for one, _ in resolved]
    folders: list[Path | None] = [None] * len(names)
    if out is not None:
        folders = [Path(out) / name for name in result_names(names)]
        if rows is None:
            check_folders(names, [one for one in folders if one is not None])
    quiet_bars()
    with (
        process_group(cpu) as together,
        _folders_alone(together, folders),
        _scratch_folder(together) as scratch,
    ):

        def opened() -> list[Split]:
            with hub_in_one_line("the dataset could not be opened"):
                return open_splits(source, limit=limit, own=own)

        splits = together.main_first(opened)
        recognised = splits[0].recognised
        if together.is_main_process and recognised is not None and source.shown:
            print("\n".join(recognised.lines()))
        shared = embeddings or (
            None if out is None else Path(out) / "embeddings"
        )
        options = LoadOptions(dtype, compile, attention)

        def runs_with(store: Any, place: int = 0) -> ModelRuns:
            # of objects nothing tells that two have one's weights: each has a folder of its own
            settings = Settings(
                Path(store or scratch / "embeddings" / str(place)),
                chosen,
                prompts,
                batch_size,
                workers,
                shard_size,
                draft,
                on_bad_image,
            )
            return ModelRuns(source, splits, settings, options, limit, together)

        if rows is not None:
            return run_list(rows, folders, runs_with(shared), again)
        results = []
        pairs = zip(resolved, folders, strict=True)
        for place, ((one, is_object), folder) in enumerate(pairs):
            runs = runs_with(embeddings if is_object else shared, place)
            results.append(runs.result(one, folder))
    return results


def _listed_models(models: Any) -> ModelList | None:
    """The list that ``models`` is or names; None where it is something else."""
    from aobench.models.model_lists import (
        ModelList,
        names_model_list,
        read_model_list,
    )

    if isinstance(models, ModelList):
        return models
    if not isinstance(models, str | os.PathLike):
        return None
    text = os.fspath(models)
    return read_model_list(text) if names_model_list(text) else None


def stored_models(
    models: ModelList,
    data: str | os.PathLike[str] | Source = "mini",
    *,
    out: Path,
    tasks: Sequence[str],
    templates: Any = None,
    limit: int | None = None,
    dtype: str = "float32",
    cpu: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    **reading: Any,
) -> tuple[set[str], Workload, torch.device]:
    """Of a list the models whose result is in ``out``, what goes through each, and the device.

    Opens the data, and neither loads nor looks up a model. Arguments as those of `evaluate`;
    ``reading`` says how to read the data.
    """
    import torch

    from aobench.evaluation.listed import Workload
    from aobench.evaluation.stored import names_asked, stored_result
    from aobench.hub import hub_in_one_line
    from aobench.models.base import LoadOptions
    from aobench.models.registry import ResolvedModel
    from aobench.results.paths import result_names

    check_numbers(batch_size=batch_size, limit=limit, workers=workers)
    prompts, chosen = prompt_templates(templates), _chosen_tasks(tasks)
    with hub_in_one_line("the dataset could not be opened"):
        splits = open_splits(data_source(data, **reading), limit=limit)

    def never(*_: Any) -> Any:
        raise NotImplementedError(
            "a model that is only looked for is not loaded"
        )

    folders = zip(models.names, result_names(models.names), strict=True)
    there = {
        name
        for name, folder in folders
        if stored_result(
            ResolvedModel(name, never),
            out / folder,
            splits,
            chosen,
            prompts,
            None,
            LoadOptions(dtype),
        )
    }
    texts = len(names_asked(splits, chosen)) * len(prompts)
    images = sum(len(split) for split in splits)
    gpu = torch.cuda.is_available() and not cpu
    device = torch.device("cuda" if gpu else "cpu")
    return there, Workload(images, texts), device


@contextlib.contextmanager
def _scratch_folder(together: Together) -> Iterator[Path]:
    """A folder that all processes of this machine share, until all have left."""
    from aobench.evaluation.model_runs import temporary_folder

    with contextlib.ExitStack() as stack:
        yield together.from_main(
            lambda: stack.enter_context(temporary_folder())
        )
        together.wait_for_everyone()


@contextlib.contextmanager
def _folders_alone(
    together: Together, folders: Sequence[Path | None]
) -> Iterator[None]:
    """No other run writes a result to one of ``folders`` meanwhile. Raises UserError."""
    from aobench.files import alone_in

    with contextlib.ExitStack() as stack:

        def locked() -> None:
            for folder in folders:
                if folder is not None:
                    stack.enter_context(alone_in(folder))

        together.from_main(locked)
        yield


def _resolve_models(models: Any) -> list[tuple[ResolvedModel, bool]]:
    """Each model as something that loads, and whether it is a loaded object."""
    from aobench.hub import hub_in_one_line

    alone = isinstance(models, str | os.PathLike) or hasattr(
        models, "encode_images"
    )
    several = (
        [models] if alone or not isinstance(models, Sequence) else list(models)
    )
    if not several:
        raise UserError(
            "there are no models to evaluate; name one, such as 'mini'"
        )
    with hub_in_one_line("the models could not be looked up"):
        return [_resolve_model(one) for one in several]


def _resolve_model(model: Any) -> tuple[ResolvedModel, bool]:
    from aobench.models.base import ModelInfo
    from aobench.models.registry import ResolvedModel, resolve

    if isinstance(model, str | os.PathLike):
        return resolve(os.fspath(model)), False
    parts = ("transform", "encode_images")
    missing = [
        name for name in parts if not callable(getattr(model, name, None))
    ]
    info: Any = getattr(model, "info", None)
    if not isinstance(info, ModelInfo):
        missing.insert(0, "info (a ModelInfo)")
    elif info.names_attributes and not callable(
        getattr(model, "encode_texts", None)
    ):
        missing.append("encode_texts")
    if missing:
        raise UserError(
            f"the {type(model).__name__} is not a model as aobench/models/base.py describes it: it "
            f"lacks {', '.join(missing)}; name a Hub id, or the folder that its save_pretrained "
            "wrote"
        )

    def tried(*_: Any) -> Any:
        from aobench.models.trial import try_once

        try_once(model, info.id)
        return model

    return ResolvedModel(info.id, tried), True


def _chosen_tasks(tasks: str | Sequence[str] | None) -> tuple[str, ...]:
    """The tasks by name. Raises UserError for an unknown one."""
    from aobench.results.tasks import DEFAULT_TASKS, choose_tasks

    if tasks is None:
        return DEFAULT_TASKS
    return choose_tasks([tasks] if isinstance(tasks, str) else list(tasks))


def prompt_templates(
    templates: str | os.PathLike[str] | Sequence[str] | None,
) -> tuple[str, ...]:
    """The prompt templates that ``templates`` names; see `evaluate`. Raises UserError."""
    from aobench.vocabulary.templates import OPENAI_80, SLOT, read_templates

    if templates is None:
        return OPENAI_80
    if isinstance(templates, str) and SLOT in templates:
        templates = [templates]
    if isinstance(templates, str | os.PathLike):
        return read_templates(os.fspath(templates))
    templates = list(templates)
    for number, one in enumerate(templates, start=1):
        if not isinstance(one, str) or one.count(SLOT) != 1:
            raise UserError(
                f"template {number} is {one!r}; a template is a text that holds {SLOT} exactly "
                "once, where the name goes"
            )
    if not templates:
        raise UserError(
            f"there are no templates; give one, such as: a photo of a {SLOT}."
        )
    return tuple(templates)


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UserError(
            f"{name} is {value!r}{did_you_mean(str(value), choices)}; choose one of "
            f"{', '.join(choices)}"
        )


def check_numbers(**numbers: Any) -> None:
    """UserError for numbers out of all reason; named as Python and as the command do."""
    for name, value in numbers.items():
        least, most = BOUNDS[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and least <= value <= most):
            raise UserError(
                f"{name} (--{name.replace('_', '-')}) is {str(value)[:40]}; it takes a whole "
                f"number from {least} to {most:,}"
            )
