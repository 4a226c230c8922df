"""Weights that are all there, or a refusal: the one way to load a pretrained network.

A library fills in what a checkpoint lacks with random numbers, and only logs it. Here each name of
a
network's state is in the checkpoint with its shape and holds numbers, and each name of the
checkpoint is
in the network; what may differ is in HARMLESS, with the reason. An adapter beside the weights is
refused:
it would be applied where peft is installed and left out where it isn't.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from aobench.errors import UserError
from aobench.models.base import ADAPTERS, is_bad_files

#: What may be missing from a checkpoint or left over from it, and why it changes no number.
HARMLESS = {
    r"(^|\.)position_ids$": "0, 1, 2, ...: written by old versions, made by new ones",
    r"(^|\.)rotary_emb\.inv_freq$": "made from the configuration",
    r"(^|\.)num_batches_tracked$": "counts steps of training",
    r"(^|\.)attn\.(masked_)?bias$": "GPT-2's causal mask, made from the configuration",
}
#: The same by class of the network.
HARMLESS_OF = {
    "CLIPSegModel": {
        r"^decoder\.": "draws masks; the embeddings don't pass through it"
    }
}

SHOWN = 3


@contextlib.contextmanager
def library_reads(what: str) -> Iterator[None]:
    """Turn what a library raises while it reads the user's files into one line.

    For the call of the library alone: nothing of ours belongs inside.

    Raises:
        UserError: ``what`` could not be loaded, and the library's reason.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_bad_files(error):
            raise
        if isinstance(error, torch.OutOfMemoryError):
            raise UserError(
                f"{what} doesn't fit the device's memory; use a smaller --dtype"
            ) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{what} could not be loaded: {reason[:400]}"
        ) from error


def refuse_adapter(
    source: str, subfolder: str = "", revision: str | None = None
) -> None:
    """Raise UserError where an adapter (LoRA or such) lies beside the weights or alone."""
    folder = Path(source) / subfolder
    if Path(source).is_dir():
        adapter = next(
            (name for name in ADAPTERS if (folder / name).exists()), None
        )
    else:
        adapter = _adapter_on_hub(source, subfolder, revision)
    if adapter:
        _refuse_adapter(source, adapter)


def _refuse_adapter(source: str, name: str) -> None:
    raise UserError(
        f"{source} holds an adapter ({name}): whether it is applied would depend on the packages "
        "installed; merge it into its base model (peft: merge_and_unload, then save_pretrained) "
        "and "
        "name that folder, or take it out"
    )


def _adapter_on_hub(
    source: str, subfolder: str, revision: str | None
) -> str | None:
    from transformers.utils import cached_file

    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
        return None
    quiet = ("gated_repo", "missing_entries", "connection_errors")
    options = {f"_raise_exceptions_for_{what}": False for what in quiet}
    name = ADAPTERS[0]
    return (
        name
        if cached_file(
            source, name, subfolder=subfolder, revision=revision, **options
        )
        else None
    )


