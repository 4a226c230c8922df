"""The processor of an image-text-to-text model, and how a question is put to it.

Image processors run on Pillow, so no torchvision is needed and pixels are the same everywhere.
Processors that also take videos want torchvision for these: they are built without.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from aobench.errors import UserError
from aobench.models.answer_letters import without_beginning
from aobench.models.checkpoints import library_reads
from aobench.models.tokenizers import check_tokenizer

#: How classes without a chat template were asked by their authors, by model_type.
#: Sources: the models' papers and the examples in transformers' documentation.
FRAMES = {
    "llava": "USER: {image}\n{question} ASSISTANT:",
    "vipllava": "###Human: {image}\n{question}###Assistant:",
    "paligemma": "{image}answer en {question}",
    "blip-2": "{image}Question: {question} Answer:",
    "instructblip": "{image}{question}",
}
QUESTION, IMAGE = "{question}", "{image}"
#: Processors that end a prompt with a line break of their own.
BREAKING = ("PaliGemmaProcessor",)
#: Processors that ask their part for videos how it reads these whenever a prompt is framed.
ASKING_VIDEOS = ("SmolVLMProcessor",)


def load_vlm_processor(
    source: str, name: str, rows: int | None = None, revision: str | None = None
) -> Any:
    """The processor of a folder or Hub id, padding on the right.

    Args:
        source: folder or Hub id.
        name: what to call it in a message.
        rows: how many token embeddings the language model has.
        revision: commit of the Hub.

    Raises:
        UserError: where it can't be read, lacks an image processor or a vocabulary, or needs a
            package that is absent.
    """
    from transformers import AutoProcessor

    options: dict[str, Any] = {"backend": "pil"}
    if revision is not None:
        options["revision"] = revision
    with (
        _packages_in_one_line(name),
        library_reads(f"the processor of {name!r}"),
        _no_videos(),
    ):
        processor: Any = AutoProcessor.from_pretrained(source, **options)
    for part in ("tokenizer", "image_processor"):
        if getattr(processor, part, None) is None:
            raise UserError(
                f"{name}: its processor, a {type(processor).__name__}, has no "
                f"{part.replace('_', ' ')}; copy the files of the model's processor "
                "(preprocessor_config.json, tokenizer.json) into the folder"
            )
    absent = getattr(processor, "video_processor", None) is None
    if absent and type(processor).__name__ in ASKING_VIDEOS:
        processor.video_processor = SimpleNamespace(num_frames=0, fps=0)
    check_tokenizer(processor.tokenizer, name, rows)
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


@contextlib.contextmanager
def _packages_in_one_line(name: str) -> Iterator[None]:
    """Turn the library's paragraphs on a package that is absent into one line."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for package in (
            "torchvision",
            "num2words",
            "sentencepiece",
            "tiktoken",
        ):
            if package in text.lower() and "require" in text.lower():
                raise UserError(
                    f"{name}: its processor needs the package {package}, which isn't installed; "
                    f"pip install {package}"
                ) from error
        raise


@contextlib.contextmanager
def _no_videos() -> Iterator[None]:
    """Where torchvision is absent, processors are built without the part that reads videos."""
    from transformers.processing_utils import ProcessorMixin
    from transformers.utils import is_torchvision_available

    if is_torchvision_available():
        yield
        return
    own: Any = vars(ProcessorMixin)
    attributes, arguments = (
        own["get_attributes"],
        own["_get_arguments_from_pretrained"],
    )

    def without_video(cls: Any) -> list[str]:
        return [
            one for one in attributes.__func__(cls) if one != "video_processor"
        ]

    def and_no_video(cls: Any, *values: Any, **options: Any) -> list[Any]:
        pair = list(arguments.__func__(cls, *values, **options))
        return (
            [*pair, None]
            if "video_processor" in attributes.__func__(cls)
            else pair
        )

    changed: Any = ProcessorMixin
    changed.get_attributes = classmethod(without_video)
    changed._get_arguments_from_pretrained = classmethod(and_no_video)
    try:
        yield
    finally:
        changed.get_attributes = attributes
        changed._get_arguments_from_pretrained = arguments


