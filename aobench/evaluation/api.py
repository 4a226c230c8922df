"""Evaluating models from Python; the command ``imagenet-ao evaluate`` is a thin layer over it."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aobench.errors import UserError, did_you_mean
from aobench.evaluation.data import Source, Split, open_splits

if TYPE_CHECKING:
    import torch

    from aobench.evaluation.listed import ListResults, Workload
    from aobench.evaluation.runner import Settings
    from aobench.models.base import LoadOptions, Model
    from aobench.models.model_lists import ModelList
    from aobench.models.registry import ResolvedModel
    from aobench.results.result import Result

T = TypeVar("T")

#: Configs of the dataset ``imagenet_ao``.
CONFIGS = ("mini", "v2", "folder")

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
    config: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    tasks: str | Sequence[str] | None = None,
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
        data: ``mini`` (bundled); the folder or zip of the published archive; a folder of one's own
            pictures, with ``config="folder"``; a prepared folder; or a dataset's id on the Hub.
        config: the dataset's config, where it has several (default: ``v2``, or the only one of a
            prepared folder).
        data_dir: the archive or pictures, where ``data`` is ``v2`` or ``folder``.
        tasks: what is asked, one or several of ``composition`` (all compositions of both splits),
            ``composition-own`` (each split among its own), ``composition-open`` (every attribute
            with every object), ``object``, ``attribute`` and ``choice`` (1 of 9); default: all but
            ``composition-open``. What the data cannot be asked is left out and said; a supervised
            classifier answers ``object`` whatever is asked.
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
    source = data_source(data, config, data_dir)
    listed = _listed_models(models)
    resolved = [] if listed else _resolve_models(models)
    from aobench.evaluation.runner import Settings
    from aobench.hub import hub_in_one_line
    from aobench.models.base import LoadOptions
    from aobench.processes import process_group, work_main_first
    from aobench.results.paths import check_folders, result_names

    names = listed.names if listed else [one.name for one, _ in resolved]
    folders: list[Path | None] = [None] * len(names)
    if out is not None:
        folders = [Path(out) / name for name in result_names(names)]
        if listed is None:
            check_folders(names, [one for one in folders if one is not None])
    with process_group(cpu) as accelerator, _scratch_folder(accelerator) as scratch:

        def opened() -> list[Split]:
            with hub_in_one_line("the dataset could not be opened"):
                return open_splits(source, limit=limit)

        splits = work_main_first(accelerator, opened)
        kept = embeddings or (None if out is None else Path(out) / "embeddings")
        options = LoadOptions(dtype, compile, attention)
        if listed is not None:
            settings = Settings(
                Path(kept or scratch / "embeddings"),
                chosen,
                prompts,
                batch_size,
                workers,
                shard_size,
                draft,
                on_bad_image,
            )
            run = _Run(source, splits, settings, options, limit, accelerator)
            return _run_list(listed, folders, run, again)
        results = []
        for (one, is_object), folder in zip(resolved, folders, strict=True):
            store = embeddings if is_object else kept
            settings = Settings(
                Path(store or scratch / "embeddings"),
                chosen,
                prompts,
                batch_size,
                workers,
                shard_size,
                draft,
                on_bad_image,
            )
            run = _Run(source, splits, settings, options, limit, accelerator)
            results.append(run.result(one, folder))
    return results


class _Run:
    """What all models of one call share."""

    def __init__(
        self,
        source: Source,
        splits: list[Split],
        settings: Settings,
        options: LoadOptions,
        limit: int | None,
        accelerator: Any,
    ) -> None:
        self.source, self.splits, self.limit = source, splits, limit
        self.settings, self.options = settings, options
        self.accelerator = accelerator

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
        from aobench.processes import value_of_main, work_as_one
        from aobench.results.paths import check_same_model
        from aobench.results.provenance import provenance
        from aobench.results.result import Result
        from aobench.results.scores import all_scores
        from aobench.results.writing import result_content

        began = time.perf_counter()
        with (
            work_as_one(self.accelerator),
            hub_in_one_line(f"the model {resolved.name!r} could not be loaded"),
        ):
            model = resolved.load(self.accelerator.device, self.options)
        load = round(time.perf_counter() - began, 3)
        if folder is not None:
            check_same_model(folder, model.info.id, model.info.revision)
        facts = provenance(
            model,
            self.splits,
            self.source.path or "imagenet_ao",
            self.source.config,
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
            model, self.splits, self.settings, self.accelerator, facts
        )

        def finished() -> dict[str, Any]:
            content = result_content(
                answers,
                all_scores(answers),
                {"load": load, **seconds},
                self.accelerator.num_processes,
                "",
            )
            one = Result(content, answers)
            with contextlib.ExitStack() as stack:
                # in any case, as the result tells the digest of its table
                one.save(folder or stack.enter_context(_temporary_folder()))
            return one.content

        content = value_of_main(self.accelerator, finished)
        return Result(content, answers, folder)

    def listed(
        self, resolved: ResolvedModel, folder: Path | None, facts: dict[str, Any]
    ) -> Result:
        """`result` of a model of a list, checked first: its place, and that it fits the memory."""
        from aobench.evaluation.listed import check_memory, set_damaged_aside
        from aobench.results.paths import check_folders

        def checked() -> None:
            if folder is not None:
                set_damaged_aside(folder)
                check_folders([resolved.name], [folder])
            check_memory(facts, self.options.dtype)

        self.of_main(checked)
        return self.result(resolved, folder, facts)

    def of_main(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in the main process, in all of them."""
        from aobench.processes import value_of_main

        return value_of_main(self.accelerator, work)

    def stored(self, resolved: ResolvedModel, folder: Path | None) -> Result | None:
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
        from aobench.evaluation.listed import Workload
        from aobench.evaluation.stored import names_asked

        names = names_asked(self.splits, self.settings.tasks)
        texts = len(names) * len(self.settings.templates)
        return Workload(sum(len(split) for split in self.splits), texts)


