"""Measures the structure of the library: rooms, imports, density, names, concepts that are defined more than once.

    python benchmarks/structure.py [ROOT]

It reads source only; nothing is imported. A *concept* is counted by the functions or statements that define it again,
by the patterns below, in every Python file that ships.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

ORDERS = (
    (
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
    ),
    (
        "vocabulary",
        "audit",
        "mini",
        "models",
        "evaluation",
        "build",
        "analysis",
        "publish",
        "study",
    ),
)
CONCEPTS = {
    "effective generalization": r"^def (fit_line|_?(rho|beyond)\(.*baseline)",
    "transforms T": r"^(TRANSFORMS|SCALES)\b.*\{",
    "which answer is right": r"rank\"?\]? == 0|dtype=np.int64\) == 0|best == label|top\[0\] ==|predicted == right",
    "accuracy by part": r"^def (_by_part|_by_attribute|part_rates)\(",
    "reading results.json": r"def (_load_json|read_result)\(",
    "comparable": r"^(RESULT_KEYS|COMPARED)\b|^def (comparable_settings|setting)\(",
    "tasks of the benchmark": r"^TASKS\b.*\n.*\"composition_top1\"",
    "NMI": r"^def _?(nmi|mutual_information|normalised_information)\(",
    "SHA-256 of a file": r"file_digest\(",
    "atomic write": r"\.part\"|\.tmp\"|\.replace\(path\)",
    "did you mean": r"get_close_matches\(",
    "package versions": r"metadata\.version\(|[^.]\bversion\(name\)",
    "pixels at most": r"^(MAX_PIXELS|MOST_PIXELS)\b",
    "no prediction": r"^NO_PREDICTION\b",
    "colours (Okabe and Ito)": r"#0072B2.*#D55E00|^(OKABE|COLOURS)\w* =",
    "CSV reading": r"csv\.(reader|DictReader)\(|^def csv_records\(",
}


def sources(root: Path) -> list[Path]:
    """The Python files of the library."""
    return sorted((root / "aobench").rglob("*.py"))


def room_of(path: Path, root: Path) -> str:
    """The folder of the library that a file stands in; ``ground`` for its own files."""
    parts = path.relative_to(root / "aobench").parts
    return parts[0] if len(parts) > 1 else "ground"


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """The library's modules that a file imports, inside functions too; not those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(
            node.test
        ):
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {
                node.module
            }
    return names & modules


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of files that import each other in a circle (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            cut = stack.index(name)
            group, stack[cut:] = stack[cut:], []
            if len(group) > 1:
                groups.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return groups


def code_lines(text: str) -> int:
    """Lines that hold code: no comments, blank lines or docstrings."""
    lines: set[int] = set()
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(
            node,
            ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module,
        ):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(
                getattr(first.value, "value", None), str
            ):
                lines -= set(
                    range(first.lineno, (first.end_lineno or first.lineno) + 1)
                )
    return len(lines)


def public_names(text: str) -> list[str]:
    """Functions and classes of a module's top level whose names have no underscore in front."""
    body = ast.parse(text).body
    kinds = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    return [
        node.name
        for node in body
        if isinstance(node, kinds) and node.name[0] != "_"
    ]


def words_in(name: str) -> int:
    """Number of words in a name in snake case or camel case."""
    return len(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name))


def main(root: Path) -> None:
    """Print the measures of the checkout at ``root``."""
    paths = sources(root)
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    modules = {module_of(path, root) for path in paths}
    graph = {
        module_of(path, root): imports_of(path, modules)
        - {module_of(path, root)}
        for path in paths
    }
    rooms = {module_of(path, root): room_of(path, root) for path in paths}
    order = max(ORDERS, key=lambda one: len(set(one) & set(rooms.values())))
    place = {name: number for number, name in enumerate(("ground", *order))}
    entrances = {
        "aobench.layouts",
        "aobench",
        "aobench.cli",
        "aobench.__main__",
        "aobench.api",
        "aobench.installation",
    }
    up = [
        (a, b)
        for a, others in graph.items()
        for b in others
        if a not in entrances
        and place.get(rooms[b], 99) > place.get(rooms[a], 99)
    ]
    sizes: dict[str, int] = {}
    for path in paths:
        sizes[room_of(path, root)] = sizes.get(
            room_of(path, root), 0
        ) + code_lines(texts[path])
    total = sum(sizes.values())
    largest = max(sizes, key=lambda name: sizes[name])
    nodes = sum(
        sum(1 for _ in ast.walk(ast.parse(text))) for text in texts.values()
    )
    names = [name for text in texts.values() for name in public_names(text)]
    one = sum(words_in(name) == 1 for name in names)
    shipped = [
        *paths,
        root / "imagenet_ao.py",
        *sorted((root / "spaces").rglob("*.py")),
        *sorted((root / "metrics").rglob("*.py")),
    ]
    everything = [path.read_text(encoding="utf-8") for path in shipped]
    skips = sum(text.count("fmt: skip") for text in everything)
    long = [
        str(path.relative_to(root))
        for path in shipped
        if path.read_text(encoding="utf-8").count("\n") > 400
    ]
    print(
        f"rooms: {len(set(rooms.values()) - {'ground'})}; lines of code: {total:,}"
    )
    print(f"arrows that run back up: {len(up)} {sorted(up)[:4] if up else ''}")
    print(
        f"circles of files: {len(circles(graph))} {circles(graph)[:3] if circles(graph) else ''}"
    )
    print(
        f"largest room: {largest}, {sizes[largest] / total:.0%} of the lines of code"
    )
    print(f"files over 400 lines: {len(long)} {' '.join(long)}")
    print(f"syntax nodes a line of code: {nodes / total:.1f}")
    print(f"fmt: skip: {skips}")
    print(
        f"public names of one word: {one} of {len(names)}, {one / len(names):.0%}"
    )
    for concept, pattern in CONCEPTS.items():
        count = sum(
            len(re.findall(pattern, text, re.MULTILINE)) for text in everything
        )
        print(f"defined in {count} places: {concept}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
