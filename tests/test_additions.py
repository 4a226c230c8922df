"""What CONTRIBUTING.md says of an addition, done exactly so from outside: copy from here."""

import inspect
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from aobench.audit import readers
from aobench.audit.api import audit
from aobench.audit.chunks import CaptionChunk
from aobench.audit.layouts import ColumnError
from aobench.audit.readers.base import CaptionFormat
from aobench.audit.vocabulary import Vocabulary
from aobench.cli import main
from aobench.errors import UserError
from aobench.layouts import read_layout, table
from aobench.layouts.base import LabelledPicture, LabelledSet, Layout
from aobench.layouts.report import LeftOut
from aobench.results.tasks import TASKS, Task

ROOT = Path(__file__).parents[1]
NAMES = Vocabulary(("red", "wooden"), ("bus", "bench"))


# --- a kind of model, in a package of its own --------------------------------------------------

KIND = '''
import numpy as np
import torch
from aobench.models.base import ModelInfo
from torch.nn import functional


class MeanColour:
    """The mean colour of a picture, unchanged."""

    identity = "mean-colour-1"

    def __call__(self, image):
        return {"pixels": np.asarray(image, np.float32).mean((0, 1))}

    def inputs(self, batch, device, dtype):
        return {"pixels": batch["pixels"].to(device, dtype)}


class ColourEncoder:
    """Pictures by their colour, texts by the colours that they name."""

    def __init__(self, name, device, options):
        self.transform = MeanColour()
        self.info = ModelInfo(
            f"colours:{name}", "colours", "1", "none", options.dtype, device.type, True
        )

    def encode_images(self, batch):
        return functional.normalize(batch["pixels"].float() + 1e-3, dim=-1)

    def encode_texts(self, texts):
        rows = [[word in text for word in ("red", "green", "blue")] for text in texts]
        return functional.normalize(torch.tensor(rows).float() + 1e-3, dim=-1)
'''


def install_package(folder, monkeypatch):
    """A package as pip leaves it: a module, and metadata with an entry point."""
    (folder / "colour_kind.py").write_text(KIND)
    facts = folder / "colour_kind-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: colour-kind\nVersion: 1.0\n"
    )
    (facts / "entry_points.txt").write_text(
        "[imagenet_ao.models]\ncolours = colour_kind:ColourEncoder\n"
    )
    monkeypatch.syspath_prepend(str(folder))


def test_a_kind_of_model_by_entry_point(tmp_path, monkeypatch, capsys):
    install_package(tmp_path, monkeypatch)
    pictures = tmp_path / "pictures"
    for attribute, colour in (("red", "#ff0000"), ("green", "#00ff00")):
        for name in ("bus", "bench"):
            folder = pictures / f"{attribute}_{name}"
            folder.mkdir(parents=True)
            Image.new("RGB", (24, 20), colour).save(folder / "1.png")
    words = [
        "--data",
        str(pictures),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["evaluate", "colours:plain", *words, "--cpu"]) == 0, (
        capsys.readouterr()
    )
    path = next((tmp_path / "out").rglob("results.json"))
    content = json.loads(path.read_text())
    assert (content["model"]["id"], content["model"]["kind"]) == (
        "colours:plain",
        "colours",
    )
    assert (path.parent / "predictions.parquet").is_file()


# --- a format of captions ----------------------------------------------------------------------


def database_chunks(path, column, layout):
    """The captions of a SQLite database with a table ``captions``."""
    try:
        with sqlite3.connect(path) as database:
            columns = [
                row[1]
                for row in database.execute("PRAGMA table_info(captions)")
            ]
            name = column or "text"
            if name not in columns:
                known = ", ".join(columns)
                raise ColumnError(
                    f"{path} has no column {name!r}; it has: {known}"
                )
            first = 0
            rows = database.execute(
                f'SELECT "{name}" FROM captions ORDER BY rowid'
            )
            while batch := rows.fetchmany(2):
                yield CaptionChunk.of([text for (text,) in batch], first)
                first += len(batch)
    except sqlite3.DatabaseError as error:
        raise ValueError(str(error)) from error


FORMAT = CaptionFormat("sqlite", (".sqlite", ".db"), database_chunks)


@pytest.fixture
def added_format(monkeypatch):
    monkeypatch.setitem(readers.FORMATS, FORMAT.name, FORMAT)


def write_database(path, texts):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE captions (text TEXT)")
        database.executemany(
            "INSERT INTO captions VALUES (?)", [(one,) for one in texts]
        )
    database.close()


def test_a_caption_format_counts_as_the_others_do(tmp_path, added_format):
    texts = [
        "a red bus",
        None,
        "a wooden bench",
        "red buses",
        "the red bus and the bench",
    ]
    (tmp_path / "corpus").mkdir()
    write_database(tmp_path / "corpus" / "one.sqlite", texts)
    (tmp_path / "same.txt").write_text("\n".join(text or "" for text in texts))
    counted = audit(tmp_path / "corpus", tmp_path / "a", vocabulary=NAMES)
    same = audit(tmp_path / "same.txt", tmp_path / "b", vocabulary=NAMES)
    assert (
        counted.matrix().tolist() == same.matrix().tolist() == [[3, 1], [0, 1]]
    )
    assert counted.manifest["totals"]["nulls"] == 1
    assert counted.manifest["files"][0]["kind"] == "sqlite"