class QuestionFrame:
    """Puts a question to a model as its authors do: by the chat template, or a frame.

    Attributes:
        frame: the text with ``{image}`` and ``{question}``; '' where the chat template serves.
        mark: what stands for the image in a text; '' for processors that put it there themselves.
    """

    def __init__(
        self,
        processor: Any,
        model_type: str,
        name: str,
        frame: str = "",
        default: str = "",
    ) -> None:
        self.processor, self.name = processor, name
        self.mark = _image_mark(processor)
        has_template = bool(getattr(processor, "chat_template", None))
        self.frame = frame
        if frame or has_template:
            return
        self.frame = FRAMES.get(model_type, default)
        if not self.frame:
            raise UserError(
                f"{name} has no chat template, which says how it is asked; copy the one of its "
                "authors (chat_template.jinja or chat_template.json) into the folder"
            )

    @property
    def facts(self) -> str:
        """How questions are framed, for results.json: a digest tells one template from another."""
        from aobench.vocabulary.templates import texts_hash

        if self.frame:
            return self.frame
        template = self.processor.chat_template
        return f"chat template {texts_hash([json.dumps(template, sort_keys=True)])}"

    def text(self, question: str) -> str:
        """The prompt of a question about one image, up to where the answer begins."""
        if self.frame:
            framed = self.frame.replace(IMAGE, self.mark)
            return framed.replace(QUESTION, question)
        content = [{"type": "image"}, {"type": "text", "text": question}]
        with self._refusals_in_one_line():
            said = self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=False,
            )
        if "".join(question.split()) not in "".join(str(said).split()):
            raise UserError(
                f"{self.name}: its chat template leaves the question out, or changes it; take the "
                "template of the model's authors"
            )
        return str(said)

    @contextlib.contextmanager
    def _refusals_in_one_line(self) -> Iterator[None]:
        """Turn what is wrong with a chat template into a UserError."""
        from jinja2 import TemplateError

        try:
            yield
        except (TemplateError, TypeError, ValueError, LookupError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()
            raise UserError(
                f"{self.name}: its chat template can't frame a picture with a question: "
                f"{reason[0]}; take the template of the model's authors"
            ) from error

    def answer_tokens(self, prompt: str, answer: str) -> tuple[int, ...]:
        """The tokens of an answer as they follow the prompt; nothing marks its end.

        They are those by which the text of both goes on after the prompt's, so that a space or a
        word's beginning is written as the tokenizer writes it there.
        """
        if type(self.processor).__name__ in BREAKING:
            return self._tokens(answer)
        joint = "" if prompt[-1:].isspace() or prompt.endswith(">") else " "
        last = prompt.rsplit(None, 1)[-1] if prompt.split() else ""
        tail = prompt[prompt.rindex(last) :]
        before, both = (
            self._tokens(text) for text in (tail, tail + joint + answer)
        )
        if len(both) > len(before) and both[: len(before)] == before:
            return both[len(before) :]
        return self._tokens(joint + answer)

    def _tokens(self, text: str) -> tuple[int, ...]:
        tokenizer = self.processor.tokenizer
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return tuple(without_beginning(tokenizer, ids))


def _image_mark(processor: Any) -> str:
    if (
        getattr(processor, "num_query_tokens", None) is not None
    ):  # BLIP-2 and its kin
        return ""
    # Gemma 3 calls the tokens that it fills in "image", and what a text holds "begin of image".
    begin = getattr(processor, "boi_token", None)
    return str(begin or getattr(processor, "image_token", "<image>"))


def encode_prompts(
    processor: Any, images: Sequence[Any], texts: Sequence[str]
) -> Any:
    """What the model takes of one image for each text, padded on the right.

    The mark of a text's beginning stands there once, whether the template or the tokenizer writes
    it.
    """
    begin = processor.tokenizer.bos_token
    begun = bool(begin) and texts[0].startswith(begin)
    more = {"add_special_tokens": False} if begun else {}
    # a flat list is the images of one text to some processors
    nested = [[image] for image in images]
    return processor(
        images=nested,
        text=list(texts),
        return_tensors="pt",
        padding=True,
        **more,
    )
