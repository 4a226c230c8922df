"""The library is a row of rooms: one imports only rooms before it. What goes to the Hub alone
imports none of them.
"""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "vocabulary",
    "layouts",
    "models",
    "audit",
    "bindings",
    "mini",
    "results",
    "evaluation",
    "analysis",
    "publish",
    "annotation",
    "duplicates",
    "newset",
    "study",
)


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_folder_of_the_library_is_a_room():
    folders = {path.parent.name for path in (ROOT / "aobench").glob("*/*.py")}
    assert folders == set(ROOMS), (
        "name a new room in ROOMS, in the order that the data takes"
    )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room):
    later = set(ROOMS[ROOMS.index(room) + 1 :])
    for path in sorted((ROOT / "aobench" / room).rglob("*.py")):
        rooms = {
            name.split(".")[1]
            for name in imported(path)
            if name.startswith("aobench.")
        }
        assert not rooms & later, (
            f"{path.relative_to(ROOT)} imports {', '.join(sorted(rooms & later))}"
        )


@pytest.mark.parametrize(
    "path", ["imagenet_ao.py", "metrics/compositional_ood/compositional_ood.py"]
)
def test_what_is_copied_alone_imports_nothing_of_the_library(path):
    assert not [
        name
        for name in imported(ROOT / path)
        if name.split(".")[0] == "aobench"
    ]


def test_no_files_import_each_other_in_a_circle():
    spec = importlib.util.spec_from_file_location(
        "structure", ROOT / "benchmarks/structure.py"
    )
    structure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(structure)
    paths = structure.sources(ROOT)
    modules = {structure.module_of(path, ROOT) for path in paths}
    graph = {
        structure.module_of(path, ROOT): structure.imports_of(path, modules)
        - {structure.module_of(path, ROOT)}
        for path in paths
    }
    assert structure.circles(graph) == []


def test_test_modules_share_by_the_helpers_alone():
    """A module that others need stands in tests/helpers; nothing is imported by a path."""
    tests = ROOT / "tests"
    here = {path.stem for path in tests.rglob("*.py")} - {
        "__init__",
        "__main__",
    }
    shared = {path.stem for path in (tests / "helpers").glob("*.py")}
    for path in sorted(tests.rglob("test_*.py")):
        others = imported(path) & (
            here | {f"helpers.{name}" for name in here - shared}
        )
        if (
            path.parent.name != "campaign"
        ):  # a package of its own, beside its tests
            assert not others, (
                f"{path.relative_to(tests)} imports {sorted(others)}"
            )
        text = path.read_text(encoding="utf-8")
        tricks = [
            line for line in text.splitlines() if line.startswith("sys.path")
        ]
        assert not tricks, f"{path.relative_to(tests)}: {tricks}"