def _listed_models(models: Any) -> ModelList | None:
    """The list that ``models`` is or names; None where it is something else."""
    from aobench.models.model_lists import ModelList, names_model_list, read_model_list

    if isinstance(models, ModelList):
        return models
    if not isinstance(models, str | os.PathLike):
        return None
    text = os.fspath(models)
    return read_model_list(text) if names_model_list(text) else None


def _run_list(
    models: ModelList, folders: Sequence[Path | None], run: _Run, again: bool
) -> ListResults:
    """The results of a list's models, of those that can be had."""
    from aobench.evaluation.listed import (
        ListProgress,
        ListResults,
        resolve_listed,
        with_facts,
    )
    from aobench.hub import hub_in_one_line
    from aobench.models.registry import resolve

    main = run.accelerator.is_main_process
    progress = ListProgress(models, run.workload(), main)

    def looked_up(name: str) -> ResolvedModel:
        with hub_in_one_line(f"the model {name!r} could not be looked up"):
            return resolve(name)

    results = []
    places = dict(zip(models.names, folders, strict=True))
    for one in resolve_listed(models, progress, looked_up):
        folder, facts = places[one.name], models.facts[one.name]
        stored = None if again else run.stored(one, folder)
        result = progress.attempt(
            one.name, partial(run.listed, one, folder, facts), stored
        )
        if result is not None:
            keep = partial(with_facts, result, facts)
            results.append(run.of_main(keep) if stored is not None else result)
    return ListResults(results, progress.missing, progress.again)


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
    **others: Any,
) -> tuple[set[str], Workload, torch.device]:
    """Of a list the models whose result is in ``out``, what goes through each, and the device.

    Opens the data, and neither loads nor looks up a model. Arguments as those of `evaluate`, of
    which ``others`` make no difference here.
    """
    import torch

    from aobench.evaluation.listed import Workload
    from aobench.evaluation.stored import names_asked, stored_result
    from aobench.hub import hub_in_one_line
    from aobench.models.base import LoadOptions
    from aobench.models.registry import ResolvedModel
    from aobench.results.paths import result_names

    prompts, chosen = prompt_templates(templates), _chosen_tasks(tasks)
    with hub_in_one_line("the dataset could not be opened"):
        splits = open_splits(data_source(data), limit=limit)

    def never(*_: Any) -> Any:
        raise NotImplementedError("a model that is only looked for is not loaded")

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
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imagenet-ao-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _scratch_folder(accelerator: Any) -> Iterator[Path]:
    """A folder that all processes of this machine share, until all have left."""
    from aobench.processes import value_of_main

    with contextlib.ExitStack() as stack:
        yield value_of_main(
            accelerator, lambda: stack.enter_context(_temporary_folder())
        )
        accelerator.wait_for_everyone()


