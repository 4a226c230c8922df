"""What the documents promise is there: commands, files, docstrings of public names."""

import ast
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from aobench import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
IDS = [path.name for path in DOCUMENTS]

#: Beginnings of a command in a code block, or of one in backticks within a sentence.
IN_BLOCK = r"^(?:{0}) .*$"
IN_TEXT = r"`((?:{0}) [^`]+)`"


def commands(path: Path, program: str) -> list[list[str]]:
    """The commands of ``program`` that a document names, as words, without comments."""
    blocks, sentences = [], []
    for number, part in enumerate(
        re.split(r"^```.*$", path.read_text(), flags=re.MULTILINE)
    ):
        (blocks if number % 2 else sentences).append(part)
    lines = re.findall(
        IN_BLOCK.format(program), "\n".join(blocks), re.MULTILINE
    )
    lines += re.findall(IN_TEXT.format(program), "\n".join(sentences))
    return [shlex.split(line, comments=True) for line in lines]


def own_parser():
    """The command's parser, whatever its maker is called."""
    return (getattr(cli, "command_parser", None) or cli._parser)()


def fault_in(words: list[str], capsys) -> str | None:
    """What the command says of these words; None where they parse. A verb alone, as a sentence
    names it, need not have its arguments.
    """
    if words[1:] in (["VERB"], []):
        return None
    try:
        own_parser().parse_args(
            words[1:] if len(words) > 2 else [words[1], "--help"]
        )
    except SystemExit as end:
        said = capsys.readouterr().err
        # an extra that is not installed is no fault of the document
        return said if end.code and "pip install" not in said else None
    return None


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_documented_commands_parse(path, capsys):
    for words in commands(path, "imagenet-ao"):
        fault = fault_in(words, capsys)
        assert fault is None, f"{path.name}: {' '.join(words)}: {fault}"


def test_an_option_that_does_not_exist_would_be_noticed(tmp_path, capsys):
    document = tmp_path / "README.md"
    document.write_text(
        "Run `imagenet-ao evaluate mini --limits 3`.\n\n```\nimagenet-ao scores x\n```\n"
    )
    known = commands(document, "imagenet-ao")
    assert len(known) == 2, "a command in a sentence or a block is passed over"
    assert all(fault_in(words, capsys) for words in known)


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_documented_programs_exist(path):
    for words in commands(path, "python"):
        if words[1] == "-m":
            assert find_spec(words[2]), f"{path.name}: no module {words[2]}"
        elif words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file(), (
                f"{path.name}: no file {words[1]}"
            )
    targets = re.findall(
        r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    for words in commands(path, "make"):
        assert words[1] in targets, (
            f"{path.name}: make has no target {words[1]}"
        )


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_within_the_repository_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#\s]+)\)", path.read_text())
    for link in links:
        if not link.startswith(("http://", "https://")):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"


def undocumented(tree: ast.Module) -> list[str]:
    """Public functions, classes and their public methods without a docstring."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = []
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            inner = node.body if isinstance(node, ast.ClassDef) else []
            both = [(node.name, node)]
            both += [
                (f"{node.name}.{one.name}", one)
                for one in inner
                if isinstance(one, kinds) and not one.name.startswith("_")
            ]
            names += [
                name for name, one in both if ast.get_docstring(one) is None
            ]
    return names


def test_public_names_are_documented():
    paths = [
        *sorted((ROOT / "aobench").rglob("*.py")),
        ROOT / "imagenet_ao.py",
        *sorted((ROOT / "metrics").rglob("*.py")),
    ]
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in undocumented(ast.parse(path.read_text()))
    ]
    assert not missing, "write a docstring: " + ", ".join(missing)


def test_a_name_without_a_docstring_would_be_noticed():
    text = "def seen():\n    pass\n\nclass Known:\n    '''x'''\n    def method(self):\n        pass\n"
    assert undocumented(ast.parse(text)) == ["seen", "Known.method"]


def test_every_module_says_what_it_is_for():
    missing = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "aobench").rglob("*.py"))
        if path.read_text().strip()
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not missing, missing


def test_the_package_the_changelog_and_the_citation_name_one_version():
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(
        r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert newest
    asked = [sys.executable, "setup.py", "--version"]
    built = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert built.stdout.split()[-1] == citation["version"] == newest[1], (
        built.stderr
    )
    cited = [one["identifiers"][0]["value"] for one in citation["references"]]
    assert cited == ["arXiv:2403.18525", "arXiv:2407.05897"]


def test_the_hooks_run_what_lint_runs():
    import yaml

    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())[
        "repos"
    ]
    assert [one["repo"] for one in hooks] == ["local"], (
        "a hook that is downloaded"
    )
    entries = [hook["entry"] for hook in hooks[0]["hooks"]]
    assert entries[-1] == "make lint"
