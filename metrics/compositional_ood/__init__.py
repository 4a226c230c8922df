"""Importing this package makes ``evaluate.load("compositional_ood")`` find the metric in it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The Space has the metric's file beside it, where this package's name is the file's.
    from compositional_ood.compositional_ood import part_rates as part_rates
    from compositional_ood.compositional_ood import score as score
    from compositional_ood.compositional_ood import (
        shown_interval as shown_interval,
    )


def register() -> None:
    """Let ``evaluate.load`` find the metric by its bare name in this process; a second call
    changes nothing.

    Now where `evaluate` is there already, which takes seconds to import; else once it is.
    """
    if loading := sys.modules.get("evaluate.loading"):
        _tell_evaluate(loading)
    elif not any(
        type(finder).__name__ == "_Awaited" for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _Awaited())


class _Awaited:
    """A finder of modules that waits for ``evaluate.loading``, and then tells it of the metric."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """None but for that module, which is imported as ever."""
        if name != "evaluate.loading":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def then_tell(module: Any) -> None:
            execute(module)
            _tell_evaluate(module)

        spec.loader.exec_module = then_tell  # type: ignore[method-assign]
        return spec


def _tell_evaluate(loading: Any) -> None:
    """Make the module ``evaluate.loading`` take this package's file for the metric's name."""
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
