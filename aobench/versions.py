"""Versions of installed packages."""

from __future__ import annotations

import functools
from collections.abc import Iterable


@functools.cache
def package_version(name: str) -> str | None:
    """The version of an installed package; None where it is not installed. It is looked up once.

    Example:
        >>> package_version("no-such-package") is None
        True
    """
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def package_versions(names: Iterable[str]) -> dict[str, str | None]:
    """`package_version` of each, in their order."""
    return {name: package_version(name) for name in names}
