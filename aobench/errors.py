"""The one exception that means: the input is wrong, and here is how to mend it."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and how to mend it.

    The command line prints it without a traceback and ends with status 2.
    """


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
    return f" (did you mean {close[0]!r}?)" if close and close[0] != name else ""
