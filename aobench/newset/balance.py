"""Which of the free compositions are taken: evenly over attributes and objects, as many as the
caps allow; or each attribute and each object as often as is asked for.
"""

from __future__ import annotations

import numpy as np


def balanced_choice(
    free: np.ndarray,
    count: int | None,
    per_attribute: int | None,
    per_object: int | None,
    seed: int,
) -> np.ndarray:
    """bool (attributes, objects): up to ``count`` of the ``free`` pairs, spread evenly.

    The attribute with the fewest pairs so far takes the free object with the fewest; ties are
    broken by the seed. Where that ends short of ``count`` because the caps stand in each other's
    way, pairs are exchanged until no other choice under these caps holds more. Then pairs move,
    within their attribute, from objects with many to objects with few.
    """
    if count is None and per_attribute is None and per_object is None:
        return free.copy()
    rng = np.random.default_rng((seed, 1))
    tie_a, tie_o = (
        rng.permutation(free.shape[0]),
        rng.permutation(free.shape[1]),
    )
    tie = rng.random(free.shape)
    chosen = np.zeros(free.shape, bool)
    left = free.copy()
    used_a, used_o = np.zeros(free.shape[0], int), np.zeros(free.shape[1], int)
    wanted = int(free.sum()) if count is None else count
    for _ in range(wanted):
        open_a = (
            left.any(1)
            if per_attribute is None
            else left.any(1) & (used_a < per_attribute)
        )
        if not open_a.any():
            break
        rows = np.flatnonzero(open_a)
        a = int(rows[np.lexsort((tie_a[rows], used_a[rows]))[0]])
        columns = np.flatnonzero(left[a])
        o = int(
            columns[
                np.lexsort((tie_o[columns], tie[a, columns], used_o[columns]))[
                    0
                ]
            ]
        )
        left[a, o] = False
        chosen[a, o] = True
        used_a[a] += 1
        used_o[o] += 1
        if per_object is not None and used_o[o] >= per_object:
            left[:, o] = False
    a_cap, o_cap = (
        free.size if cap is None else cap for cap in (per_attribute, per_object)
    )
    caps = np.full(free.shape[0], a_cap), np.full(free.shape[1], o_cap)
    while chosen.sum() < wanted and _exchange(
        chosen, free, caps, (tie_a, tie_o)
    ):
        pass
    _level(chosen, free)
    return chosen


def matched_choice(
    free: np.ndarray,
    per_attribute: np.ndarray,
    per_object: np.ndarray,
    seed: int,
) -> np.ndarray:
    """As many ``free`` pairs as fit, each attribute and object at most as often as asked for.

    A maximum flow from attributes to objects. Pairs are taken in an order drawn by the seed; where
    that ends short, they are exchanged until no other choice holds more.

    Args:
        free: bool (attributes, objects), the pairs to choose from.
        per_attribute: whole numbers (attributes): how often each is wanted.
        per_object: whole numbers (objects): how often each is wanted.
        seed: the same seed chooses the same pairs.

    Returns:
        bool (attributes, objects). Where every wish can be met, its sums over either axis are the
        two arguments; otherwise no choice has a larger total.

    Example:
        >>> free = np.array([[True, True], [True, False]])
        >>> matched_choice(free, np.array([1, 1]), np.array([1, 1]), seed=0).astype(int).tolist()
        [[0, 1], [1, 0]]
    """
    rng = np.random.default_rng((seed, 3))
    ties = rng.permutation(free.shape[0]), rng.permutation(free.shape[1])
    chosen = np.zeros(free.shape, bool)
    open_a, open_o = per_attribute.copy(), per_object.copy()
    for a, o in rng.permutation(np.argwhere(free)).tolist():
        if open_a[a] > 0 and open_o[o] > 0:
            chosen[a, o] = True
            open_a[a] -= 1
            open_o[o] -= 1
    while _exchange(chosen, free, (per_attribute, per_object), ties):
        pass
    return chosen


def _exchange(
    chosen: np.ndarray,
    free: np.ndarray,
    caps: tuple[np.ndarray, np.ndarray],
    ties: tuple[np.ndarray, np.ndarray],
) -> bool:
    """One pair more, in place, by an augmenting path (Ford and Fulkerson 1956); False where there
    is none. ``caps``: the most of each attribute and of each object.

    From an attribute with room, pairs are taken and others of the same objects given back, by the
    fewest exchanges, until an object with room is reached. Only the first attribute and the last
    object have one pair more then.
    """
    used_a, used_o = chosen.sum(1), chosen.sum(0)
    taken_by = np.full(free.shape[1], -1)
    given_back = np.full(free.shape[0], -2)
    order = np.lexsort((ties[0], used_a)).tolist()
    layer = [a for a in order if used_a[a] < caps[0][a]]
    given_back[layer] = -1
    while layer:
        following: list[int] = []
        for a in layer:
            new = np.flatnonzero(free[a] & ~chosen[a] & (taken_by < 0))
            taken_by[new] = a
            room = new[used_o[new] < caps[1][new]]
            if len(room):
                _walk(
                    chosen,
                    int(room[np.lexsort((ties[1][room], used_o[room]))[0]]),
                    taken_by,
                    given_back,
                )
                return True
            for o in new:
                others = np.flatnonzero(chosen[:, o] & (given_back == -2))
                given_back[others] = o
                following += others.tolist()
        layer = following
    return False


def _walk(
    chosen: np.ndarray, o: int, taken_by: np.ndarray, given_back: np.ndarray
) -> None:
    """Along the path, backwards from its last object: take a pair, give the next one back."""
    while o >= 0:
        a = int(taken_by[o])
        chosen[a, o] = True
        o = int(given_back[a])
        if o >= 0:
            chosen[a, o] = False


def _level(chosen: np.ndarray, free: np.ndarray) -> None:
    """Move pairs, in place, until no move within an attribute makes the objects more even."""
    moved = True
    while moved:
        moved = False
        used = chosen.sum(0)
        for many in np.argsort(-used, kind="stable"):
            if used[many] < used.min() + 2:
                break
            could = (chosen[:, many, None] & free & ~chosen).any(0) & (
                used < used[many] - 1
            )
            if could.any():
                few = int(np.where(could, used, used.max() + 1).argmin())
                a = int(
                    np.flatnonzero(
                        chosen[:, many] & free[:, few] & ~chosen[:, few]
                    )[0]
                )
                chosen[a, many], chosen[a, few] = False, True
                moved = True
                break
