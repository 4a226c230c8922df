"""What makes an image of a composition: a diffusion pipeline, mini's renderer, or a class of
one's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aobench.errors import UserError
from aobench.extras import need_extra
from aobench.models.weights import one_line
from aobench.newset.own_classes import (
    GENERATORS,
    find_class,
    naming_class,
    refuse_call,
)
from aobench.processes import quiet_bars

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class ImageTask:
    """One image to make. ``image_id``: attribute and object, words joined by _, and the number,
    as red__red_fox/0.
    """

    image_id: str
    attribute: str
    object: str
    index: int
    seed: int
    prompt: str


@dataclass(frozen=True)
class GeneratedImage:
    """An image, and whether a safety checker objected to it (it is black then).

    ``fault``: why it is no picture at all, such as pixels that aren't numbers; empty where it is
    one.
    """

    image: Image.Image
    flagged: bool = False
    fault: str = ""


class Generator(Protocol):
    """Called as ``Generator(model, options)``; ``facts`` goes into the manifest.

    A class with ``own_pictures = True`` takes the option ``pictures``: it gets the folder as an
    absolute path, and the pictures in it are part of what decides the step.
    """

    facts: dict[str, Any]

    def __call__(self, tasks: Sequence[ImageTask]) -> list[GeneratedImage]:
        """An image for each task, in order; the same for the same task."""
        ...


class Renderer:
    """Mini's drawings: 112 x 112, of the attributes that it can paint; quick, and known to be
    right.

    Of mini's objects, or with the option ``pictures`` of those in that folder and no others.
    """

    own_pictures = True

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        from aobench.mini.own_pictures import Objects
        from aobench.mini.render import ATTRIBUTES, MORE_ATTRIBUTES

        unknown = sorted(set(options) - {"pictures"})
        if unknown:
            raise UserError(
                f"the generator 'renderer' has no option {unknown[0]!r}; its only one is pictures"
            )
        self.attributes = (*ATTRIBUTES, *MORE_ATTRIBUTES)
        self.objects = Objects(options.get("pictures"))
        self.facts = {
            "generator": "renderer",
            "attributes": len(self.attributes),
            **self.objects.facts,
        }

    def refuse_unknown(
        self, attributes: Sequence[str], objects: Sequence[str]
    ) -> None:
        """UserError for the first name that can't be drawn."""
        for name in attributes:
            if name not in self.attributes:
                known = ", ".join(sorted(self.attributes))
                raise UserError(
                    f"the renderer can't draw {name!r}; its attributes are: {known}"
                )
        for name in objects:
            if name not in self.objects.names:
                raise UserError(self.objects.unknown(name))

    def __call__(self, tasks: Sequence[ImageTask]) -> list[GeneratedImage]:
        """Draw each."""
        from PIL import Image

        self.refuse_unknown(
            [task.attribute for task in tasks], [task.object for task in tasks]
        )
        draw = self.objects.render
        return [
            GeneratedImage(
                Image.fromarray(draw(task.attribute, task.object, task.seed))
            )
            for task in tasks
        ]


#: Arguments of a pipeline's call that are not the user's: a task's prompt and seed, and one picture
#: a task to write.
OURS = (
    "prompt",
    "generator",
    "latents",
    "num_images_per_prompt",
    "output_type",
    "return_dict",
)


