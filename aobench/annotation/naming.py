"""People asked what models are asked: which of an image's nine compositions does it show?

The questions are those that `imagenet-ao questions` writes for the task ``choice``; the answers are
a table ``sample_id, annotator, answer`` beside a model's, and people's accuracy has the metric's
interval.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from aobench.annotation.trials import Trial
from aobench.annotation.verdict_store import VerdictStore
from aobench.errors import UserError
from aobench.files import parquet_errors
from aobench.image_table import ImageRow, ImageTable

#: Columns of the questions' files that are read.
COLUMNS = ("sample_id", "image", "choices", "answer", "attribute", "object")
UNSURE = "unsure"
LETTERS = "ABCDEFGHI"
NAMING_GUIDELINE = """Which of these names fits the picture best?
- One of them was meant. Take the one whose attribute and object both fit.
- Unsure counts as wrong, as it does for a model that does not answer. Take it only where you would
  have to guess."""
#: Kinds of pictures in data URIs, which every browser shows.
KINDS = ("image/jpeg", "image/webp", "image/png")


@dataclass(frozen=True)
class Questions:
    """Pictures and what each may be called, by sample id, in the order on the screen.

    ``table``: the images as the store keeps them. ``pictures``: kind and bytes.
    """

    table: ImageTable
    choices: dict[str, tuple[str, ...]]
    pictures: dict[str, tuple[str, bytes]]


@dataclass(frozen=True)
class NamedImage:
    """What one annotator called one image; ``right``: its own composition."""

    sample_id: str
    annotator: str
    answer: str
    right: str
    attribute: str
    object: str
    seconds: float
    answered_at: str


def holds_questions(path: Path) -> bool:
    """Whether a path is what `imagenet-ao questions` wrote: its folder, or a Parquet file with
    choices.
    """
    import pyarrow.parquet as pq

    if path.is_dir():
        return bool(_files(path))
    try:
        return path.is_file() and "choices" in pq.read_schema(path).names
    except parquet_errors():
        return False  # whoever reads it as a table of images says what is wrong


def read_questions(path: Path, split: str = "ood") -> Questions:
    """The questions of one split.

    Args:
        path: the folder that `imagenet-ao questions` wrote, or one of its Parquet files.
        split: of the folder, ``ood`` or ``id``.

    Raises:
        UserError: for a file that holds no such questions.
    """
    files = [one for one in _files(path) if one.name.startswith(f"{split}-")]
    if path.is_dir() and not files:
        has = sorted({one.name.split("-")[0] for one in _files(path)})
        raise UserError(
            f"{path} holds no questions of {split}; it has {', '.join(has) or 'none'}"
        )
    path = files[0] if files else path
    return _questions(path, _stored_rows(path))


def _stored_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    try:
        stored = pq.ParquetFile(path)
        names = stored.schema_arrow.names
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise UserError(
                f"{path} lacks the column(s) {', '.join(missing)}; give what `imagenet-ao "
                "questions` wrote"
            )
        return stored.read(columns=list(COLUMNS)).to_pylist()
    except parquet_errors() as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path} is no readable Parquet file ({reason})"
        ) from error


def _files(folder: Path) -> list[Path]:
    return (
        sorted((folder / "choice").glob("*.parquet")) if folder.is_dir() else []
    )


def _questions(path: Path, rows: Sequence[dict[str, Any]]) -> Questions:
    choices, pictures, images = {}, {}, []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, row {number:,}"
        sample = row["sample_id"]
        if not isinstance(sample, str) or not sample or sample in choices:
            raise UserError(f"{where}: its sample_id is missing or comes twice")
        if not all(
            isinstance(row[part], str) for part in ("attribute", "object")
        ):
            raise UserError(f"{where}: its attribute or its object is no text")
        choices[sample] = _offered(row, where)
        pictures[sample] = _picture(row["image"], where)
        # the file's digest stands for the picture: other pictures are other questions
        digest = hashlib.sha256(pictures[sample][1]).hexdigest()
        images.append(ImageRow(sample, row["attribute"], row["object"], digest))
    if not images:
        raise UserError(f"{path} holds no questions; write it anew")
    return Questions(ImageTable(path, tuple(images)), choices, pictures)


def _offered(row: dict[str, Any], where: str) -> tuple[str, ...]:
    offered = row["choices"]
    texts = isinstance(offered, list) and all(
        isinstance(o, str) for o in offered
    )
    if (
        not texts
        or not 2 <= len(offered) <= 9
        or len(set(offered)) < len(offered)
    ):
        raise UserError(f"{where}: its choices are not 2 to 9 different texts")
    right = f"{row['attribute']} {row['object']}"
    if row["answer"] not in LETTERS[: len(offered)] or (
        offered[LETTERS.index(row["answer"])] != right
    ):
        raise UserError(f"{where}: its answer is not the letter of {right!r}")
    return tuple(offered)


def _picture(uri: Any, where: str) -> tuple[str, bytes]:
    head, _, data = str(uri).partition(";base64,")
    kind = head.removeprefix("data:")
    try:
        content = base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        content = b""
    if kind not in KINDS or not content:
        raise UserError(
            f"{where}: its image is no data URI of {', '.join(KINDS)}"
        )
    return kind, content


class NamingStore(VerdictStore):
    """An open database of names; see `VerdictStore`, whose ways it has."""

    TABLE: ClassVar[str] = "names"
    COLUMNS: ClassVar[tuple[str, ...]] = ("answer",)

    def check_answers(self, answers: tuple[str, ...]) -> None:
        """One text; whether it was offered is known by the trial."""
        if len(answers) != 1 or not answers[0]:
            raise UserError("a name is one of those offered, or unsure")

    def bind(self, questions: Questions) -> None:
        """Keep what each image may be called, in a file that begins; else it must agree.

        Raises UserError where the file is of other questions.
        """
        rows = [
            (sample, place, name)
            for sample, names in sorted(questions.choices.items())
            for place, name in enumerate(names)
        ]
        with self.transaction() as connection:
            query = "SELECT image_id, place, name FROM choices ORDER BY image_id, place"
            known = connection.execute(query).fetchall()
            if not known:
                connection.executemany(
                    "INSERT INTO choices VALUES (?, ?, ?)", rows
                )
            elif known != rows:
                raise UserError(
                    f"{self.path} holds answers to other questions than those of "
                    f"{questions.table.path}; give another file for --verdicts"
                )

    def choices(self, image_id: str) -> list[str]:
        """What an image may be called, in the order on the screen."""
        query = "SELECT name FROM choices WHERE image_id = ? ORDER BY place"
        return [name for (name,) in self.query_rows(query, image_id)]

    def check_name(self, trial: Trial, answer: str) -> None:
        """Raise UserError unless an answer was offered for the trial's image, or is unsure."""
        if answer not in (*self.choices(trial.image_id), UNSURE):
            raise UserError(f"{answer[:60]!r} was not offered; reload the page")

    def named(self) -> list[NamedImage]:
        """Every name that stands, in the order they were given."""
        rows = self.query_rows(
            "SELECT t.image_id, v.annotator, v.answer, t.attribute, t.object, v.seconds, "
            "v.answered_at FROM names v JOIN trials t USING (annotator, trial) "
            "WHERE v.withdrawn_at IS NULL ORDER BY v.id"
        )
        return [
            NamedImage(
                r[0], r[1], r[2], f"{r[3]} {r[4]}", r[3], r[4], r[5], r[6]
            )
            for r in rows
        ]


