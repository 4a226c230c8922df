"""The one exception that means: the input is wrong, and here is how to mend it."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and how to mend it.

    The command line prints it without a traceback and ends with status 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` with the likeliest of the known names, or nothing.

    Example:
        >>> did_you_mean("compositoin", ["composition", "object"])
        " (did you mean 'composition'?)"
    """
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
