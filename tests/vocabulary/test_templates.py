"""Templates of one's own: text, one a line, each with one slot."""

from __future__ import annotations

from pathlib import Path

import pytest

from aobench.errors import UserError
from aobench.vocabulary.templates import read_templates


@pytest.mark.parametrize("control", ["\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_control_character_in_a_template_is_refused_with_its_line(
    control: str, tmp_path: Path
) -> None:
    path = tmp_path / "templates.txt"
    path.write_text(f"# prompts\na {{}}.\na photo{control} of a {{}}.\n", "utf-8")
    with pytest.raises(UserError) as error:
        read_templates(path)
    assert (
        f"line 3: a template holds the control character U+{ord(control):04X}"
        in str(error.value)
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_end_of_line_parts_templates(end: str, tmp_path: Path) -> None:
    path = tmp_path / "templates.txt"
    path.write_bytes(end.join(["# prompts", "", " a {}.\t", "the\t{}"]).encode())
    assert read_templates(path) == ("a {}.", "the\t{}")