def holds_names(store: VerdictStore) -> bool:
    """Whether a file is one of names."""
    try:
        return store.has_table("choices") and bool(
            store.query_rows("SELECT 1 FROM choices LIMIT 1")
        )
    except sqlite3.DatabaseError:
        return False


@dataclass(frozen=True)
class PeopleAccuracy:
    """How often people named the right composition, 0..1, with the metric's 95 % interval.

    ``wide``: for attributes and objects like these; else for these compositions. Unsure counts as
    wrong, and ``unsure`` says how often it was.
    """

    annotator: str
    n: int
    images: int
    unsure: int
    rate: float
    low: float
    high: float
    wide: bool
    chance: float


def people_accuracy(
    named: Sequence[NamedImage], chance: float
) -> list[PeopleAccuracy]:
    """Everybody's accuracy, and that of all together (annotator ``all``) where there are several.

    The interval of all together takes answers to one composition as dependent, whoever gave them.
    """
    people = sorted({one.annotator for one in named})
    rows = [_accuracy(name, _of(named, name), chance) for name in people]
    if len(people) > 1:
        rows.append(_accuracy("all", named, chance))
    return rows


def _of(named: Iterable[NamedImage], name: str) -> list[NamedImage]:
    return [one for one in named if one.annotator == name]


def _accuracy(
    name: str, named: Sequence[NamedImage], chance: float
) -> PeopleAccuracy:
    from compositional_ood.compositional_ood import score, shown_interval

    numbers = [
        _numbers([getattr(o, p) for o in named])
        for p in ("attribute", "object")
    ]
    parts = np.column_stack(numbers)
    groups = np.unique(parts, axis=0, return_inverse=True)[1].reshape(-1)
    right = np.array([one.answer == one.right for one in named])
    # two candidates, the right one first: the metric then has everything that it asks for
    scores = score(
        predictions=[[0 if hit else 1] for hit in right],
        references=[0] * len(right),
        attributes=[0, 1],
        objects=[0, 1],
        groups=groups,
        group_parts=parts,
    )
    low, high = shown_interval(scores, "composition_top1")
    return PeopleAccuracy(
        name,
        len(named),
        len({one.sample_id for one in named}),
        sum(one.answer == UNSURE for one in named),
        float(right.mean()),
        low,
        high,
        "composition_top1_wide_low" in scores,
        chance,
    )


