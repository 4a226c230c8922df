"""Importing this package makes ``evaluate.load("compositional_ood")`` find the metric in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The Space has the metric's file beside it, where this package's name is the file's.
    from compositional_ood.compositional_ood import effective_images as effective_images
    from compositional_ood.compositional_ood import score as score
    from compositional_ood.compositional_ood import shown_interval as shown_interval
    from compositional_ood.compositional_ood import wilson as wilson


def register() -> None:
    """Let ``evaluate.load`` find the metric by its bare name in this process; a second call
    changes nothing.
    """
    import evaluate.loading as loading

    original = loading.evaluation_module_factory
    if getattr(original, "knows_compositional_ood", False):
        return

    def factory(path: str, *args: Any, **kwargs: Any) -> Any:
        # a folder of that name without it, such as one of results, is not meant
        here = Path(path, "compositional_ood.py").exists()
        if path == "compositional_ood" and not here:
            path = str(Path(__file__).with_name("compositional_ood.py"))
        return original(path, *args, **kwargs)

    factory.knows_compositional_ood = True  # type: ignore[attr-defined]
    loading.evaluation_module_factory = factory


register()
