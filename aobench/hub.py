"""What goes wrong on the way to the Hub, in one line: no connection, half an answer, a page for
JSON, refused.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from aobench.errors import UserError

#: Libraries that speak to the Hub: what they can't make sense of is the answer's fault.
SPEAKERS = (
    "huggingface_hub",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "requests",
    "urllib3",
    "hf_xet",
)
#: Of these the ones that carry: their errors mean that nothing arrived.
TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
#: Errors of a library that reads an answer of another shape.
MISREAD = (KeyError, TypeError, ValueError, AttributeError, IndexError)

#: Seconds without a byte after which the Hub counts as gone; its library would wait for ever.
WAIT = 60.0

STATUS = {
    401: "it asks for a token: set HF_TOKEN, or log in with `hf auth login`",
    403: "the token may not do this: use one that may, of a member of the organisation",
    404: "it has no such repository, file or revision, or the token may not see it",
    409: "it is busy with another change: try again",
    413: "the files are too large for it",
    429: "it has had too many requests: wait some minutes and try again",
}


@contextlib.contextmanager
def hub_in_one_line(what: str) -> Iterator[None]:
    """Turn what the Hub, or the way to it, does wrong into a UserError that begins with ``what``.

    A bug in code of ours passes through: of errors that any code can raise only those count that
    came out of a library which speaks to the Hub.

    Example:
        >>> with hub_in_one_line("org/model could not be read"):
        ...     raise ConnectionError("no route to host")
        Traceback (most recent call last):
        aobench.errors.UserError: org/model could not be read: no connection to the Hub (no route to
        host); ...
    """
    try:
        with _limited_wait():
            yield
    except UserError:
        raise
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise UserError(f"{what}: {without_token(reason)}") from None


@contextlib.contextmanager
def _limited_wait() -> Iterator[None]:
    """The library's session gives up after WAIT seconds of silence, unless the user set it
    otherwise.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        yield  # nothing is asked; to make a session reads all certificates
        return
    session: Any = get_session()
    before = getattr(session, "timeout", None)
    if getattr(before, "read", 0) is not None:
        yield
        return
    session.timeout = WAIT
    try:
        yield
    finally:
        session.timeout = before


def _reason(error: BaseException) -> str | None:
    """What to say of an error; None where it is not the Hub's."""
    from huggingface_hub import errors

    status = _status(error)
    said = " ".join(str(error).split())[:200] or type(error).__name__
    if status is not None:
        mend = STATUS.get(
            status, "it fails: try again later" if status >= 500 else said
        )
        return f"the Hub answers {status}: {mend}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "offline mode is on (HF_HUB_OFFLINE): unset it, or name a local folder"
    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"the Hub: {STATUS[401]}"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return f"it is not in the local cache, and the Hub was not reached ({said})"
    if isinstance(error, errors.HFValidationError):
        return said
    # isinstance by name, as only the library that was used is there
    if _library(type(error)) in SPEAKERS or isinstance(
        error, ConnectionError | TimeoutError
    ):
        return (
            f"no connection to the Hub ({said}); check the network, HF_ENDPOINT and proxies, "
            "and try again"
        )
    if isinstance(error, OSError) and "onsistency check" in said:
        return f"the Hub's answer was cut short ({said}); try again"
    if (
        isinstance(error, MISREAD)
        and _raised_by(error.__traceback__) in SPEAKERS
    ):
        return (
            "the Hub's answer is not what was asked for (a page of a proxy or a log-in?); "
            "check HF_ENDPOINT"
        )
    return None


def no_network_reason(error: BaseException) -> str | None:
    """Why the Hub was not reached, where an error or what it came from says so; else None.

    Libraries wrap it: a model that isn't in the cache is an OSError of theirs, online and offline.
    """
    from huggingface_hub import constants, errors

    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, errors.OfflineModeIsEnabled) or (
            isinstance(chain, errors.LocalEntryNotFoundError)
            and constants.HF_HUB_OFFLINE
        ):
            return "offline mode is on (HF_HUB_OFFLINE)"
        if _status(chain) is None and _library(type(chain)) in TRANSPORTS:
            return f"no network: {without_token(' '.join(str(chain).split())[:200])}"
        chain = chain.__cause__ or chain.__context__
    return None


def _status(error: Any) -> int | None:
    """The HTTP status that an error carries."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) and status >= 400 else None


def _library(kind: type) -> str:
    """The library that a class, or one it comes from, belongs to."""
    names = [base.__module__.split(".")[0] for base in kind.__mro__]
    return next((name for name in names if name in SPEAKERS), names[0])


def _raised_by(trace: TracebackType | None) -> str:
    """The top package of the code that raised, past the standard library's JSON."""
    package = ""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0]
        package = (
            package
            if name in ("json", "contextlib", "_strptime", "datetime")
            else name
        )
        trace = trace.tb_next
    return package


def without_token(text: str) -> str:
    """``text`` with the user's token struck out."""
    if "huggingface_hub" not in sys.modules:
        return text
    from huggingface_hub import get_token

    token = get_token()
    return text.replace(token, "<token>") if token else text
