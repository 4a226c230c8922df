"""The published lists as `imagenet_ao` defines them, without its import of ``datasets``, which
takes half a second.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

#: The project's own sets, by the names of their configs; any other set is somebody's own.
OUR_SETS = ("v2", "mini")


class Lists(NamedTuple):
    """``attributes``, and ``objects``: name -> (wnid, ImageNet index), in the order of
    `imagenet_ao`.
    """

    attributes: tuple[str, ...]
    objects: dict[str, tuple[str, int]]


@cache
def published_lists() -> Lists:
    """The 129 attributes and 1,000 objects. Their assignments alone are run where the module is
    not loaded yet.
    """
    found: dict[str, Any] = {}
    if "imagenet_ao" in sys.modules:
        found = vars(sys.modules["imagenet_ao"])
    else:
        spec = find_spec("imagenet_ao")
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        tree.body = [
            node
            for node in tree.body
            if _assigned(node) & {"_CLASSES", "ATTRIBUTES", "OBJECTS"}
        ]
        exec(compile(tree, spec.origin, "exec"), found)
    return Lists(found["ATTRIBUTES"], found["OBJECTS"])


def _assigned(node: ast.stmt) -> set[str]:
    """The names that a statement at a module's top assigns."""
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return {target.id for target in targets if isinstance(target, ast.Name)}
