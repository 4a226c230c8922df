"""ImageNet's validation pictures side by side, and a list that tells their classes.

The list stands among the pictures, in a folder of theirs or the folder right above, or beside the
tar: ``LOC_val_solution.csv`` (Kaggle's: ``ImageId,PredictionString``, a wnid and a box), or a text
of one line a picture: the class alone, in the pictures' order, or the picture's file and the class.

Rules for a text:
- A class is a wnid, or a number. A number says a class only in an order: that of ILSVRC2012's
  development kit (1 to 1,000, its ``ILSVRC2012_validation_ground_truth.txt``), or that of the
  wnids, from 0 or from 1. The labels of the first validation pictures, which are known, decide
  where the list has five of them; else the file's name does. Where neither does, it is refused.
- A line alone belongs to the picture of its number (``ILSVRC2012_val_00000293.JPEG`` is line 293);
  pictures of other names are taken in their order, and there must be as many.
- Pictures that the list doesn't name and rows without a picture are counted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aobench.csv_tables import parse_csv_rows
from aobench.errors import UserError
from aobench.files import decode_text
from aobench.layouts.base import (
    LabelledPicture,
    LabelledSet,
    Layout,
    LayoutOptions,
)
from aobench.layouts.imagenet.wnids import (
    WNID,
    in_wnid_folder,
    is_picture,
    wnid_in_name,
)
from aobench.layouts.report import LeftOut
from aobench.layouts.tree import FileTree
from aobench.vocabulary.published import devkit_order, published_lists

SOLUTION = "LOC_val_solution.csv"
GROUND_TRUTH_NAME = "ILSVRC2012_validation_ground_truth.txt"
GROUND_TRUTH = re.compile(f"(?i){re.escape(GROUND_TRUTH_NAME)}")
TRUTH = re.compile(
    r"(?i)(loc_val_solution\.csv|(?!.*blacklist).*(val|truth|label).*\.txt)"
)
KIT = "ILSVRC2012_devkit_t12"
NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})")
WHAT = "the list of classes"

#: ImageNet's index of the pictures 1 to 20 of ILSVRC2012's validation set.
FIRST_LABELS = (
    *(65, 970, 230, 809, 516, 57, 334, 415, 674, 332),
    *(109, 286, 370, 757, 595, 147, 108, 23, 478, 517),
)
VALIDATION_SIZE = 50_000
#: How many of the first labels must be there to decide.
ENOUGH = 5


@dataclass(frozen=True)
class TruthFile:
    """A list, and the tree that it stands in, or what it holds."""

    tree: FileTree
    name: str
    content: str | None = None

    def text(self) -> str:
        """What it holds. Raises UserError."""
        if self.content is not None:
            return self.content
        return self.tree.read_text(self.name, WHAT)

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"{self.tree.where}/{self.name}"


def truth_files(tree: FileTree) -> list[TruthFile]:
    """The lists of classes in a tree, or right above it; only those of the best kind."""
    if "truths" not in tree.tables:
        tree.tables["truths"] = _truths(tree) or _truths_above(tree)
    truths: list[TruthFile] = tree.tables["truths"]
    return truths


def _truths(tree: FileTree) -> list[TruthFile]:
    return [TruthFile(tree, name) for name in _best(tree.members)]


def _best(names: Iterable[str]) -> list[str]:
    """The lists of classes among names of files, of the best kind that there is."""
    lists = [name for name in sorted(names) if TRUTH.fullmatch(_last(name))]
    for kind in (re.compile(re.escape(SOLUTION)), GROUND_TRUTH, TRUTH):
        if best := [name for name in lists if kind.fullmatch(_last(name))]:
            return best
    return []


def _truths_above(tree: FileTree) -> list[TruthFile]:
    """Lists in the folder that holds the folder or tar, and in its development kit."""
    above = Path(tree.place).parent
    if not tree.whole or not os.access(above, os.R_OK):
        return []
    beside = FileTree(str(above), whole=False)
    kit = f"{KIT}/data/{GROUND_TRUTH_NAME}"
    names = [path.name for path in above.iterdir()]
    names += [kit] if (above / kit).exists() else []
    if best := _best(names):
        return [TruthFile(beside, name) for name in best]
    packed = f"{KIT}.tar.gz"
    if beside.member(packed) is None:
        return []
    return [
        TruthFile(
            beside, f"{packed}/{GROUND_TRUTH_NAME}", _from_kit(above / packed)
        )
    ]


def _from_kit(path: Path) -> str:
    """The ground truth in the packed development kit. Raises UserError."""
    import tarfile
    import zlib

    try:
        with tarfile.open(path, "r:gz") as archive:
            for info in archive:
                if info.isreg() and GROUND_TRUTH.fullmatch(_last(info.name)):
                    stream = archive.extractfile(info)
                    return decode_text(
                        stream.read(1 << 24) if stream else b"", str(path)
                    )
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise UserError(
            f"{path} can't be read ({' '.join(str(error).split())}); bring it again"
        ) from error
    raise UserError(f"{path} holds no {GROUND_TRUTH_NAME}; bring it again")


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _flat_pictures(tree: FileTree) -> list[str]:
    names = sorted({*tree.members, *tree.faults})
    return [
        name for name in names if is_picture(name) and not in_wnid_folder(name)
    ]


def _recognise(tree: FileTree, options: LayoutOptions) -> str | None:
    """A list of classes, where pictures stand in no folder of a wnid."""
    flat = _flat_pictures(tree)
    if not flat or all(map(wnid_in_name, flat)):
        return None
    truths = truth_files(tree)
    return truths[0].name if truths else None


def _read(tree: FileTree, options: LayoutOptions) -> LabelledSet:
    truths = truth_files(tree)
    if len(truths) > 1:
        raise UserError(
            f"{tree.where} holds {len(truths)} lists of classes, {truths[0].name} and "
            f"{truths[1].name}: keep one of them"
        )
    truth, left_out, notes = truths[0], LeftOut(), list[str]()
    pictures = _flat_pictures(tree)
    by_stem = _by_stem(tree, pictures, _wnids(truth, pictures, notes))
    labelled = []
    for name in pictures:
        wnid = by_stem.pop(_stem(name), None)
        if wnid is None:
            left_out.add("not_on_the_list", name)
            continue
        sample_id = f"{wnid}/{_last(name)}"
        labelled.append(
            LabelledPicture(sample_id, name, -1, "", wnid, "", name)
        )
    for stem in by_stem:
        left_out.add("row_without_picture", stem)
    _count_class_folders(tree, left_out)
    return LabelledSet(tree, labelled, left_out, notes=notes)


def _count_class_folders(tree: FileTree, left_out: LeftOut) -> None:
    """Count the pictures in folders of wnids, which the list does not name: the training split."""
    for name in sorted(tree.members):
        if is_picture(name) and in_wnid_folder(name):
            left_out.add("not_on_the_list", name)


def _stem(name: str) -> str:
    return _last(name).partition(".")[0]


def _by_stem(
    tree: FileTree, pictures: list[str], wnids: dict[str, str]
) -> dict[str, str]:
    """The class by a picture's name without its ending. UserError where two pictures share one
    that the list names."""
    first: dict[str, str] = {}
    for name in pictures:
        other = first.setdefault(_stem(name), name)
        if other != name and _stem(name) in wnids:
            raise UserError(
                f"{tree.where} holds {other} and {name}, and its list names {_stem(name)!r}: give "
                "the folder of one of them"
            )
    return wnids


def _wnids(
    truth: TruthFile, pictures: list[str], notes: list[str]
) -> dict[str, str]:
    """The wnid by a picture's name without its ending."""
    text = truth.text()
    if truth.name.lower().endswith(".csv"):
        return _solution(text, truth.where)
    lines = [line.split() for line in text.split("\n") if line.strip()]
    if not lines:
        raise UserError(f"{truth.where} is empty; bring it again")
    width = len(lines[0])
    for number, line in enumerate(lines, start=1):
        if len(line) != width or width not in (1, 2):
            raise UserError(
                f"{truth.where}, line {number:,}: {' '.join(line)[:60]!r}; a line has a class, or "
                "a picture's file and its class, and each line alike"
            )
    classes = [line[-1] for line in lines]
    stems = (
        [_stem(line[0]) for line in lines]
        if width == 2
        else _stems_in_order(pictures, len(lines), truth.where)
    )
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise UserError(
            f"{truth.where} names {twice!r} twice; keep one of its lines"
        )
    if all(map(WNID.fullmatch, classes)):
        return dict(zip(stems, classes, strict=True))
    return dict(
        zip(stems, _numbered_wnids(stems, classes, truth, notes), strict=True)
    )


