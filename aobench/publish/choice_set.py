"""The task `choice` as a dataset of its own, for harnesses that ask hosted models.

A few thousand questions, balanced over attributes and objects: picture (a data URI), question,
options, the right letter, ids. Pictures are those of the set, pixel by pixel: JPEG and WebP as they
are, others as lossless WebP. The options stand in the order in which `imagenet-ao evaluate` puts
them to the same images. Beside the Parquet files stand eval.yaml, which inspect-ai runs as
``inspect eval hf/ORG/SET/choice``, and a task folder for lmms-eval.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aobench.errors import UserError
from aobench.files import read_text, write_in_one_move
from aobench.images import BadImageError, image_data, read_image
from aobench.results.candidates import ask_task
from aobench.results.option_order import option_orders
from aobench.results.tasks import find_task
from aobench.vocabulary.questions import LETTERS, bundled_questions

if TYPE_CHECKING:
    from aobench.evaluation.data import Split

CONFIG = "choice"
#: Formats that harnesses and providers take as they are, by the first bytes.
KEPT = {b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
PAGES = Path(__file__).with_name("pages")


def balanced_rows(
    attributes: Sequence[int],
    objects: Sequence[int],
    ids: Sequence[str],
    count: int,
) -> list[int]:
    """``count`` rows, of attributes and objects that came least often so far.

    Of equal ones the row whose id has the lowest digest. All rows where there are no more.
    """
    order = np.argsort(
        [hashlib.sha256(one.encode()).hexdigest() for one in ids]
    )
    a, o = (np.asarray(part)[order] for part in (attributes, objects))
    seen = [np.zeros(part.max() + 1) for part in (a, o)]
    left = np.ones(len(order), bool)
    chosen = []
    for _ in range(min(count, len(order))):
        often = np.where(left, seen[0][a] + seen[1][o], np.inf)
        row = int(often.argmin())
        left[row] = False
        seen[0][a[row]] += 1
        seen[1][o[row]] += 1
        chosen.append(int(order[row]))
    return sorted(chosen)


def data_uri(data: bytes) -> str:
    """An image's bytes as a data URI, in a format that every provider takes, with its pixels."""
    kind = next(
        (name for head, name in KEPT.items() if data.startswith(head)), None
    )
    if kind is None:
        stream = io.BytesIO()
        image = read_image({"bytes": data})
        image.save(stream, "WEBP", lossless=True, method=4)
        data, kind = stream.getvalue(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def choice_rows(
    splits: Sequence[Split], count: int
) -> dict[str, list[dict[str, Any]]]:
    """By split the questions. Images that can't be read are left out.

    Raises:
        UserError: where no split can be asked the task.
    """
    first = splits[0]
    pairs = {split.name: split.pairs for split in splits}
    task = find_task("choice")
    asked = ask_task(task, pairs, first.attribute_names, first.object_names)
    if not asked:
        raise UserError(
            "the set can't be asked 1 of 9: that takes three attributes and three objects in a "
            "split, each image with both"
        )
    question = (
        bundled_questions().texts["letters"]["composition"].splitlines()[0]
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    for split in splits:
        if split.name not in asked:
            continue
        mine = asked[split.name]
        offered = np.array(mine.choices)
        order = option_orders(split.sample_ids, offered, mine.gold)
        chosen = balanced_rows(
            split.attributes, split.objects, split.sample_ids, count
        )
        every = (_row(split, row, order[row], mine, question) for row in chosen)
        rows[split.name] = [row for row in every if row is not None]
    return rows


def _row(
    split: Split, row: int, order: np.ndarray, asked: Any, question: str
) -> dict[str, Any] | None:
    try:
        uri = data_uri(image_data(split.rows[row]["image"]))
    except BadImageError:
        return None
    names = [asked.candidates.names[int(one)] for one in order]
    right = int(np.flatnonzero(order == asked.gold[row])[0])
    return {
        "sample_id": split.sample_ids[row],
        "image": uri,
        "question": question,
        "choices": names,
        "answer": LETTERS[right],
        "attribute": split.attribute_names[split.attributes[row]],
        "object": split.object_names[split.objects[row]],
    }


def write_choice_set(
    splits: Sequence[Split],
    out: str | Path,
    count: int,
    repository: str,
    source: str,
) -> dict[str, int]:
    """Write the dataset repository ``out``.

    Args:
        splits: id and ood, as `aobench.evaluation.data.open_splits` gives them.
        out: a folder that is new, or was written by this.
        count: questions in a split at most.
        repository: where it will be on the Hub, ORG/NAME.
        source: what the set is called.

    Returns:
        By split the number of questions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = Path(out)
    if (out / "README.md").exists() and not (out / "lmms_eval").exists():
        raise UserError(
            f"{out} holds another dataset: the questions are a repository of their own, as the "
            "Hub's eval.yaml names one framework; name a new folder"
        )
    rows = choice_rows(splits, count)
    for name, mine in rows.items():
        stream = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(mine), stream, compression="zstd")
        path = out / CONFIG / f"{name}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(path, stream.getvalue().to_pybytes())
    counts = {name: len(mine) for name, mine in rows.items()}
    facts = {split.name: split.fingerprint for split in splits}
    texts = {
        "README.md": _card(counts, source, repository, facts),
        "eval.yaml": _eval_yaml(counts, source),
        **_lmms_files(repository, counts),
    }
    for name, text in texts.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_in_one_move(out / name, text.encode())
    return counts


#: inspect-ai's tasks: id, split, and whether the picture is shown.
INSPECT_TASKS = (
    ("choice", "ood", True),
    ("choice_seen", "id", True),
    ("choice_blind", "ood", False),
)


def _eval_yaml(counts: Mapping[str, int], source: str) -> str:
    import yaml

    tasks = []
    for name, split, shown in INSPECT_TASKS:
        if split not in counts:
            continue
        fields: dict[str, Any] = {
            "input": "question",
            "target": "answer",
            "choices": "choices",
            "metadata": ["sample_id", "attribute", "object"],
        }
        if shown:
            fields["input_image"] = "image"
        tasks.append(
            {
                "id": name,
                "config": CONFIG,
                "split": split,
                "field_spec": fields,
                "solvers": [{"name": "multiple_choice"}],
                "scorers": [{"name": "choice"}],
            }
        )
    content = {
        "name": f"{source}: choice",
        "description": "1 of 9 attribute-object compositions, the letter of the one that the "
        "picture shows. choice: novel compositions; choice_seen: seen ones; choice_blind: the "
        "novel ones without the picture. Accuracy from 0 to 1; chance 1/9.",
        "evaluation_framework": "inspect-ai",
        "tasks": tasks,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _card(
    counts: Mapping[str, int],
    source: str,
    repository: str,
    facts: Mapping[str, str],
) -> str:
    import yaml

    files = [
        {"split": name, "path": f"{CONFIG}/{name}-*.parquet"} for name in counts
    ]
    head = {
        "license": "unknown",
        "pretty_name": f"{source}: choice",
        "task_categories": ["visual-question-answering", "multiple-choice"],
        "configs": [
            {"config_name": CONFIG, "default": True, "data_files": files}
        ],
    }
    text = read_text(PAGES / "choice_card.md", "the card of the questions")
    said = " and ".join(f"{n:,} of {name}" for name, n in counts.items())
    for key, value in {
        "SOURCE": source,
        "REPOSITORY": repository,
        "COUNTS": said,
        "FINGERPRINTS": json.dumps(dict(facts)),
    }.items():
        text = text.replace(f"[{key}]", value)
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n{text}"


def _lmms_files(repository: str, counts: Mapping[str, int]) -> dict[str, str]:
    """The task folder for lmms-eval: a YAML a split, and one file that both use."""
    folder = "lmms_eval/imagenet_ao_choice"
    files = {
        f"{folder}/utils.py": read_text(
            PAGES / "lmms_utils.txt", "the task's functions"
        )
    }
    template = read_text(PAGES / "lmms_task.txt", "the task of lmms-eval")
    for name, split, _ in INSPECT_TASKS[:2]:
        if split in counts:
            text = template.replace("[REPOSITORY]", repository).replace(
                "[SPLIT]", split
            )
            files[f"{folder}/imagenet_ao_{name}.yaml"] = text.replace(
                "[TASK]", name
            )
    return files
