"""From what the user names to a model: cheap checks first, weights when it is that model's turn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError, did_you_mean
from aobench.models.base import ADAPTERS, LoadOptions, is_bad_files
from aobench.models.bundled import BUNDLED, BUNDLED_NAMES, bundled_folder
from aobench.models.revision import revision_of

__all__ = ["BUNDLED", "ResolvedModel", "resolve"]

if TYPE_CHECKING:
    import torch

    from aobench.models.base import Model

#: Entry points of this group extend the list: the name is a prefix (``mykind:anything``) or a
#: model_type of config.json, the object is called as (what follows the prefix, or the source;
#: device; LoadOptions) -> Model.
GROUP = "imagenet_ao.models"

#: Kinds that are named by a prefix, and where they are.
PREFIXES = {
    "timm": "aobench.models.timm_classifier:TimmClassifier",
    "open_clip": "aobench.models.open_clip_encoder:OpenClipEncoder",
}

#: Prefixes that say how a generative model answers: `aobench.models.generative.ANSWER_METHODS`.
ANSWER_PREFIXES = (
    "letters",
    "likelihood",
    "mean-likelihood",
    "pmi",
    "debiased",
)

#: For "did you mean": what people name most.
WELL_KNOWN = (
    *BUNDLED_NAMES,
    "efficientnet-lite0",
    "efficientnet-lite1",
    "efficientnet-lite2",
    "openai/clip-vit-base-patch32",
    "openai/clip-vit-base-patch16",
    "openai/clip-vit-large-patch14",
    "openai/clip-vit-large-patch14-336",
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "google/siglip-base-patch16-224",
    "google/siglip-so400m-patch14-384",
    "google/siglip2-base-patch16-224",
    "facebook/metaclip-b32-400m",
    "kakaobrain/align-base",
    "google/vit-base-patch16-224",
    "microsoft/resnet-50",
    "facebook/convnext-base-224",
    "open_clip:RN50-quickgelu/cc12m",
    "open_clip:RN50-quickgelu/yfcc15m",
)


@dataclass(frozen=True)
class ResolvedModel:
    """A model that exists and is of a kind we know; ``load(device, options)`` reads its weights.

    ``revision()`` is what its ``info.revision`` will be; None where only the weights tell.
    """

    name: str
    load: Callable[[torch.device, LoadOptions], Model]
    revision: Callable[[], str | None] = lambda: None


def _extensions() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def _from_path(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def resolve(name: str) -> ResolvedModel:
    """Find out what ``name`` is: a prefix and what it takes, the bundled model, a folder, or a Hub
    id.

    Reads at most a config. Raises UserError, in one line, for an unknown name, a folder without a
    model and a kind that is not supported.
    """
    extensions = _extensions()
    prefix, colon, rest = name.partition(":")
    if colon and not Path(name).exists():
        if prefix in extensions:
            point = extensions[prefix]
            return ResolvedModel(
                name,
                lambda device, options: point.load()(rest, device, options),
            )
        if prefix in PREFIXES:
            return ResolvedModel(
                name,
                lambda device, options: _loaded(
                    PREFIXES[prefix], name, rest, device, options
                ),
            )
        if prefix in ANSWER_PREFIXES:
            return _generative(rest, name, prefix)
        kinds = [*PREFIXES, *ANSWER_PREFIXES, *extensions]
        raise UserError(
            f"no kind of model {prefix!r}; there are "
            f"{', '.join(kinds)}{did_you_mean(prefix, kinds)}"
        )
    lite = re.fullmatch(r"efficientnet-lite([0-2])", name)
    if lite:
        path = "aobench.models.efficientnet_lite:EfficientNetLite"
        return ResolvedModel(
            name,
            lambda device, options: _loaded(
                path, name, lite.group(1), device, options
            ),
        )
    return _transformers(name, extensions)


def _transformers(
    name: str, extensions: dict[str, metadata.EntryPoint]
) -> ResolvedModel:
    source = _source(name)
    config = _config(source, name)
    architectures = list(getattr(config, "architectures", None) or [])
    if config.model_type in extensions:
        point = extensions[config.model_type]
        return ResolvedModel(
            name, lambda device, options: point.load()(source, device, options)
        )
    from aobench.models.kinds import DUAL_ENCODERS

    if any(a.endswith("ForImageClassification") for a in architectures):
        path = "aobench.models.supervised:TransformersClassifier"
    elif config.model_type in DUAL_ENCODERS:
        path = "aobench.models.dual_encoder:TransformersDualEncoder"
    elif _is_generative(config):
        return _generative(source, name, "letters", config)
    else:
        kind = ", ".join(architectures) or config.model_type
        raise UserError(
            f"{name!r} is a {kind}; evaluated are image classifiers over ImageNet-1k, the dual "
            "encoders "
            f"{', '.join(DUAL_ENCODERS)}, generative image-text-to-text models, and kinds that a "
            f"package adds by an entry point in the group {GROUP}"
        )
    return ResolvedModel(
        name,
        lambda device, options: _loaded(
            path, name, source, name, config, device, options
        ),
        lambda: revision_of(source, config),
    )


def _source(name: str) -> str:
    return str(bundled_folder(name)) if name in BUNDLED_NAMES else name


def _is_generative(config: Any) -> bool:
    """Whether AutoModelForImageTextToText knows the kind."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN,
    )

    return config.model_type in KNOWN


