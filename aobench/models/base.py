"""The interface that every kind of model offers to the runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aobench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

#: Files that hold an adapter's weights or say what it adapts.
ADAPTERS = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter_model.bin",
)

#: What libraries raise on a folder whose files are missing, damaged, or belie each other; by name
#: those that can't be named without importing their library.
BAD_FILES = (
    OSError,
    ValueError,
    ImportError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    AssertionError,
    ArithmeticError,
)
BAD_FILES_BY_NAME = {"SafetensorError", "StrictDataclassError"}

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class LoadOptions:
    """How a model is to run: its dtype, torch.compile, and transformers'
    ``attn_implementation``.
    """

    dtype: str = "float32"
    compile: bool = False
    attention: str | None = None


@dataclass(frozen=True)
class ModelInfo:
    """What made the embeddings: written into results.json as it is.

    ``parameters``: what `aobench.models.parameters.count_parameters` counts; None where the kind
    has no torch module.
    """

    id: str
    kind: str
    revision: str
    processor: str
    dtype: str
    device: str
    names_attributes: bool
    notes: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, int] | None = None

    def as_facts(self) -> dict[str, Any]:
        """As results.json has it: without what is not known."""
        facts = asdict(self)
        if self.parameters is None:
            del facts["parameters"]
        return facts


class ImageTransform(Protocol):
    """From an RGB image to what the model takes, in two steps."""

    identity: str
    """Hexadecimal digest: transforms of one identity give the same pixels."""

    def __call__(self, image: Image.Image) -> dict[str, np.ndarray]:
        """Arrays of one image, by name; runs in a worker process, so the transform can be
        pickled.
        """
        ...

    def inputs(
        self,
        batch: Mapping[str, torch.Tensor],
        device: torch.device,
        dtype: torch.dtype,
    ) -> dict[str, Any]:
        """The model's keyword arguments, on ``device``, from stacked arrays."""
        ...


class Model(Protocol):
    """What the runner needs of any model: a transform, and a vector for each image."""

    info: ModelInfo
    transform: ImageTransform

    def encode_images(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 N x D on the model's device, of the stacked arrays of ``transform``.

        For a dual encoder unit-length embeddings; for a classifier the scores of the 1000 ImageNet
        classes in the order of their wnids.
        """
        ...


@dataclass(frozen=True)
class TextTokens:
    """What a text tower sees of texts: the tokens of each, and whether it had more than the
    tower takes.
    """

    sequences: list[tuple[int, ...]]
    cut: list[bool]


class DualEncoder(Model, Protocol):
    """Images and texts in one space; the CLIP family (``info.names_attributes`` is true).

    A kind that also has ``read_texts(texts) -> TextTokens`` is checked for prompts that lose their
    names.
    """

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit-length float32 embeddings, N x D, on the model's device, in the order of
        ``texts``.
        """
        ...


class UnsoundNumbersError(UserError):
    """A model gives NaN or infinite numbers. ``rows``: for which images of its batch."""

    def __init__(self, text: str, rows: Sequence[int]) -> None:
        super().__init__(text)
        self.rows = tuple(rows)


@dataclass(frozen=True)
class AskedOptions:
    """A question to a model that chooses: what an option names (``composition``, ``object`` or
    ``attribute``), and the options in the order in which they are put.
    """

    kind: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class AnswerMethod:
    """How a choosing model's answers become scores.

    Attributes:
        answer: ``letters`` or ``likelihood``. Only letters have an order, and are asked rotated,
            too.
        most_options: it can't be asked among more.
        per_token: log-likelihoods are divided by the number of tokens.
        prior_weight: what is taken off of the log-likelihood with a grey picture: this many times.
        fit_prior: that weight is fitted, for each half of the compositions on the other half.
    """

    answer: str
    most_options: int | None = None
    per_token: bool = False
    prior_weight: float = 0.0
    fit_prior: bool = False


class ChoosingModel(Protocol):
    """A model that scores the options of a question about an image; a generative one.

    Such a kind has no ``encode_images``; it is asked the tasks of few candidates, each also with a
    grey picture in the image's place.
    """

    info: ModelInfo
    transform: Any
    method: AnswerMethod

    def score_options(
        self, images: Sequence[Image.Image], asked: Sequence[AskedOptions]
    ) -> torch.Tensor:
        """float32 N x K: a score an option, in the order of the options; more is better.

        All questions of a call have as many options.
        """
        ...

    def count_tokens(self, asked: AskedOptions) -> list[int]:
        """How many tokens each option has, for a method with ``per_token``."""
        ...


def is_bad_files(error: Exception) -> bool:
    """Whether a library, while it read a model's files, means these files by ``error``."""
    names = {kind.__name__ for kind in type(error).__mro__}
    # The tokenizers package raises Exception itself.
    return (
        isinstance(error, BAD_FILES)
        or bool(names & BAD_FILES_BY_NAME)
        or type(error) is Exception
    )


def unwrap_output(output: Any) -> torch.Tensor:
    """The embedding: transformers 5 wraps it in an object, earlier versions return it."""
    import torch

    return output if torch.is_tensor(output) else output.pooler_output