def _numbers(names: Sequence[str]) -> np.ndarray:
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def naming_report(store: NamingStore) -> dict[str, Any]:
    """Everybody's progress and accuracy, as plain values."""
    with store.snapshot():
        named, progress = store.named(), store.progress()
        ((offered,),) = store.query_rows(
            "SELECT COALESCE(AVG(n), 0) FROM (SELECT COUNT(*) AS n FROM choices GROUP BY image_id)"
        )
        images = len(store.images())
    return {
        "images": images,
        "choices": offered,
        "progress": [
            {"annotator": one.annotator, "done": one.done, "of": one.total}
            for one in progress
        ],
        "accuracy": [
            vars(one)
            for one in people_accuracy(named, 1 / offered if offered else 0)
        ]
        if named
        else [],
    }


def naming_lines(report: dict[str, Any]) -> list[str]:
    """The report as text."""
    from aobench.columns import columns

    lines = [f"{report['images']:,} images, {report['choices']:g} names each."]
    table = [("annotator", "answered", "right, %", "95 % interval", "unsure")]
    progress = {one["annotator"]: one for one in report["progress"]}
    for one in report["accuracy"]:
        mine = progress.get(one["annotator"])
        answered = (
            f"{mine['done']:,} of {mine['of']:,}" if mine else f"{one['n']:,}"
        )
        interval = f"{100 * one['low']:.1f} to {100 * one['high']:.1f}"
        rate = f"{100 * one['rate']:.1f}"
        unsure = f"{one['unsure']:,}"
        table.append((one["annotator"], answered, rate, interval, unsure))
    if len(table) == 1:
        return [*lines, "No names yet."]
    chance = 100 * report["accuracy"][0]["chance"]
    narrow = [one for one in report["accuracy"] if not one["wide"]]
    like = (
        "these compositions" if narrow else "attributes and objects like these"
    )
    lines += ["", *columns(table), ""]
    lines.append(
        f"Chance {chance:.1f} %. Unsure counts as wrong. Intervals: for {like}; they take the "
        "annotators as they are."
    )
    return lines


def naming_rows(store: NamingStore) -> list[dict[str, Any]]:
    """One row a name that stands, by image and annotator: the table that `--export` writes."""
    rows = [
        {
            "sample_id": one.sample_id,
            "annotator": one.annotator,
            "answer": one.answer,
            "seconds": one.seconds,
            "answered_at": one.answered_at,
        }
        for one in store.named()
    ]
    return sorted(rows, key=lambda row: (row["sample_id"], row["annotator"]))