def data_source(
    data: str | os.PathLike[str] | Source,
    config: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Source:
    """Which dataset ``data`` names; see `evaluate`. Raises UserError where it names none."""
    if isinstance(data, Source):
        return data
    text = os.fspath(data)
    archive = None if data_dir is None else os.fspath(data_dir)
    if text in CONFIGS:
        if config not in (None, text):
            raise UserError(
                f"data={text!r} and config={config!r} name two datasets: leave one out"
            )
        if text == "mini" and archive is not None:
            raise UserError(
                "data_dir is of the published archive, and mini is drawn: leave one of them out"
            )
        return Source(text, archive)
    if archive is not None:
        raise UserError(
            f"data={text!r} and data_dir={archive!r} name two datasets: leave one of them out"
        )
    path = Path(text).expanduser()
    if path.is_dir() and _is_prepared(path):
        return Source(config or _only_config(path), path=str(path))
    if path.exists():
        return Source(config or "v2", str(path))
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", text) or text.endswith(".zip"):
        raise UserError(
            f"there is no dataset {text!r}{did_you_mean(text, CONFIGS)}; name 'mini', a folder or "
            "zip, or a dataset's id on the Hub, such as your-org/imagenet-ao"
        )
    return Source(config or "v2", path=text)


def _is_prepared(folder: Path) -> bool:
    """Whether it holds Parquet files, as ``imagenet-ao prepare`` writes them, and no pictures."""
    if (folder / "fingerprints.json").exists():
        return True
    return any(any(folder.glob(pattern)) for pattern in ("*.parquet", "*/*.parquet"))


def _only_config(folder: Path) -> str:
    """The config of a prepared folder that has one; ``v2`` where it doesn't say."""
    from aobench.files import read_json

    path = folder / "fingerprints.json"
    if not path.exists():
        return "v2"
    configs = list(read_json(path))
    if len(configs) != 1:
        raise UserError(
            f"{folder} holds the configs {', '.join(configs) or '(none)'}; name one as config"
        )
    return configs[0]


def _resolve_models(models: Any) -> list[tuple[ResolvedModel, bool]]:
    """Each model as something that loads, and whether it is a loaded object."""
    from aobench.hub import hub_in_one_line

    alone = isinstance(models, str | os.PathLike) or hasattr(models, "encode_images")
    several = [models] if alone or not isinstance(models, Sequence) else list(models)
    if not several:
        raise UserError("there are no models to evaluate; name one, such as 'mini'")
    with hub_in_one_line("the models could not be looked up"):
        return [_resolve_model(one) for one in several]


def _resolve_model(model: Any) -> tuple[ResolvedModel, bool]:
    from aobench.models.base import ModelInfo
    from aobench.models.registry import ResolvedModel, resolve

    if isinstance(model, str | os.PathLike):
        return resolve(os.fspath(model)), False
    parts = ("transform", "encode_images")
    missing = [name for name in parts if not callable(getattr(model, name, None))]
    info: Any = getattr(model, "info", None)
    if not isinstance(info, ModelInfo):
        missing.insert(0, "info (a ModelInfo)")
    elif info.names_attributes and not callable(getattr(model, "encode_texts", None)):
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