def load_checked(
    auto: Any, source: str, name: str | None = None, **options: Any
) -> Any:
    """``auto.from_pretrained(source, **options)``, ready to run, all its weights the checkpoint's.

    Args:
        auto: a class of transformers or diffusers with ``from_pretrained``.
        source: folder or Hub id.
        name: what to call it in a message; default: ``source``.
        options: go to ``from_pretrained``.

    Raises:
        UserError: where weights are missing, unused, of another shape, NaN or infinite; where an
        adapter lies
            beside them; where the files can't be read.
    """
    name = name or source
    refuse_adapter(
        source, options.get("subfolder", ""), options.get("revision")
    )
    with library_reads(f"the model {name!r}"), _no_reports():
        network, report = auto.from_pretrained(
            source,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    if getattr(network, "_hf_peft_config_loaded", False):
        _refuse_adapter(name, "applied by peft")
    shapes = [
        f"{key} {_size(has)} for {_size(wants)}"
        for key, has, wants in sorted(report["mismatched_keys"])
    ]
    wrong = {key for key, _, _ in report["mismatched_keys"]}
    missing = set(report["missing_keys"]) - wrong
    refuse_other_weights(
        name, network, missing, report["unexpected_keys"], shapes
    )
    refuse_not_numbers(name, network)
    return network.eval()


def _size(shape: Iterable[int]) -> str:
    return "x".join(str(int(side)) for side in shape) or "scalar"


@contextlib.contextmanager
def _no_reports() -> Iterator[None]:
    """Without the library's own table of keys and its warnings: our line says it."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)


def refuse_other_weights(
    name: str,
    network: Any,
    missing: Iterable[str],
    unused: Iterable[str],
    shapes: Iterable[str] = (),
) -> None:
    """Raise UserError for weights missing, unused or of another shape, but for the harmless."""
    allowed = [*HARMLESS, *HARMLESS_OF.get(type(network).__name__, ())]
    faults = (
        ("are missing and would be drawn at random", missing),
        ("are in the checkpoint and have no place in the model", unused),
        ("have another shape than config.json says", shapes),
    )
    parts = []
    for what, keys in faults:
        counted = sorted(
            key
            for key in keys
            if not any(re.search(one, key) for one in allowed)
        )
        if counted:
            more = ", ..." if len(counted) > SHOWN else ""
            parts.append(
                f"{len(counted):,} weights {what} ({', '.join(counted[:SHOWN])}{more})"
            )
    if parts:
        raise UserError(
            f"{name}: {'; '.join(parts)}: the checkpoint is not of this {type(network).__name__}; "
            f"save it again with "
            "save_pretrained, or mend config.json"
        )


def refuse_not_numbers(name: str, network: torch.nn.Module) -> None:
    """Raise UserError, naming the tensor, where a weight is NaN or infinite (buffers may hold
    -inf).
    """
    weights = {key for key, _ in network.named_parameters()}
    for key, value in network.state_dict().items():
        if (
            not torch.is_floating_point(value)
            or value.is_meta
            or value.numel() == 0
            or value.itemsize < 2
        ):
            continue
        ends = torch.stack(torch.aminmax(value.detach()))
        if ends.isnan().any() or (
            ends.isinf().any() and (key in weights or "running_" in key)
        ):
            raise UserError(
                f"{name}: the weight {key} holds NaN or infinity as "
                f"{str(value.dtype).removeprefix('torch.')}: the "
                "checkpoint is damaged, or its numbers don't fit this dtype"
            )


class LoadedWeights:
    """What `watch_loading` saw: which tensors were filled, and which keys had no place."""

    def __init__(self) -> None:
        self.filled: set[int] = set()
        self.unused: dict[int, list[str]] = {}

    def refuse_gaps(self, name: str, network: torch.nn.Module) -> None:
        """Raise UserError where a tensor of ``network`` was never filled, or keys were left
        over.
        """
        state = network.state_dict(keep_vars=True)
        missing = [
            key for key, value in state.items() if id(value) not in self.filled
        ]
        if len(missing) == len(state):
            raise UserError(
                f"{name}: no weights were loaded, all would be random; name a checkpoint that has "
                f"some"
            )
        unused = [
            key
            for module in network.modules()
            for key in self.unused.get(id(module), ())
        ]
        refuse_other_weights(name, network, missing, unused)
        refuse_not_numbers(name, network)


@contextlib.contextmanager
def watch_loading() -> Iterator[LoadedWeights]:
    """Note what ``load_state_dict`` of any module fills in, for libraries that build networks
    alone.

    timm and open_clip drop or skip keys by their own rules and report to a log alone. Ask
    `refuse_gaps` afterwards.

    Example:
        >>> with watch_loading() as weights:
        ...     layer = torch.nn.Linear(2, 1)
        ...     _ = layer.load_state_dict({"weight": torch.ones(1, 2)}, strict=False)
        >>> weights.refuse_gaps("layer", layer)
        Traceback (most recent call last):
        aobench.errors.UserError: layer: 1 weights are missing and would be drawn at random (bias):
        ...
    """
    seen, original = LoadedWeights(), torch.nn.Module.load_state_dict

    def watched(
        self: torch.nn.Module,
        state_dict: Any,
        strict: bool = True,
        assign: bool = False,
    ) -> Any:
        answer = original(
            self, state_dict, strict=False, assign=assign
        )  # shapes are still checked
        state = self.state_dict(keep_vars=True)
        seen.filled |= {
            id(value) for key, value in state.items() if key in state_dict
        }
        seen.unused[id(self)] = list(answer.unexpected_keys)
        return answer

    torch.nn.Module.load_state_dict = watched  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        torch.nn.Module.load_state_dict = original  # type: ignore[method-assign]
