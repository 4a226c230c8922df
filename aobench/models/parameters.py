"""How many numbers a network has learned."""

from __future__ import annotations

from typing import Any

#: How the libraries begin the names of what sees images: its tower, and what projects it.
IMAGE_PARTS = ("vision", "visual", "image_encoder")


def count_parameters(network: Any) -> dict[str, int]:
    """The numbers in a network's weights; those that two places share count once.

    Args:
        network: a torch module.

    Returns:
        ``total``; where an image tower has a name of its own, also ``vision``, its numbers, and
        ``text``, all others.

    Example:
        >>> import torch
        >>> tower = torch.nn.Linear(4, 2)
        >>> count_parameters(torch.nn.ModuleDict({"visual": tower, "text": torch.nn.Linear(1, 2)}))
        {'total': 14, 'vision': 10, 'text': 4}
        >>> count_parameters(tower)
        {'total': 10}
    """
    sizes = {name: one.numel() for name, one in network.named_parameters()}
    total = sum(sizes.values())
    vision = sum(n for name, n in sizes.items() if _sees_images(name))
    if not 0 < vision < total:
        return {"total": total}
    return {"total": total, "vision": vision, "text": total - vision}


def _sees_images(name: str) -> bool:
    return any(part.startswith(IMAGE_PARTS) for part in name.split("."))