def _solution(text: str, where: str) -> dict[str, str]:
    """By picture the wnid of Kaggle's solution, which repeats it for each box."""
    wnids: dict[str, str] = {}
    for row in parse_csv_rows(text, where, ("ImageId", "PredictionString")):
        classes = set(row["PredictionString"].split()[::5])
        if len(classes) != 1 or not WNID.fullmatch(min(classes, default="")):
            raise UserError(
                f"{where}: {row['ImageId']!r} has the classes {', '.join(sorted(classes))}; "
                "it takes one wnid, repeated for each box"
            )
        if wnids.setdefault(_stem(row["ImageId"]), min(classes)) != min(
            classes
        ):
            raise UserError(
                f"{where} names {row['ImageId']!r} twice; keep one of its rows"
            )
    return wnids


def _stems_in_order(pictures: list[str], count: int, where: str) -> list[str]:
    """The picture of each line: by its number, or by its place among as many."""
    stems = [_stem(name) for name in pictures]
    numbers = [NUMBERED.fullmatch(stem) for stem in stems]
    if any(numbers):
        return [f"ILSVRC2012_val_{line:08d}" for line in range(1, count + 1)]
    if len(stems) != count:
        raise UserError(
            f"{where} has {count:,} lines for {len(stems):,} pictures, which are not named "
            "ILSVRC2012_val_NUMBER: write each picture's file before its class"
        )
    return sorted(stems)


