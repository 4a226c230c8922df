"""Names of splits in people's data, and what each is taken for.

Rules:
- ``id`` or ``seen`` -> ``id``; ``ood``, ``novel`` or ``unseen`` -> ``ood``; no split at all ->
  ``ood``.
- ``train`` and ``test``: a pair is seen where ``train`` has a picture of it. Pictures of ``test``
  whose pair is seen -> ``id``, the others -> ``ood``. A ``test`` without a ``train`` is ``ood``,
  and a note says so.
- ``train`` -> ``train``, only on request. ``val`` is left out and counted.
- ``test`` beside ``id`` or ``ood`` is refused, since it could be either; so is a pair that is novel
  by one picture and seen by another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aobench.errors import UserError, did_you_mean
from aobench.layouts.base import LabelledPicture
from aobench.layouts.report import LeftOut

#: Name of a split, in lower case -> its role.
SPLIT_ROLES = {
    **dict.fromkeys(("id", "seen"), "id"),
    **dict.fromkeys(("ood", "novel", "unseen"), "ood"),
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

Pair = tuple[str, str]


def split_role(name: str) -> str | None:
    """The role that a split's name stands for: id, ood, train, val or test; None for other
    names."""
    return SPLIT_ROLES.get(name.strip().casefold())


def table_split(name: str) -> str:
    """The role of the split that a table's name tells: id, ood, train, val or test; "" for none.

    Example:
        >>> table_split("data/validation-00000-of-00014.parquet"), table_split("val/0.parquet")
        ('val', 'val')
    """
    folder, _, file = name.rpartition("/")
    words = (
        file.partition("-")[0].partition(".")[0],
        folder.rpartition("/")[2],
    )
    return next((role for word in words if (role := split_role(word))), "")


def refuse_unknown_splits(names: Iterable[str], where: str) -> None:
    """UserError for the first name that is no split's."""
    for name in sorted(names):
        if split_role(name) is None:
            raise UserError(
                f"{where}: {name!r} is not a split that is known{did_you_mean(name, SPLIT_ROLES)}; "
                f"known are {', '.join(SPLIT_ROLES)}"
            )


def place_in_splits(
    pictures: list[LabelledPicture],
    pair_of: Callable[[LabelledPicture], Pair],
    with_train: bool,
    left_out: LeftOut,
    where: str,
) -> tuple[list[tuple[str, LabelledPicture]], dict[str, str]]:
    """(split, picture) of each picture that is taken, and what each name of a split was taken for.

    Args:
        pictures: with the names of their splits as they are in the data.
        pair_of: gives a picture's pair.
        with_train: take training pictures as split ``train``.
        left_out: counts what is not taken.
        where: the data's place, for messages.

    Raises:
        UserError: where the splits contradict each other (see the module's rules), or nothing is
            left.
    """
    names = {picture.split for picture in pictures} - {""}
    roles = {
        name: SPLIT_ROLES[name.strip().casefold()] for name in sorted(names)
    }
    both = [name for name, role in roles.items() if role in ("id", "ood")]
    tests = [name for name, role in roles.items() if role == "test"]
    if both and tests:
        raise UserError(
            f"{where}: the splits {both[0]!r} and {tests[0]!r} stand side by side, and nothing "
            "says whether the pairs "
            f"of {tests[0]!r} are seen or novel: name its pictures id (seen) or ood (novel)"
        )
    train = {
        pair_of(p) for p in pictures if p.split and roles[p.split] == "train"
    }
    meanings = {
        name: _meaning(role, bool(train), with_train)
        for name, role in roles.items()
    }
    if any(not picture.split for picture in pictures):
        meanings["none"] = (
            "no split is named, so all pairs are taken as novel (ood)"
        )
    placed = []
    for picture in pictures:
        role = roles[picture.split] if picture.split else "ood"
        if role == "test":
            role = "id" if pair_of(picture) in train else "ood"
        if role == "val" or (role == "train" and not with_train):
            left_out.add(f"split_{role}", picture.sample_id)
        else:
            placed.append((role, picture))
    seen = train | {
        pair_of(picture) for split, picture in placed if split == "id"
    }
    for split, picture in placed:
        if split == "ood" and pair_of(picture) in seen:
            raise UserError(
                f"{where}: the pair {' + '.join(pair_of(picture))} of {picture.where} is novel "
                "(ood), but other "
                "pictures of it are in id or train: move them into one of the two"
            )
    if not placed:
        raise UserError(
            f"{where} has no pictures to test with: all are in {', '.join(roles) or 'no split'}"
        )
    return placed, meanings


def _meaning(role: str, train: bool, with_train: bool) -> str:
    return {
        "id": "id, pairs that were seen",
        "ood": "ood, novel pairs",
        "val": "left out",
        "train": (
            "train"
            if with_train
            else "says which pairs are seen; its pictures are left out"
        ),
        "test": (
            "id where train has the pair, ood where it has not"
            if train
            else "ood, novel pairs: no split train says which pairs are seen"
        ),
    }[role]
