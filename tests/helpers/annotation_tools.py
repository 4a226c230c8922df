"""A small drawn set to judge, whose right answers can be read off the pixels."""

import base64
import io
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from aobench.annotation.images import read_images_to_judge
from aobench.annotation.verdict_file import open_store
from aobench.annotation.verdict_store import StaleTrialError, VerdictStore
from aobench.image_table import ImageRow

ATTRIBUTES = ("striped", "golden", "wooden", "furry", "transparent")
OBJECTS = ("ambulance", "teapot", "lion", "African grey parrot")


def row(index):
    name = f"img-{index:03}"
    return ImageRow(
        name, ATTRIBUTES[index % 5], OBJECTS[index % 4], f"pictures/{name}.png"
    )


def make_set(folder, count=50):
    """Draw ``count`` images (red is 4 times the index) and write their table; its path."""
    (folder / "pictures").mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (96, 64), (4 * index, 255 - 4 * index, 90)).save(
            folder / row(index).file
        )
    path = folder / "images.parquet"
    pq.write_table(
        pa.Table.from_pylist([asdict(row(i)) for i in range(count)]), path
    )
    return path


def make_questions(folder, count):
    """Questions as `imagenet-ao questions` lays them out, nine names each; the folder."""
    names = [f"{a} {o}" for a in ATTRIBUTES[:3] for o in OBJECTS[:3]]
    rows = []
    for index in range(count):
        file = io.BytesIO()
        Image.new("RGB", (96, 64), (4 * index, 90, 90)).save(file, "PNG")
        uri = base64.b64encode(file.getvalue()).decode()
        place = (2 * index) % len(names)
        attribute, thing = names[place].split(" ", 1)
        rows.append(
            {
                "sample_id": f"s{index}",
                "image": f"data:image/png;base64,{uri}",
                "choices": names,
                "answer": "ABCDEFGHI"[place],
                "attribute": attribute,
                "object": thing,
            }
        )
    path = folder / "choice" / "ood-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return folder


def right(index, attribute, thing):
    """The answers to an image under a claim: true to the image, and unsure of every 7th
    attribute.
    """
    first = (
        "unsure"
        if index % 7 == 0
        else "yes"
        if attribute == row(index).attribute
        else "no"
    )
    return first, "yes" if thing == row(index).object else "no"


def right_for(trial):
    return right(int(trial.image_id[4:]), trial.attribute, trial.object)


def answer_all(
    store: VerdictStore, annotator, limit=10**9, note=lambda now: None
):
    """Answer rightly until nothing is left, also where another process answers for the same
    annotator.
    """
    now = store.enrol(annotator)
    while now.trial and limit:
        try:
            now = store.record(
                annotator, now.trial.trial, now.turn, *right_for(now.trial), 1.5
            )
            limit -= 1
            note(now)
        except StaleTrialError:
            now = store.standing(annotator)


def check_complete(store: VerdictStore, annotators, images):
    """Every image and catch trial of every annotator has exactly one verdict that stands, and it
    is the right one.
    """
    for name in annotators:
        on_images = [v for v in store.verdicts() if v.annotator == name]
        every = on_images + [
            v for v in store.verdicts(catch=True) if v.annotator == name
        ]
        assert sorted(v.trial.image_id for v in on_images) == sorted(
            row(i).image_id for i in range(images)
        ), name
        assert (
            len({v.trial.trial for v in every})
            == len(every)
            == store.standing(name).total
        ), name
        wrong = [
            v
            for v in every
            if (v.attribute_answer, v.object_answer) != right_for(v.trial)
        ]
        assert wrong == [], f"{name}: answers other than were given"


def table(folder: Path, count=50):
    return read_images_to_judge(make_set(folder, count))


def judge_all(
    path, table, name="ann", catch_rate=0.0, answer=lambda trial: ("yes", "yes")
):
    """Answer every trial of an annotator by ``answer``."""
    with open_store(
        path, read_images_to_judge(table), seed=0, catch_rate=catch_rate
    ) as store:
        standing = store.enrol(name)
        while standing.trial is not None:
            standing = store.record(
                name,
                standing.trial.trial,
                standing.turn,
                *answer(standing.trial),
                1.0,
            )


def honest(trial):
    """Yes to what is claimed rightly, no to the exchanged part of a catch trial."""
    return (
        "no" if trial.wrong == "attribute" else "yes",
        "no" if trial.wrong == "object" else "yes",
    )