def test_a_format_that_was_not_added_is_named(tmp_path):
    write_database(tmp_path / "one.sqlite", ["a red bus"])
    with pytest.raises(UserError, match="no known kind"):
        audit(tmp_path / "one.sqlite", tmp_path / "a", vocabulary=NAMES)


def test_faults_of_an_added_format_are_one_line(tmp_path, added_format):
    path = tmp_path / "one.db"
    write_database(path, ["a red bus"])
    with pytest.raises(UserError, match="no column 'words'; it has: text"):
        audit(path, tmp_path / "a", vocabulary=NAMES, column="words")
    path.write_bytes(b"no database, but some text" * 100)
    with pytest.raises(
        UserError, match=r"one.db cannot be read: .*not a database"
    ):
        audit(path, tmp_path / "a", vocabulary=NAMES)


def test_every_format_has_endings_of_its_own():
    endings = [end for one in readers.FORMATS.values() for end in one.endings]
    assert len(endings) == len(set(endings))
    assert all(end == end.lower() and end.startswith(".") for end in endings)
    assert all(name == one.name for name, one in readers.FORMATS.items())


# --- a layout of data --------------------------------------------------------------------------


def flat_pictures(tree):
    return {
        name: name.removesuffix(".png").split("-")
        for name in sorted(tree.members)
        if name.endswith(".png") and "/" not in name and name.count("-") == 2
    }


def recognise_flat(tree, options):
    return next(iter(flat_pictures(tree)), None)


def read_flat(tree, options):
    pictures = [
        LabelledPicture(name, name, -1, attribute, thing, "", name)
        for name, (attribute, thing, _) in flat_pictures(tree).items()
    ]
    left_out = LeftOut()
    for name in sorted(tree.members.keys() - flat_pictures(tree).keys()):
        left_out.add("no_label_folder", name)
    return LabelledSet(tree, pictures, left_out)


LAYOUT = Layout(
    "flat-names", "ATTRIBUTE-OBJECT-NUMBER.png", recognise_flat, read_flat
)