class Diffusion:
    """A text-to-image pipeline of diffusers. Options: dtype, revision, and what the pipeline's
    call takes.
    """

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        import torch
        from accelerate import PartialState

        pipelines = need_extra("diffusers")
        quiet_bars()
        self.call = dict(options)
        dtype, revision = (
            self.call.pop("dtype", "float32"),
            self.call.pop("revision", None),
        )
        if dtype not in ("float32", "float16", "bfloat16"):
            raise UserError(
                f"generate: options: dtype is float32, float16 or bfloat16, not {dtype!r}"
            )
        parts = load_parts(model, revision, getattr(torch, dtype))
        with one_line(model):
            self.pipe = pipelines.AutoPipelineForText2Image.from_pretrained(
                model,
                dtype=getattr(torch, dtype),
                revision=revision,
                use_safetensors=True,
                **parts,
            )
        _check_call(self.pipe, self.call)
        takes = inspect.signature(self.pipe.__call__).parameters
        # Numbers, where the pipeline gives them: a picture can't say that a pixel was none.
        self.output = {"output_type": "np"} if "output_type" in takes else {}
        device = PartialState().device
        self.pipe.to(device)
        self.pipe.set_progress_bar_config(disable=True)
        checker = getattr(self.pipe, "safety_checker", None)
        self.facts = {
            "generator": "diffusion",
            "model": model,
            "revision": revision,
            "pipeline": type(self.pipe).__name__,
            "scheduler": type(self.pipe.scheduler).__name__,
            "dtype": dtype,
            "device": device.type,
            "call": self.call,
            "safety_checker": type(checker).__name__
            if checker is not None
            else None,
        }

    def __call__(self, tasks: Sequence[ImageTask]) -> list[GeneratedImage]:
        """The noise is drawn on the CPU, so that a seed means the same on every device. Halves
        on out-of-memory.
        """
        import torch
        from accelerate.utils.memory import (
            clear_device_cache,
            should_reduce_batch_size,
        )

        noise = [
            torch.Generator("cpu").manual_seed(task.seed) for task in tasks
        ]
        try:
            prompts = [task.prompt for task in tasks]
            output = self.pipe(
                prompt=prompts, generator=noise, **self.call, **self.output
            )
        except (RuntimeError, MemoryError) as error:
            if not (
                isinstance(error, MemoryError)
                or should_reduce_batch_size(error)
            ):
                raise UserError(
                    f"generate: the pipeline fails with these options: {_first_line(error)}"
                ) from error
            if len(tasks) == 1:
                raise UserError(
                    "out of memory with one image; use dtype float16 or a smaller height and width"
                ) from error
            clear_device_cache(garbage_collection=True)
            middle = len(tasks) // 2
            return [*self(tasks[:middle]), *self(tasks[middle:])]
        except (
            TypeError,
            ValueError,
        ) as error:  # what pipelines raise on values of options
            raise UserError(
                f"generate: options: the pipeline refuses them: {_first_line(error)}"
            ) from error
        flags = getattr(output, "nsfw_content_detected", None) or [False] * len(
            tasks
        )
        if len(output.images) != len(tasks) or not all(
            map(_is_picture, output.images)
        ):
            raise UserError(
                f"generate: options {self.call} don't give one picture a prompt; take out what "
                "changes that"
            )
        return [
            _as_made(image, bool(flag))
            for image, flag in zip(output.images, flags, strict=True)
        ]


def _is_picture(output: Any) -> bool:
    """Whether it is a picture, or an array of one: height x width x 1, 3 or 4."""
    shape: tuple[int, ...] = getattr(output, "shape", ())
    return hasattr(output, "save") or (
        len(shape) == 3 and shape[2] in (1, 3, 4)
    )


def _as_made(output: Any, flagged: bool) -> GeneratedImage:
    """A picture of a pipeline's output, numbers of 0 to 1, rounded as diffusers does; a fault is
    named.
    """
    import numpy as np
    from PIL import Image

    fault = ""
    if not hasattr(output, "save"):
        if not np.isfinite(output).all():
            fault = "its pixels are not numbers"
        pixels = (
            (np.nan_to_num(output, nan=0, posinf=0, neginf=0) * 255)
            .round()
            .astype("uint8")
        )
        output = Image.fromarray(
            pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., :3]
        )
    if not (fault or flagged) and all(
        low == high for low, high in _extrema(output)
    ):
        fault = "it is of one colour"
    return GeneratedImage(output, flagged or bool(fault), fault)


def _extrema(image: Image.Image) -> tuple[tuple[float, float], ...]:
    """The least and the greatest value of each channel of the picture in RGB."""
    return image.convert("RGB").getextrema()  # type: ignore[return-value]


