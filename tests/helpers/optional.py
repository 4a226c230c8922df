"""Tests that need a library which may be absent."""

from importlib import metadata

import pytest
from packaging.version import Version


def need_library(name, least):
    """Skip the test where a library is absent, or older than ``least``; nothing is imported, as
    by `pytest.importorskip`: a process of its own needs it.

    Example:
        >>> need_library("pytest", "6")
    """
    try:
        there = Version(metadata.version(name)) >= Version(least)
    except metadata.PackageNotFoundError:
        there = False
    if not there:
        pytest.skip(f"{name} is absent, or older than {least}")
