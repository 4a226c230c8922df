"""The one exception that means: the input is wrong, and here is how to mend it."""

from __future__ import annotations


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and how to mend it.

    The command line prints it without a traceback and ends with status 2.
    """
