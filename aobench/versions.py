"""Versions of installed packages."""

from __future__ import annotations

from collections.abc import Iterable


def package_version(name: str) -> str | None:
    """The version of an installed package; None where it is not installed.

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
