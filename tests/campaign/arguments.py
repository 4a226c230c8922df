"""Bad values in place of bad files: the metric's arguments, one of them bad at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .command import Command, Holds, Input
from .damages import Damage

FILE = "arguments.json"
#: Six images of four candidates, two attributes by two objects; and two seen images.
GOOD: dict[str, Any] = {
    "predictions": [
        [0, 1, 2, 3],
        [1, 0, 2, 3],
        [2, 3, 0, 1],
        [0, 1, 2, 3],
        [1, 2, 3, 0],
        [3, 2, 1, 0],
    ],
    "references": [0, 1, 2, 3, 1, 3],
    "attributes": [0, 0, 1, 1],
    "objects": [0, 1, 0, 1],
    "id_predictions": [[0, 1], [1, 0]],
    "id_references": [0, 0],
    "id_attributes": [0, 1],
    "id_objects": [0, 1],
    "groups": [0, 1, 2, 3, 1, 3],
    "confidence": 0.95,
    "bootstrap": 10,
    "seed": 0,
    "baseline": {"id": [0.2, 0.4, 0.6], "ood": [0.1, 0.2, 0.4]},
    "transform": "logit",
}
NAN, INFINITE = float("nan"), float("inf")

#: In place of one number of a list.
IN_LISTS: dict[str, Any] = {
    "nan": NAN,
    "infinite": INFINITE,
    "half": 0.5,
    "below": -2,
    "huge": 10**12,
    "beyond-64-bits": 10**30,
    "text": "1",
    "nothing": None,
    "list": [[0]],
}
#: In place of a whole argument.
WHOLE: dict[str, Any] = {
    "nan": NAN,
    "infinite": INFINITE,
    "negative": -1,
    "huge": 10**12,
    "text": "many",
    "list": [1, 2],
    "empty": [],
    "object": {"a": 1},
}


def call_metric() -> object:
    """The metric on the arguments of the file."""
    from compositional_ood.compositional_ood import score

    return score(**json.loads(Path(FILE).read_text()))


def _changed(
    change: Callable[[dict[str, Any]], None],
) -> Callable[[Path, int, Path | None], None]:
    def apply(path: Path, seed: int, other: Path | None) -> None:
        arguments = json.loads(path.read_text())
        change(arguments)
        path.write_text(json.dumps(arguments))

    return apply


def _in_list(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(arguments: dict[str, Any]) -> None:
        arguments[key][-1] = value

    return change


def _whole(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(arguments: dict[str, Any]) -> None:
        arguments[key] = value

    return change


def _shorter(key: str) -> Callable[[dict[str, Any]], None]:
    def change(arguments: dict[str, Any]) -> None:
        arguments[key] = arguments[key][:-1]

    return change


#: Values that are good ones, if strange: numbers that only tell groups apart, and seeds.
STRANGE = {
    *(
        f"{key}-holds-huge"
        for key in (
            "attributes",
            "objects",
            "id_attributes",
            "id_objects",
            "groups",
        )
    ),
    "groups-holds-below",
    "seed-is-huge",
}


def _damages() -> Iterator[Damage]:
    for key, good in GOOD.items():
        changes: dict[str, Callable[[dict[str, Any]], None]] = {}
        if isinstance(good, list):
            changes["shorter"] = _shorter(key)
            changes |= {
                f"holds-{name}": _in_list(key, value)
                for name, value in IN_LISTS.items()
            }
        changes |= {
            f"is-{name}": _whole(key, value) for name, value in WHOLE.items()
        }
        for name, change in changes.items():
            name = f"{key}-{name}"
            yield Damage(
                name,
                _changed(change),
                another=name in STRANGE,
                about=key.removeprefix("id_"),
            )


ARGUMENTS = (
    Command(
        "metric",
        "compositional_ood",
        call_metric,
        {FILE: FILE},
        [Input(FILE, "metric", Holds.CONTENT)],
        damages=tuple(_damages()),
    ),
)
