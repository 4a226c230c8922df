"""From a model id or a path to something the runner can use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aobench.errors import UserError

if TYPE_CHECKING:
    import torch

    from aobench.models.base import Classifier, DualEncoder

BUNDLED = Path(__file__).parents[1] / "mini" / "model"


def load_model(name: str, device: torch.device) -> DualEncoder | Classifier:
    """The model called ``name``: ``mini`` (the bundled one), ``efficientnet-lite0..2``, a folder, or a Hub id.

    Raises UserError, in one line, for an unknown id, a folder without a model and a kind that is not supported.
    """
    match = re.fullmatch(r"efficientnet-lite([0-2])", name)
    if match:
        from aobench.models.supervised import EfficientNetLite

        return EfficientNetLite(match.group(1), device)
    source = str(BUNDLED) if name == "mini" else name
    if Path(source).is_dir() and not (Path(source) / "config.json").exists():
        raise UserError(f"the folder {name} holds no model: config.json is missing; name a folder of save_pretrained")
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"no model {name!r} was found or could be read: name a folder, a Hub id such as "
            f"openai/clip-vit-base-patch32, or 'mini' for the bundled model ({reason})"
        ) from error
    architectures = list(getattr(config, "architectures", None) or [])
    try:
        if config.model_type == "clip" and not any("Classification" in a for a in architectures):
            from aobench.models.clip import ClipEncoder

            return ClipEncoder(source, name, device)
        if any(a.endswith("ForImageClassification") for a in architectures):
            from aobench.models.supervised import TransformersClassifier

            return TransformersClassifier(source, name, device)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"the model {name!r} could not be loaded: {reason}") from error
    kind = ", ".join(architectures) or config.model_type
    raise UserError(
        f"{name!r} is a {kind}; this version evaluates CLIPModel and image classifiers over ImageNet-1k "
        "(AutoModelForImageClassification)"
    )
