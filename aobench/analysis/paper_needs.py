"""What the experiment needs before it is run: by model whether it is at hand, its bytes, its time
by a measured rate.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.columns import columns
from aobench.evaluation.listed import WIDTHS, Workload, duration_shown
from aobench.models.model_lists import ListedModel

if TYPE_CHECKING:
    import torch

#: Packages by what stands before the colon of a model's name.
PACKAGES = {
    "open_clip": ("open_clip", "torchvision"),
    "timm": ("timm", "torchvision"),
}
#: Names of weights on the Hub, the likeliest first.
WEIGHTS = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
)
THERE, AT_HAND, TO_FETCH = "its result is there", "at hand", "to fetch"


@dataclass(frozen=True)
class ModelNeed:
    """``state``: THERE, AT_HAND, TO_FETCH, or what is lacking; ``size``: bytes of the weights, None
    where unknown; ``gflops``: of the whole run, None where the list doesn't tell.
    """

    name: str
    state: str
    size: int | None
    gflops: float | None


def weigh_model(one: ListedModel, workload: Workload, done: bool) -> ModelNeed:
    """What a model of a list needs; asks nobody but this machine."""
    state = THERE if done else _state(one.name)
    parameters = one.facts.get("parameters")
    size = (
        parameters * WIDTHS["float32"] if isinstance(parameters, int) else None
    )
    return ModelNeed(one.name, state, size, workload.gflops(one.facts))


def _state(name: str) -> str:
    prefix, colon, rest = name.partition(":")
    if not colon or Path(name).exists():
        return _hub_state(name)
    missing = [
        package
        for package in PACKAGES.get(prefix, ())
        if importlib.util.find_spec(package) is None
    ]
    if missing:
        return f"needs {' and '.join(missing)}: pip install 'imagenet-ao[{prefix}]'"
    if rest.startswith("local-dir:"):
        folder = Path(rest.removeprefix("local-dir:"))
        return AT_HAND if folder.is_dir() else f"there is no folder {folder}"
    repository = rest.removeprefix("hf-hub:")
    if prefix in PACKAGES and repository == rest:
        repository = _repository(prefix, rest)
    return _hub_state(repository) if repository else TO_FETCH


def _repository(prefix: str, name: str) -> str:
    """The Hub's repository of a model that open_clip or timm know by a name; '' if unknown."""
    try:
        if prefix == "open_clip":
            import open_clip

            config = open_clip.get_pretrained_cfg(*name.split("/", 1))
            return str((config or {}).get("hf_hub") or "").strip("/")
        import timm

        known = timm.get_pretrained_cfg(name)
        return str(getattr(known, "hf_hub_id", None) or "") and (
            known.hf_hub_id if "/" in known.hf_hub_id else f"timm/{name}"
        )
    except (ImportError, RuntimeError, TypeError):
        return ""


def _hub_state(name: str) -> str:
    """Whether a folder, the bundled model or a repository in the cache has weights."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    from aobench.models.bundled import BUNDLED_NAMES

    own = name in BUNDLED_NAMES or Path(name).is_dir()
    if own or name.startswith("efficientnet-lite"):
        return AT_HAND
    try:
        cached = [try_to_load_from_cache(name, weights) for weights in WEIGHTS]
    except HFValidationError:
        return f"no name of a model: {name}"
    return AT_HAND if any(isinstance(one, str) for one in cached) else TO_FETCH


def measured_rate(device: torch.device, seconds: float = 1.0) -> float:
    """Billions of operations a second on ``device``, by a transformer's layer as large as ViT-B's.

    The layer sees 8 images of 197 tokens in float32, for about ``seconds``.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    layer = torch.nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True)
    layer = layer.to(
        device
    ).train()  # eval takes a fused path that cannot be counted
    tokens = torch.zeros(8, 197, 768, device=device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(tokens)
    began, rounds = time.perf_counter(), 0
    with torch.no_grad():
        while (spent := time.perf_counter() - began) < seconds or not rounds:
            layer(tokens)
            if device.type == "cuda":
                torch.cuda.synchronize()
            rounds += 1
    spent = time.perf_counter() - began
    return rounds * counter.get_total_flops() / 1e9 / spent


def needs_text(
    needs: Sequence[ModelNeed], workload: Workload, rate: float
) -> str:
    """The needs as a table, and their sums, by ``rate`` in billions of operations a second."""
    rows: list[Sequence[str]] = [("model", "state", "weights", "time")]
    rows += [_row(one, rate) for one in needs]
    left = [one for one in needs if one.state != THERE]
    fetch = [one for one in left if one.state != AT_HAND]
    lines = [
        *columns(rows, rule=True),
        f"{len(needs)} models: {len(needs) - len(left)} have their result, "
        f"{len(left) - len(fetch)} are at hand, {len(fetch)} are not ({_to_fetch(fetch)}).",
        f"{workload.images:,} images and {workload.texts:,} texts go through each model that "
        "takes both.",
        _time_words(left, rate),
    ]
    return "\n".join(lines)


def _to_fetch(fetch: Sequence[ModelNeed]) -> str:
    sizes = [one.size for one in fetch if one.size is not None]
    unknown = len(fetch) - len(sizes)
    more = f", and {unknown} of unknown size" if unknown and sizes else ""
    if fetch and not sizes:
        return "of unknown size"
    return f"about {_bytes(sum(sizes))} to fetch, as float32{more}"


def _time_words(left: Sequence[ModelNeed], rate: float) -> str:
    works = [one.gflops for one in left if one.gflops is not None]
    unknown = len(left) - len(works)
    if left and not works:
        return "Time unknown: the list has no image_gflops of these models."
    more = (
        f"; {unknown} models of unknown size are not in it" if unknown else ""
    )
    return (
        f"About {duration_shown(sum(works) / rate)} at {rate:,.0f} billion operations a second, "
        "measured here on a layer of ViT-B; decoding of images comes on top, texts cost less where "
        f"they are short{more}."
    )


def _row(one: ModelNeed, rate: float) -> tuple[str, str, str, str]:
    size = "unknown" if one.size is None else _bytes(one.size)
    if one.state == THERE:
        return one.name, one.state, size, "-"
    seconds = (
        "unknown" if one.gflops is None else duration_shown(one.gflops / rate)
    )
    return one.name, one.state, size, seconds


def _bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def plan_needs(plan: Any) -> str:
    """What a `PaperPlan` needs, in words; opens the data, and runs no model."""
    from aobench.analysis.paper import TASKS
    from aobench.evaluation.api import stored_models

    stored, workload, device = stored_models(
        plan.models, **plan.data, tasks=TASKS, out=plan.results, **plan.options
    )
    needs = [
        weigh_model(one, workload, one.name in stored) for one in plan.models
    ]
    return needs_text(needs, workload, measured_rate(device))