def test_a_layout_is_recognised_read_and_evaluated_as_the_others_are(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(table, "LAYOUTS", (*table.LAYOUTS, LAYOUT))
    for name in ("red-bus-1", "wooden-bench-1", "wooden-bench-2", "stray"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{name}.png")
    data = read_layout(str(tmp_path))
    assert data.report.layout == "flat-names"
    pairs = [(one.attribute, one.object) for one in data.splits["ood"]]
    assert pairs == [("red", "bus"), *[("wooden", "bench")] * 2]
    assert data.report.left_out["no_label_folder"]["count"] == 1, (
        "a picture is lost unsaid"
    )
    with pytest.raises(
        UserError, match=r"not a layout \(did you mean 'flat-names'"
    ):
        read_layout(str(tmp_path), "flat-name")


def test_an_added_layout_may_not_take_what_another_takes(tmp_path, monkeypatch):
    greedy = Layout(
        "greedy", "anything", lambda tree, options: "all of it", read_flat
    )
    monkeypatch.setattr(table, "LAYOUTS", (*table.LAYOUTS, greedy))
    Path(tmp_path, "red_bus").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red_bus" / "1.png")
    with pytest.raises(UserError, match="two layouts at once"):
        read_layout(str(tmp_path))


# --- an export, in a package of its own ---------------------------------------------------------

EXPORT = """
from aobench.publish.exports.base import ExportFormat, score_rows


def render(results, options):
    lines = [f"{row.model} {row.title} {row.value:.3f}" for one in results for row in score_rows(one)]
    return "\\n".join(lines) + "\\n"


FORMAT = ExportFormat("lines", "a line an accuracy", render, several=True)
"""


def test_an_export_in_a_package_of_its_own(tmp_path, monkeypatch, capsys):
    package = tmp_path / "lines_export"
    package.mkdir()
    (package / "__init__.py").write_text(EXPORT)
    about = tmp_path / "lines_export-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: lines-export\nVersion: 1\n"
    )
    (about / "entry_points.txt").write_text(
        "[imagenet_ao.exports]\nlines = lines_export:FORMAT\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    bundled = Path(__file__).parents[1] / "model_cards" / "mini"
    assert main(["export", str(bundled), "--to", "lines"]) == 0
    said = capsys.readouterr().out
    assert "mini composition, novel (ood): composition 0." in said


# --- a task ------------------------------------------------------------------------------------

TASK = Task("object-open", "object", "shared", "among all objects", "open")


def test_a_task_is_one_line_that_every_part_knows(
    tmp_path, monkeypatch, capsys
):
    """The runner asks it, the table holds it, the metric scores it, every verb shows it."""
    monkeypatch.setitem(TASKS, TASK.name, TASK)
    (tmp_path / "one.txt").write_text("a {}\n")
    words = ["--limit", "6", "--out", str(tmp_path), "--cpu", "--data", "mini"]
    words += ["--templates", str(tmp_path / "one.txt")]
    assert main(["evaluate", "mini", *words, "--tasks", TASK.name]) == 0
    content = json.loads((tmp_path / "mini" / "results.json").read_text())
    assert content["scores"][TASK.name]["splits"]["ood"]["n_candidates"] == 110
    assert main(["score", str(tmp_path / "mini")]) == 0
    assert TASK.name in capsys.readouterr().out
    card = ["--dataset", "org/set", "--out", str(tmp_path / "card")]
    assert main(["card", str(tmp_path / "mini"), *card]) == 0
    assert f"({TASK.name})" in (tmp_path / "card" / "README.md").read_text()


# --- the same additions in this repository: the files that each of them touches ---------------

#: File, text in it, and what takes its place.
LINES = {
    "a kind of model": [
        (
            "models/registry.py",
            "PREFIXES = {",
            'PREFIXES = {\n    "colours": "aobench.models.colours:ColourEncoder",',
        )
    ],
    "a format of captions": [
        (
            "audit/readers/__init__.py",
            "    json_lines,\n    parquet,",
            "    database,\n    json_lines,\n    parquet,",
        ),
        (
            "audit/readers/__init__.py",
            "        parquet.FORMAT,",
            "        parquet.FORMAT,\n        database.FORMAT,",
        ),
    ],
    "a layout of data": [
        (
            "layouts/table.py",
            "from aobench.layouts.form",
            "from aobench.layouts.flat_names import LAYOUT as FLAT\nfrom aobench.layouts.form",
        ),
        ("layouts/table.py", "    VAW_CZSL,\n)", "    VAW_CZSL,\n    FLAT,\n)"),
    ],
    "an export": [
        (
            "publish/exports/__init__.py",
            "EXPORTS = {",
            'EXPORTS = {\n    "lines": "aobench.publish.exports.lines:FORMAT",',
        )
    ],
    "a task": [
        (
            "results/tasks.py",
            "PLAIN_TASKS = (",
            "PLAIN_TASKS = (\n    "
            'Task("object-open", "object", "shared", "among all objects", "open"),',
        )
    ],
}


def module_text(*parts):
    """A module of definitions of this file, with what they import."""
    head = inspect.getsource(inspect.getmodule(module_text)).partition(
        "\nROOT"
    )[0]
    used = [
        line
        for line in head.splitlines()
        if "aobench" in line or "import" in line
    ]
    skipped = (
        "pytest",
        "aobench.cli",
        "audit.api",
        "import read_layout",
        "import readers",
    )
    imports = [
        line for line in used if not any(word in line for word in skipped)
    ]
    bodies = [
        one if isinstance(one, str) else inspect.getsource(one) for one in parts
    ]
    return "\n".join(imports) + "\n\n\n" + "\n\n".join(bodies)


NEW_FILES = {
    "models/colours.py": KIND,
    "publish/exports/lines.py": EXPORT,
    "audit/readers/database.py": module_text(
        database_chunks,
        'FORMAT = CaptionFormat("sqlite", (".sqlite", ".db"), database_chunks)\n',
    ),
    "layouts/flat_names.py": module_text(
        flat_pictures,
        recognise_flat,
        read_flat,
        'LAYOUT = Layout("flat-names", "A-O-N.png", recognise_flat, read_flat)\n',
    ),
}

#: In a copy of the library that has all of them.
PROGRAM = """
import sys
for name in [name for name in sys.modules if name.split(".")[0] == "aobench"]:
    del sys.modules[name]
import aobench
from aobench.audit.readers import known_format
from aobench.publish.exports import find_export
result = aobench.evaluate(
    "colours:plain", "pictures", tasks=["object-open"], templates=["{}"]
)[0]
names = known_format("a.db").name, find_export("lines").name
print(aobench.__file__, *names, *result.scores)
"""


def test_an_addition_here_is_one_new_file_and_lines_of_one_table(
    warm, tmp_path
):
    library = tmp_path / "copy" / "aobench"
    shutil.copytree(ROOT / "aobench", library, copy_function=os.symlink)
    touched = {}
    for addition, lines in LINES.items():
        touched[addition] = {file for file, _, _ in lines}
        for file, before, after in lines:
            text = (library / file).read_text()
            assert text.count(before) == 1, f"{file}: {before}"
            (library / file).unlink()
            (library / file).write_text(text.replace(before, after))
    for file, text in NEW_FILES.items():
        (library / file).write_text(text)
    for name in ("red-bus-1", "wooden-bench-1"):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(
            tmp_path / "pictures" / f"{name}.png"
        )
    (done,) = warm.run(
        1, [], code=PROGRAM, folder=tmp_path, path=[library.parent]
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        str(library / "__init__.py"),
        "sqlite",
        "lines",
        TASK.name,
    ]
    assert {
        addition: len(files) for addition, files in touched.items()
    } == dict.fromkeys(LINES, 1), (
        "an addition needs lines in more than one file"
    )
    ours = {path for path in library.rglob("*.py") if not path.is_symlink()}
    assert len(ours) == len(LINES) + len(NEW_FILES), "files touched"
