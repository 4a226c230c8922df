"""What a leaderboard says of a model beside its scores: a readable name, and what is known of it.

Nothing is guessed: what no list, result or card states is left empty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import read_text
from aobench.models.model_lists import read_model_list
from aobench.results.provenance import counted_parameters
from aobench.results.verified import Result

#: Facts by the name that a leaderboard has for them, and the names that lists and cards use.
SPELLINGS = {
    "images_seen": ("images_seen", "samples_seen"),
    "licence": ("licence", "license"),
    "released": ("released", "date"),
}


def known_facts(
    result: Result, stated: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is known of a result's model, by name.

    Args:
        result: the result; its ``model.parameters`` and ``model.facts``, and the card beside it,
            are read.
        stated: facts that go before all others, such as those of ``--models``.

    Returns:
        The facts of, first to last: ``stated``, the result (what was counted before what a list
        said), the card's head, and the list that ships (`aobench.models.model_lists`).

    Raises:
        UserError: where the card's head cannot be read.
    """
    model = result.content["model"]
    counted = counted_parameters(result.content)
    sources = (
        read_model_list("paper").facts.get(model["id"], {}),
        _card_facts(result.folder / "README.md"),
        model.get("facts", {}),
        {} if counted is None else {"parameters": counted},
        stated or {},
    )
    facts: dict[str, Any] = {}
    for source in sources:
        facts |= _respelled(source)
    return facts


def _respelled(facts: Mapping[str, Any]) -> dict[str, Any]:
    names = {other: name for name, some in SPELLINGS.items() for other in some}
    return {names.get(key, key): value for key, value in facts.items()}


def _card_facts(path: Path) -> dict[str, Any]:
    """Licence and training sets in the head of a model card; {} where there is no card."""
    import yaml

    if not path.is_file():
        return {}
    head = re.match(r"---\s*\n(.*?)\n---", read_text(path, "the card"), re.S)
    if head is None:
        return {}
    try:
        front = yaml.safe_load(head[1])
    except yaml.YAMLError as error:
        raise UserError(
            f"{path}: the head of the card is not YAML; mend it, or take the card away"
        ) from error
    if not isinstance(front, dict):
        return {}
    sets = front.get("datasets") or []
    names = [sets] if isinstance(sets, str) else sets
    facts = {
        "license": front.get("license"),
        "training_set": ", ".join(map(str, names)),
    }
    return {
        key: value
        for key, value in facts.items()
        if isinstance(value, str) and value
    }


def readable_name(model: str) -> str:
    """A model's id without its library, owner and folders.

    Example:
        >>> readable_name("open_clip:ViT-B-32/laion400m_e32")
        'ViT-B-32, laion400m_e32'
        >>> readable_name("openai/clip-vit-base-patch32")
        'clip-vit-base-patch32'
        >>> readable_name("letters:HuggingFaceTB/SmolVLM-256M-Instruct")
        'SmolVLM-256M-Instruct (letters)'
    """
    prefix, colon, rest = model.rpartition(":")
    parts = [part for part in re.split(r"[/\\]", rest) if part]
    if not parts:
        return model
    if prefix == "open_clip" and len(parts) == 2:
        return ", ".join(parts)
    name = parts[-1]
    library = prefix in ("", "open_clip", "timm", "hf", "hf-hub")
    return name if library or not colon else f"{name} ({prefix})"


def readable_names(models: Sequence[str]) -> list[str]:
    """A readable name of each, no two of which agree."""
    short = [readable_name(model) for model in models]
    often = Counter(short)
    names = [
        model if often[name] > 1 else name
        for model, name in zip(models, short, strict=True)
    ]
    used: Counter[str] = Counter()
    apart = []
    for name in names:
        used[name] += 1
        apart.append(name if used[name] == 1 else f"{name} ({used[name]})")
    return apart
