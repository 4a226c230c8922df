"""Loading a model that the configuration names: what goes wrong is told in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from aobench.errors import UserError


@contextlib.contextmanager
def one_line(model: str) -> Iterator[None]:
    """Turn a library's error on loading into a UserError that names the model."""
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{model!r} could not be loaded: {reason}") from error
