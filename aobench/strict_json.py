"""JSON, read strictly."""

from __future__ import annotations

import json
from typing import Any

from aobench.errors import UserError


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice"
        )
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def parse_json(text: str | bytes, where: str, shape: type | None = dict) -> Any:
    """The JSON value in ``text``: strictly, so that no key is lost and no NaN comes in.

    Args:
        text: the JSON.
        where: what it is, for the message, such as ``results.json of mini``.
        shape: the type that the value must have; None for any.

    Raises:
        UserError: for anything that is not JSON, is nested too deep, names a key twice, holds NaN
            or infinity, or is of another shape.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_doubles,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise UserError(
            f"{where} is nested too deep to be what it should be"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"{where} is not readable JSON ({' '.join(str(error).split())})"
        ) from error
    if shape is not None and not isinstance(value, shape):
        names: dict[Any, str] = {
            dict: "an object",
            list: "a list",
            str: "a text",
        }
        raise UserError(
            f"{where} should hold {names.get(shape, shape.__name__)} of JSON"
        )
    return value
