"""What tests of refusals share: a place is refused in one line, or what is left out of it is
counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aobench.errors import UserError
from aobench.layouts import LayoutReport, read_layout
from helpers import one_set
from helpers.one_set import put

PICTURE = one_set.picture(1)


def refused(place: Path | str, **options: Any) -> str:
    """The one line that refuses a place."""
    with pytest.raises(UserError) as caught:
        read_layout(str(place), **options)
    line = str(caught.value)
    assert "\n" not in line, "one line"
    assert len(line) < 1500, line
    return line


def folder_of(root: Path, *names: str) -> Path:
    """A folder with a picture at each name."""
    for name in names:
        put(root, name, PICTURE)
    return root


def left_out(report: LayoutReport) -> dict[str, int]:
    """Counts by reason."""
    return {reason: facts["count"] for reason, facts in report.left_out.items()}


def names_file(path: Path, *names: str) -> str:
    """A text file of names."""
    path.write_text("\n".join(names) + "\n", encoding="utf-8")
    return str(path)
