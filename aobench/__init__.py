"""Tests whether a vision-language model composes attributes and objects that it never saw together.

    import aobench

    result = aobench.evaluate("mini", data="mini", limit=200)[0]
    result.to_frame()     # one row a split and task
    result.plot()

Nothing heavy is imported before it is used. `docs/python.md` shows more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aobench.analysis.api import compare, effective
    from aobench.audit.api import audit
    from aobench.errors import UserError
    from aobench.evaluation.api import evaluate
    from aobench.results.result import Result, load_result

__all__ = [
    "Result",
    "UserError",
    "audit",
    "compare",
    "effective",
    "evaluate",
    "load_result",
]

#: Where each public name is. `audit` is a room as well: its package is what one calls.
PLACES = {
    "Result": "aobench.results.result",
    "UserError": "aobench.errors",
    "compare": "aobench.analysis.api",
    "effective": "aobench.analysis.api",
    "evaluate": "aobench.evaluation.api",
    "load_result": "aobench.results.result",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "audit":
        return import_module("aobench.audit")
    if name not in PLACES:
        raise AttributeError(f"module 'aobench' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
