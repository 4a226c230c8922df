"""The one exception that means: the input is wrong, and here is how to mend it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

#: Whether an error that is told in one line shows its traceback, too.
_TRACEBACKS: ContextVar[bool] = ContextVar("tracebacks", default=False)


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and how to mend it.

    The command line prints it without a traceback and ends with status 2.
    """


@contextlib.contextmanager
def tracebacks_shown(shown: bool) -> Iterator[None]:
    """Whether errors inside are told with their tracebacks, as ``--debug`` asks.

    Args:
        shown: True for tracebacks.

    Example:
        >>> with tracebacks_shown(True):
        ...     shows_tracebacks()
        True
    """
    token = _TRACEBACKS.set(shown)
    try:
        yield
    finally:
        _TRACEBACKS.reset(token)


def shows_tracebacks() -> bool:
    """Whether `tracebacks_shown` asked for them.

    Example:
        >>> shows_tracebacks()
        False
    """
    return _TRACEBACKS.get()


def did_you_mean(name: str, known: Iterable[str], nearness: float = 0.6) -> str:
    """`` (did you mean 'x'?)`` with the likeliest of the known names, or nothing.

    Args:
        name: what was typed.
        known: the names that there are.
        nearness: how much of the letters must agree, from 0 to 1.

    Example:
        >>> did_you_mean("compositoin", ["composition", "object"])
        " (did you mean 'composition'?)"
    """
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=nearness)
    return (
        f" (did you mean {close[0]!r}?)" if close and close[0] != name else ""
    )
