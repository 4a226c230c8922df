"""The pictures of a report: small ones on sheets, and what each model answered."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from aobench.errors import UserError
from aobench.results.verified import Result

if TYPE_CHECKING:
    from PIL import Image

    from aobench.evaluation.data import Split

#: Pixels of a picture's side, and pictures in a row and a column of a sheet.
SIDE, ACROSS = 64, 20
QUALITY = 50


@dataclass
class Gallery:
    """``sheets``: WebP files as data addresses. ``content``: what the page's script reads."""

    sheets: list[str] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)


def make_gallery(
    results: Sequence[Result],
    splits: Sequence[Split],
    most: int,
    counts: dict[str, int] | None = None,
) -> Gallery:
    """At most ``most`` pictures of the ``splits``, spread by chance but the same each time.

    Args:
        results: whose five best answers are shown, of each its headline task.
        splits: of the set that they were evaluated on.
        most: pictures.
        counts: by composition how many captions show it.

    Raises:
        UserError: where the set is another than that of the results.
    """
    for split in splits:
        _check_set(results, split)
    chosen = _chosen_rows(splits, most)
    gallery = Gallery()
    pictures = _thumbnails(splits, chosen)
    gallery.sheets = [
        _sheet(part) for part in _parts(pictures, ACROSS * ACROSS)
    ]
    answers, names = _answers(results, splits, chosen)
    images = []
    shown = [split.rows["composition"] for split in splits]
    for number, row in chosen:
        split, composition = splits[number], shown[number][row]
        image = {"s": split.name, "t": composition}
        if counts is not None:
            image["c"] = counts.get(composition)
        images.append(image)
    gallery.content = {
        "side": SIDE,
        "across": ACROSS,
        "images": images,
        "models": [result.content["model"]["id"] for result in results],
        "names": names,
        "answers": answers,
        "of": sum(len(split) for split in splits),
        "counted": counts is not None,
    }
    return gallery


def fits_set(results: Sequence[Result], split: Split) -> bool:
    """Whether all results that have the split are of these very images."""
    lines = [
        result.content["dataset"]["splits"].get(split.name)
        for result in results
    ]
    return all(
        one is None or one["fingerprint"] == split.fingerprint for one in lines
    )


def _check_set(results: Sequence[Result], split: Split) -> None:
    for result in results:
        facts = result.content["dataset"]["splits"].get(split.name)
        if facts is not None and facts["fingerprint"] != split.fingerprint:
            raise UserError(
                f"{result.folder} is of the split {split.name} with the fingerprint "
                f"{facts['fingerprint']}, and the data given holds {split.fingerprint}: name the "
                "set that it was evaluated on"
            )


def _chosen_rows(splits: Sequence[Split], most: int) -> list[tuple[int, int]]:
    """(split's number, row) of the pictures, in an order that a hash gives."""
    every = [
        (hashlib.sha256(sample.encode()).digest(), number, row)
        for number, split in enumerate(splits)
        for row, sample in enumerate(split.sample_ids)
    ]
    return [(number, row) for _, number, row in sorted(every)[:most]]


def _thumbnails(
    splits: Sequence[Split], chosen: Sequence[tuple[int, int]]
) -> Iterator[Image.Image | None]:
    """Each picture within a square of SIDE pixels; None for one that cannot be read."""
    from PIL import Image, ImageOps

    from aobench.images import BadImageError, read_image

    for number, row in tqdm(
        chosen, desc="pictures", unit="image", disable=None
    ):
        try:
            image = read_image(splits[number].rows[row]["image"], draft=SIDE)
        except BadImageError:
            yield None
            continue
        small = ImageOps.contain(image, (SIDE, SIDE), Image.Resampling.LANCZOS)
        yield ImageOps.pad(small, (SIDE, SIDE), color="white")


def _parts(pictures: Iterator[Any], size: int) -> Iterator[list[Any]]:
    part: list[Any] = []
    for picture in pictures:
        part.append(picture)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _sheet(pictures: Sequence[Image.Image | None]) -> str:
    """Pictures side by side in one WebP, as a data address."""
    from PIL import Image

    rows = -(-len(pictures) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * SIDE, rows * SIDE), "white")
    for place, picture in enumerate(pictures):
        if picture is not None:
            corner = (place % ACROSS * SIDE, place // ACROSS * SIDE)
            sheet.paste(picture, corner)
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=QUALITY, method=6)
    return (
        "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
    )


def _answers(
    results: Sequence[Result],
    splits: Sequence[Split],
    chosen: Sequence[tuple[int, int]],
) -> tuple[list[list[Any]], list[list[str]]]:
    """By model of each picture [rank of the right candidate, ids of the best], null where the
    table lacks it; and by model the candidates' names that occur.
    """
    answers, names = [], []
    for result in results:
        by_id: dict[tuple[str, str], tuple[int, list[str]]] = {}
        for name, candidates in result.predictions.candidates.items():
            rows = result.predictions.split(name)
            columns = (rows["sample_id"], rows["rank"], rows["top"])
            for sample, rank, top in zip(*columns, strict=True):
                by_id[name, sample] = rank, [candidates.names[i] for i in top]
        place: dict[str, int] = {}
        mine: list[Any] = []
        for number, row in chosen:
            split = splits[number]
            answer = by_id.get((split.name, split.sample_ids[row]))
            if answer is None:
                mine.append(None)
                continue
            rank, best = answer
            mine.append(
                [rank, *(place.setdefault(one, len(place)) for one in best)]
            )
        answers.append(mine)
        names.append(list(place))
    return answers, names
