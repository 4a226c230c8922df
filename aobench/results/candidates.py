"""What a model chooses from: the candidate list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aobench.errors import UserError
from aobench.vocabulary.templates import texts_hash

MODES = {
    "closed": "the compositions that occur in the split",
    "open": "every attribute with every object of the dataset's vocabulary",
    "objects": "object names alone",
    "attributes": "attribute names alone",
}


@dataclass(frozen=True)
class Candidates:
    """The candidate list: for each candidate its attribute id and object id, -1 where it has none.

    ``attribute_names``, ``object_names``: the dataset's, by id; empty in tables of earlier
    versions.
    """

    mode: str
    attributes: tuple[int, ...]
    objects: tuple[int, ...]
    names: tuple[str, ...]
    attribute_names: tuple[str, ...] = ()
    object_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def hash(self) -> str:
        """Identity of the list: rows with different hashes are not comparable."""
        return texts_hash(self.names)


def candidates(
    mode: str,
    pairs: Sequence[tuple[int, int]],
    attributes: Sequence[str],
    objects: Sequence[str],
) -> Candidates:
    """Candidates of ``mode`` for a split whose images have the (attribute id, object id) ``pairs``.

    Closed lists hold what occurs in the split, in id order. Raises UserError for an unknown mode,
    and where two candidates are one and the same text.
    """
    if mode == "closed":
        chosen = sorted(set(pairs))
    elif mode == "open":
        chosen = [(a, o) for a in range(len(attributes)) for o in range(len(objects))]
    elif mode == "objects":
        chosen = [(-1, o) for o in sorted({o for _, o in pairs})]
    elif mode == "attributes":
        chosen = [(a, -1) for a in sorted({a for a, _ in pairs})]
    else:
        raise UserError(
            f"unknown candidates {mode!r}; choose one of {', '.join(MODES)}"
        )
    names = tuple(
        " ".join(([attributes[a]] if a >= 0 else []) + ([objects[o]] if o >= 0 else []))
        for a, o in chosen
    )
    _refuse_one_text(names, chosen, attributes, objects)
    ids = (tuple(a for a, _ in chosen), tuple(o for _, o in chosen))
    return Candidates(mode, *ids, names, tuple(attributes), tuple(objects))


def _refuse_one_text(
    names: Sequence[str],
    chosen: Sequence[tuple[int, int]],
    attributes: Sequence[str],
    objects: Sequence[str],
) -> None:
    """Raise UserError where two candidates read alike, such as "red" + "brick bakery" and "red
    brick" + "bakery".
    """
    seen: dict[str, tuple[int, int]] = {}
    for name, pair in zip(names, chosen, strict=True):
        other = seen.setdefault(" ".join(name.split()), pair)
        if other != pair:
            first, second = (
                " + ".join(
                    repr(listed[i])
                    for listed, i in zip((attributes, objects), ids, strict=True)
                    if i >= 0
                )
                for ids in (other, pair)
            )
            raise UserError(
                f"two candidates are one and the same text, {name!r}: {first} and {second}; no "
                "model can tell them "
                "apart: rename an attribute or object of the set, or take one of the two out"
            )
