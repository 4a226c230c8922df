"""How the audit's loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.cpu import CPUTargetOptions

#: Options that numba doesn't promise to keep. Where it has them no longer, the code runs as it
#: does without them: slower, with the same counts.
_PRIVATE = {"_nrt": False, "forceinline": True}


def _options(*private: str) -> dict[str, Any]:
    known = {
        name: _PRIVATE[name]
        for name in private
        if hasattr(CPUTargetOptions, name)
    }
    return {"nogil": True, "cache": True, **known}


def compiled_walk(function: Callable[..., Any]) -> Any:
    """Compile a function that walks over arrays and makes none, and keep the code on disk.

    Numba counts references to each array that a function is called with or cuts a row from, by
    atomic operations. In loops over captions these took more than half of the time, and threads
    waited for one another's. Who makes no array needs no count, so it is turned off here; a
    function that makes one (`numpy.zeros`) doesn't compile this way and takes `njit` itself.

    Args:
        function: what numba can compile.

    Returns:
        The compiled function; it releases the interpreter's lock.
    """
    return njit(**_options("_nrt"))(function)


def inlined_walk(function: Callable[..., Any]) -> Any:
    """As `compiled_walk`, with its code put into each caller's.

    A call hands over every field of every array, which costs more than a few steps do.
    """
    return njit(**_options("_nrt", "forceinline"))(function)