def load_parts(model: str, revision: str | None, dtype: Any) -> dict[str, Any]:
    """The networks of a pipeline (U-Net, VAE, text encoders, checkers), each with all its weights.

    Raises:
        UserError: where weights of one are missing, unused, of another shape or no numbers; where a
            tokenizer has no vocabulary, or more of it than its text encoder.
    """
    from diffusers import DiffusionPipeline, ModelMixin
    from transformers import PreTrainedModel

    from aobench.models.checkpoints import library_reads, load_checked
    from aobench.models.tokenizers import load_tokenizer

    parts: dict[str, Any] = {}
    with library_reads(f"the pipeline {model!r}"):
        index = DiffusionPipeline.load_config(model, revision=revision)
    named = {
        name: value
        for name, value in index.items()
        if isinstance(value, list | tuple) and len(value) == 2
    }
    for name, (library, class_name) in named.items():
        kind = _class_of(library, class_name)
        if isinstance(kind, type) and issubclass(
            kind, (ModelMixin, PreTrainedModel)
        ):
            parts[name] = load_checked(
                kind,
                model,
                f"{model}, {name}",
                subfolder=name,
                revision=revision,
                dtype=dtype,
                use_safetensors=True,
            )
    for name in named:
        encoder = parts.get(name.replace("tokenizer", "text_encoder"))
        if name.startswith("tokenizer") and encoder is not None:
            rows = encoder.get_input_embeddings().num_embeddings
            load_tokenizer(
                model,
                f"{model}, {name}",
                rows,
                subfolder=name,
                revision=revision,
            )
    return parts


def _class_of(library: Any, name: Any) -> Any:
    """A class by model_index.json: of diffusers, transformers, or a pipeline of diffusers that
    brings its own.
    """
    import diffusers
    import transformers

    if not library or not name:
        return None  # a part that this pipeline goes without
    known = {"diffusers": diffusers, "transformers": transformers}
    home = known.get(library) or getattr(
        diffusers.pipelines, str(library), None
    )
    return getattr(
        home, str(name), None
    )  # nothing that a file names is imported


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check_call(pipe: Any, call: Mapping[str, Any]) -> None:
    """UserError for an option that the pipeline's call doesn't name, which ``**kwargs`` would
    swallow.
    """
    from aobench.models.registry import did_you_mean

    named = (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    takes = [
        name
        for name, one in inspect.signature(pipe.__call__).parameters.items()
        if one.kind in named
    ]
    for name in call:
        if name in OURS:
            raise UserError(
                f"generate: options: {name} is set by the build; take it out"
            )
        if name not in takes:
            free = [
                "dtype",
                "revision",
                *(one for one in takes if one not in OURS),
            ]
            hint = (
                did_you_mean(str(name), free)
                or f"; there are {', '.join(free)}"
            )
            raise UserError(
                f"generate: options: {type(pipe).__name__} has no option {name!r}{hint}"
            )


#: Kinds and where they are.
KINDS = {
    "renderer": "aobench.newset.generators:Renderer",
    "diffusion": "aobench.newset.generators:Diffusion",
}


def find_generator(name: str) -> Any:
    """The class of 'renderer', 'diffusion', an entry point, or one's own 'package.module:Class'.

    Raises: UserError: where there is none. Whose configuration says the name:
        `own_classes.refuse_code`.
    """
    return find_class(name, KINDS, GENERATORS, "generator")


def make_generator(name: str, model: str, options: dict[str, Any]) -> Generator:
    """A generator of the class that `find_generator` finds. A bug in one's own class shows its
    traceback.
    """
    kind = find_generator(name)
    refuse_call(kind, (model, options), name, "generator", "(model, options)")
    with naming_class(f"the generator {name!r}"):
        generator: Generator = kind(model, options)
    if not isinstance(getattr(generator, "facts", None), dict):
        raise UserError(
            f"{name!r} is no generator: its objects lack the dictionary facts"
        )
    return generator
