"""Templates of one's own: text, one a line, each with one slot."""

from __future__ import annotations

from pathlib import Path

import pytest

from aobench.audit.vocabulary import read_names
from aobench.errors import UserError
from aobench.vocabulary.templates import read_templates


@pytest.mark.parametrize(
    "control", ["\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"]
)
def test_a_control_character_in_a_template_is_refused_with_its_line(
    control: str, tmp_path: Path
) -> None:
    path = tmp_path / "templates.txt"
    path.write_text(
        f"# prompts\na {{}}.\na photo{control} of a {{}}.\n", "utf-8"
    )
    with pytest.raises(UserError) as error:
        read_templates(path)
    assert f"line 3 holds the control character U+{ord(control):04X}" in str(
        error.value
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_end_of_line_parts_templates(end: str, tmp_path: Path) -> None:
    path = tmp_path / "templates.txt"
    path.write_bytes(
        end.join(["# prompts", "", " a {}.\t", "the\t{}"]).encode()
    )
    assert read_templates(path) == ("a {}.", "the\t{}")


@pytest.mark.parametrize("content", ["", "# nothing\n\n", "\n \t\n"])
def test_a_list_of_names_without_a_name_is_named(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "objects.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=r"objects\.txt holds no name"):
        read_names(path)


@pytest.mark.parametrize("control", ["\0", "\x1f", "\x85"])
def test_a_control_character_in_a_list_of_names_is_refused(
    control: str, tmp_path: Path
) -> None:
    path = tmp_path / "objects.txt"
    path.write_text(f"fox\nla{control}mp\n", "utf-8")
    with pytest.raises(
        UserError, match=r"objects.txt, line 2 holds the control"
    ):
        read_names(path)
