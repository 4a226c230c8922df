"""YAML, read strictly: plain values only, no key lost, no number that is another than it looks,
nothing that explodes.

YAML 1.1 has its surprises: ``010`` is 8, ``1:30`` is 90, the second of two equal keys wins, ten
lines of references make a billion values, and tags name things to build. Whoever was sent a
configuration reads it and knows what it says, or gets one line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from aobench.errors import UserError
from aobench.files import read_text

#: Of a configuration: bytes of the file, and values in it once all references are written out.
MOST_BYTES, MOST_VALUES = 1 << 24, 1_000_000

#: What YAML 1.1 takes for numbers and a reader would not, or would take for another number.
DOUBTFUL = re.compile(
    r"[-+]?(0[0-7_]+|0[xb][0-9a-fA-F_]+|[0-9][0-9_.]*(:[0-5]?[0-9])+(\.[0-9_]*)?|.*_.*)"
)

#: NUL and half characters, which no text of a configuration holds.
NOT_TEXT = re.compile("[\0\ud800-\udfff]")

PREFIX = "tag:yaml.org,2002:"


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that a configuration may not hold."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Loader(yaml.SafeLoader):
    """Mappings, lists, texts, numbers, true, false and null; dates are texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own way)
        letter: [
            (tag, pattern)
            for tag, pattern in pairs
            if tag != f"{PREFIX}timestamp"
        ]
        for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors: dict[Any, Any] = {}  # noqa: RUF012

    def unknown(self, node: yaml.Node) -> Any:
        raise _Refused(
            f"the tag {node.tag!r} is not for configurations; write a plain value",
            node,
        )

    def number(self, node: yaml.ScalarNode) -> int | float:
        text = node.value
        if DOUBTFUL.fullmatch(text) or len(text) > 400:
            raise _Refused(
                f"{_short(text)} is another number in YAML than it looks; write plain digits, or "
                "quote it",
                node,
            )
        whole = node.tag == f"{PREFIX}int"
        try:
            return (
                self.construct_yaml_int(node)
                if whole
                else self.construct_yaml_float(node)
            )
        except ValueError as error:
            raise _Refused(f"{_short(text)} is no number", node) from error

    def truth(self, node: yaml.ScalarNode) -> bool:
        if node.value.lower() not in self.bool_values:
            raise _Refused(
                f"{_short(node.value)} is neither true nor false", node
            )
        return self.bool_values[node.value.lower()]

    def text(self, node: yaml.ScalarNode) -> str:
        value = node.value
        if NOT_TEXT.search(value):
            raise _Refused(
                f"the text {_short(value)} holds NUL or half a character", node
            )
        return str(value)

    def mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        names = [
            key.value
            for key, _ in node.value
            if isinstance(key, yaml.ScalarNode)
        ]
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused("a key is a word, not a list or a mapping", key)
            if names.count(key.value) > 1 and len(names) < 10_000:
                raise _Refused(
                    f"the key {_short(key.value)} stands twice; take one out",
                    key,
                )
        if len(set(names)) < len(names):
            raise _Refused("a key stands twice; take one out", node)
        self.flatten_mapping(node)
        return self.construct_mapping(node, deep=True)

    def sequence(self, node: yaml.SequenceNode) -> list[Any]:
        return [self.construct_object(child, deep=True) for child in node.value]


for _tag, _method in {
    "null": yaml.SafeLoader.construct_yaml_null,
    "bool": _Loader.truth,
    "int": _Loader.number,
    "float": _Loader.number,
    "str": _Loader.text,
    "map": _Loader.mapping,
    "seq": _Loader.sequence,
}.items():
    _Loader.add_constructor(f"{PREFIX}{_tag}", _method)
_Loader.add_constructor(None, _Loader.unknown)


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else f"{value[:57]}...")


def read_yaml(path: str | Path, what: str = "the configuration") -> Any:
    """The value of a YAML file of plain values.

    Args:
        path: a UTF-8 file.
        what: its role in messages.

    Raises:
        UserError: for what can't be read, isn't YAML, is nested too deep, refers to itself, grows
            beyond a million values, names a key twice, holds a tag, a NUL, or a number that YAML
            takes for another than it looks (``010``, ``1:30``, ``1_000``).
    """
    text = read_text(path, what, MOST_BYTES)
    try:
        return parse_yaml(text)
    except RecursionError:
        raise UserError(f"{what} {path} is nested too deep to be one") from None
    except yaml.YAMLError as error:
        raise UserError(
            f"{what} {path} can't be read as YAML: {' '.join(str(error).split())[:400]}"
        ) from error


def parse_yaml(text: str) -> Any:
    """The value of a YAML text. Raises yaml.YAMLError, with the line, or RecursionError.

    Example:
        >>> parse_yaml("{images: 3, name: 2024-01-01}")
        {'images': 3, 'name': '2024-01-01'}
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _written_out(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node has once its references are written out; known: of nodes that were
    counted before.

    Raises an error for a node that holds itself, and beyond MOST_VALUES.
    """
    if id(node) in known:
        if known[id(node)] == 0:
            raise _Refused("it refers to itself", node)
        return known[id(node)]
    known[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [child for pair in node.value for child in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    known[id(node)] = 1 + sum(_written_out(child, known) for child in children)
    if known[id(node)] > MOST_VALUES:
        raise _Refused(
            f"its references make more than {MOST_VALUES:,} values", node
        )
    return known[id(node)]