def _generative(
    source: str, name: str, method: str, config: Any = None
) -> ResolvedModel:
    """A generative model that answers by ``method``, one of ANSWER_PREFIXES."""
    source = _source(source)
    config = _config(source, name) if config is None else config
    if not _is_generative(config):
        raise UserError(
            f"{name!r} is a {config.model_type}, which doesn't generate text about "
            f"images; leave out {method}: or name a vision-language model"
        )
    path = "aobench.models.generative:GenerativeModel"
    return ResolvedModel(
        name,
        lambda device, options: _from_path(path)(
            source, name, config, method, device, options
        ),
    )


def _config(source: str, name: str) -> Any:
    if Path(source).is_dir() and not (Path(source) / "config.json").exists():
        adapter = next(
            (one for one in ADAPTERS if (Path(source) / one).exists()), None
        )
        if adapter:
            raise UserError(
                f"the folder {name} holds an adapter ({adapter}) and no model; merge it into its "
                "base model (peft: "
                "merge_and_unload, then save_pretrained) and name that folder"
            )
        raise UserError(
            f"the folder {name} holds no model: config.json is missing; name a folder of "
            "save_pretrained"
        )
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source)
    except Exception as error:
        if not is_bad_files(error):
            raise
        _refuse_without_network(name, error)
        reason = (
            str(error).strip().splitlines()[0]
            if str(error).strip()
            else type(error).__name__
        )
        raise UserError(
            f"no model {name!r} can be read{did_you_mean(name, WELL_KNOWN, 0.75)}; name a "
            "folder, a Hub id "
            f"such as openai/clip-vit-base-patch32, or {' or '.join(map(repr, BUNDLED_NAMES))} for "
            f"a bundled model ({reason})"
        ) from error


def _refuse_without_network(name: str, error: Exception) -> None:
    """Raise UserError where the Hub was not reached, so that nothing is known of ``name``."""
    from aobench.hub import no_network_reason

    reason = no_network_reason(error)
    if reason is None or Path(name).exists():
        return
    raise UserError(
        f"the model {name!r}{did_you_mean(name, WELL_KNOWN, 0.75)} is not in the local cache, and "
        f"the Hub was not reached ({reason}); connect, or name a folder, or 'mini' for the bundled "
        "model"
    ) from error


def _loaded(path: str, name: str, *arguments: Any) -> Model:
    """The model of the class at ``path``, tried once: what is wrong with it is told before any
    image is run.
    """
    from aobench.models.trial import try_once

    model = _from_path(path)(*arguments)
    try_once(model, name)
    return model
