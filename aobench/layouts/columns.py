"""What a list calls its columns, where not as `aobench.layouts.list_file` does.

Example:
    >>> read_columns("file=path,attribute=state")
    {'file': 'path', 'attribute': 'state'}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aobench.errors import UserError, did_you_mean

#: The names that a column may be given for.
COLUMN_ROLES = ("image", "file", "attribute", "object", "split", "sample_id")


def read_columns(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    """Role and column of each ``ROLE=COLUMN``, parted by commas, or of a mapping.

    Raises:
        UserError: for an unknown role, and where one is named twice or a column is for two.
    """
    if not columns:
        return {}
    if isinstance(columns, str):
        parts = [part.partition("=") for part in columns.split(",")]
        pairs = [(role.strip(), column.strip()) for role, _, column in parts]
    else:
        pairs = list(columns.items())
    for role, column in pairs:
        if role not in COLUMN_ROLES:
            raise UserError(
                f"columns: {role!r} is none of {', '.join(COLUMN_ROLES)}"
                f"{did_you_mean(role, COLUMN_ROLES)}; write ROLE=COLUMN, such as attribute=state"
            )
        if not column:
            raise UserError(
                f"columns: {role} names no column; write {role}=COLUMN"
            )
    for what, names in zip(
        ("role", "column"), zip(*pairs, strict=True), strict=True
    ):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(
                f"columns: the {what} {twice!r} stands twice; keep one of them"
            )
    return dict(pairs)


def by_role(names: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """The column of a list by what it is called in the layout: its role, or its own name.

    Example:
        >>> by_role(["path", "state", "object"], {"file": "path", "attribute": "state"})
        {'object': 'object', 'file': 'path', 'attribute': 'state'}
    """
    own = {name: name for name in names if name not in columns.values()}
    renamed = {
        role: column for role, column in columns.items() if column in names
    }
    return {**own, **renamed}
