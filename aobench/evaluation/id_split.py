"""ImageNet's pictures as the split id of a dataset that was prepared without them."""

from __future__ import annotations

from typing import Any


def with_id_split(rows: dict[str, Any], seen: Any) -> dict[str, Any]:
    """The dataset with ``seen`` as its split ``id``, the objects of all splits under one numbering.

    An object of the dataset that is a class of ImageNet keeps its name; the other classes come
    under their published ones.

    Args:
        rows: ``datasets.Dataset`` by split.
        seen: ImageNet's pictures, as the config ``v2`` gives them.
    """
    import datasets

    from aobench.layouts.form import imagenet_class

    first = next(iter(rows.values()))
    kind = first.features["object"]
    if not isinstance(kind, datasets.ClassLabel):
        return {**rows, "id": seen}  # which is refused for what it is
    spelling = {imagenet_class(name)[1]: name for name in kind.names}
    published = seen.features["object"].names
    shown = [spelling.get(imagenet_class(name)[1], name) for name in published]
    names = sorted({*kind.names, *shown})
    if shown == list(kind.names):
        names = shown
    place = {name: number for number, name in enumerate(names)}
    moved = {
        split: _numbered(
            part, "object", names, [place[name] for name in kind.names]
        )
        for split, part in rows.items()
    }
    seen = _renamed(seen, shown)
    seen = _numbered(seen, "object", names, [place[name] for name in shown])
    attributes = first.features["attribute"]
    features = seen.features.copy()
    features["attribute"] = attributes
    return {"id": seen.cast(features), **moved}


def _renamed(seen: Any, shown: list[str]) -> Any:
    """The pictures with the names of their objects as compositions."""
    texts = [shown[number] for number in seen["object"][:]]
    if texts == seen["composition"][:]:
        return seen
    return seen.remove_columns("composition").add_column("composition", texts)


def _numbered(
    rows: Any, column: str, names: list[str], numbers: list[int]
) -> Any:
    """The rows with a column of ids under other ``numbers`` of ``names``."""
    import datasets

    kind = datasets.ClassLabel(names=names)
    if rows.features[column].names == names:
        return rows
    ids = [None if one is None else numbers[one] for one in rows[column][:]]
    return rows.remove_columns(column).add_column(column, ids, feature=kind)