def _numbered_wnids(
    stems: list[str], classes: list[str], truth: TruthFile, notes: list[str]
) -> list[str]:
    """The wnids of classes that are numbers. UserError where their order can't be known."""
    wrong = next(
        (i for i, one in enumerate(classes) if not one.isdecimal()), None
    )
    if wrong is not None:
        raise UserError(
            f"{truth.where}, line {wrong + 1:,}: the class is {classes[wrong]!r}; it takes a wnid "
            "such as n01440764 in each line, or a number in each"
        )
    numbers = [int(one) for one in classes]
    order = _order_of(dict(zip(stems, numbers, strict=True)), truth, notes)
    wnid_of = {
        index: wnid for wnid, index in published_lists().objects.values()
    }
    outside = next((i for i, n in enumerate(numbers) if n not in order), None)
    if outside is not None:
        raise UserError(
            f"{truth.where}, line {outside + 1:,}: the class is {numbers[outside]}; it takes "
            f"{min(order)} to {max(order):,}"
        )
    return [wnid_of[order[number]] for number in numbers]


def _order_of(
    numbers: Mapping[str, int], truth: TruthFile, notes: list[str]
) -> dict[int, int]:
    """ImageNet's index by number, in the order that the list is in."""
    devkit = dict(enumerate(devkit_order(), start=1))
    orders = {
        "the development kit's": devkit,
        "the wnids', from 0": {number: number for number in range(1000)},
        "the wnids', from 1": {number: number - 1 for number in range(1, 1001)},
    }
    first = [
        (numbers[stem], label)
        for place, label in enumerate(FIRST_LABELS, start=1)
        if (stem := f"ILSVRC2012_val_{place:08d}") in numbers
    ]
    for name, order in orders.items():
        fits = all(order.get(number) == label for number, label in first)
        if fits and len(first) >= ENOUGH:
            notes.append(
                f"classes are numbered in {name} order, by the first labels"
            )
            return order
    if GROUND_TRUTH.fullmatch(_last(truth.name)) and 0 not in numbers.values():
        notes.append("classes are numbered in the development kit's order")
        if len(numbers) >= VALIDATION_SIZE:
            notes[-1] += ", though its first labels are not those of ILSVRC2012"
        return devkit
    raise UserError(
        f"{truth.where} numbers the classes, and nothing says in which order (the development "
        "kit's, or the wnids'): write wnids such as n01440764 in place of the numbers"
    )


VALIDATION = Layout(
    "validation-list",
    f"pictures with {SOLUTION} or ILSVRC2012_validation_ground_truth.txt",
    _recognise,
    _read,
)
