"""The renderer with a folder of one's own pictures: a whole build of them, bad pictures, and
changed ones.
"""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.builds import allow
from helpers.drawing import lies
from PIL import Image, ImageDraw

from aobench.cli import main
from aobench.errors import UserError
from aobench.mini import own_pictures
from aobench.mini.own_pictures import Objects, read_folder
from aobench.mini.pictures import objects as mini_objects
from aobench.newset.generators import ImageTask, make_generator
from aobench.newset.manifests import read_manifest, read_rows, step_folder

PLANTED = {
    "generator": "helpers.drawing:Planted",
    "images": 20,
    "batch_size": 8,
    "options": {"pictures": "mine"},
}
PLAIN = {
    "generator": "renderer",
    "images": 2,
    "batch_size": 8,
    "options": {"pictures": "mine"},
}


def paint(path, kind, size=(90, 60), colour=(200, 40, 40, 255)):
    """A shape on a transparent ground, not in the middle, as PNG or WebP."""
    image = Image.new("RGBA", size)
    pen, box = (
        ImageDraw.Draw(image),
        (size[0] // 3, 4, size[0] - 5, size[1] - 8),
    )
    if kind == "ellipse":
        pen.ellipse(box, fill=colour)
    elif kind == "box":
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([box[:2], box[2:], (box[0], box[3])], fill=colour)
    pen.rectangle(
        (size[0] // 2, size[1] // 3, size[0] // 2 + 6, size[1] // 2),
        fill=(250, 250, 120, 255),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **({"lossless": True} if path.suffix == ".webp" else {}))


@pytest.fixture
def mine(tmp_path):
    where = tmp_path / "mine"
    paint(where / "disc.png", "ellipse")
    paint(where / "tall_box" / "red.png", "box", (50, 150))
    paint(
        where / "tall_box" / "blue.webp", "box", (300, 700), (40, 60, 200, 255)
    )
    paint(where / "wedge.webp", "wedge", (20, 20))
    (where / "NOTICE.md").write_text("no picture\n")
    (where / ".hidden.png").write_bytes(b"no picture either")
    return where


def configuration(
    tmp_path,
    generate=PLAIN,
    judge=None,
    attributes=("neon", "plaid"),
    objects=("disc", "tall box"),
):
    (tmp_path / "captions.txt").write_text("a plaid wedge\nnothing else\n")
    content = {
        "out": "out",
        "seed": 1,
        "compose": {
            "corpora": [{"name": "mine", "captions": ["captions.txt"]}],
            "attributes": list(attributes),
            "objects": list(objects),
        },
        "generate": generate,
        "validate": {
            "judges": [
                judge or {"kind": "redraw", "options": {"pictures": "mine"}}
            ]
        },
        "distinct": {"model": "mini"},
        "package": {"name": "drawn"},
    }
    path = tmp_path / "set.yaml"
    path.write_text(json.dumps(content))
    return path


def build(path, *steps):
    return main(
        [
            "build",
            str(path),
            *allow(path),
            *(["--steps", *steps] if steps else []),
        ]
    )


def error_of(capsys, path, *steps):
    """The one line that a failing build prints."""
    capsys.readouterr()
    assert build(path, *steps) == 2, "the build went through"
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    return err


def test_a_whole_set_of_ones_own_pictures(tmp_path, mine):
    pytest.importorskip("imagehash")
    path = configuration(tmp_path, objects=("disc", "tall box", "wedge"))
    assert build(path) == 0
    rows = read_rows(
        step_folder(tmp_path / "out", "distinct") / "decisions.parquet"
    )
    wanted = {
        "neon__disc",
        "neon__tall_box",
        "neon__wedge",
        "plaid__disc",
        "plaid__tall_box",
    }
    assert {row["image_id"].split("/")[0] for row in rows} == wanted, (
        "all but the plaid wedge, which is in a caption"
    )
    manifest = read_manifest(tmp_path / "out", "generate")
    assert manifest["facts"]["objects"] == 3
    assert manifest["facts"]["drawings"] == 4
    assert manifest["made_from"]["pictures"] == read_folder(mine).mark
    assert str(tmp_path) not in json.dumps(manifest), (
        "the folder's place is told: moved, it would be refused"
    )
    shown = [
        Image.open(file)
        for file in sorted(
            (step_folder(tmp_path / "out", "generate")).rglob("*.png")
        )
    ]
    assert len({image.tobytes() for image in shown}) == 10


def test_the_redrawing_judge_finds_the_planted_errors(tmp_path, mine):
    path = configuration(
        tmp_path, PLANTED, objects=("disc", "tall box", "wedge")
    )
    assert build(path, "compose", "generate", "validate") == 0
    rows = read_rows(
        step_folder(tmp_path / "out", "validate") / "verdicts.parquet"
    )
    assert len(rows) == 100
    for row in rows:
        wrong = lies(int(row["image_id"].rpartition("/")[2]), row["image_id"])
        assert row["reason"] == (
            f"redraw: {wrong} below 0.5" if wrong else ""
        ), row["image_id"]


def test_the_seed_chooses_among_the_drawings_of_an_object(mine):
    render = make_generator("renderer", "", {"pictures": str(mine)})
    tasks = [
        ImageTask(f"x/{i}", "pixelated", "tall box", i, i, "")
        for i in range(12)
    ]
    images = [np.asarray(one.image).astype(int) for one in render(tasks)]
    again = [np.asarray(one.image) for one in render(tasks)]
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True))
    blue = [
        bool((image[..., 2] - image[..., 0] > 90).any()) for image in images
    ]
    assert 0 < sum(blue) < 12, "always the same of two drawings"


def test_a_picture_of_any_size_is_cropped_and_fills_its_square(mine):
    objects = Objects(str(mine))
    assert objects.names == ("disc", "tall box", "wedge")
    for files in objects.folder.files.values():
        for file in files:
            inside = own_pictures.load(file).alpha > 0.5
            assert inside.shape == (128, 128)
            assert (
                max(np.ptp(np.flatnonzero(inside.any(axis))) for axis in (0, 1))
                >= 125
            ), f"{file.path} is not fitted"


def test_the_bundled_folder_has_other_objects_than_mini_and_imagenet():
    root = Path(__file__).parents[2]
    here = root / "benchmarks" / "drawn_objects"
    with (here / "objects.csv").open(encoding="utf-8") as stream:
        listed = {row["object"] for row in csv.DictReader(stream)}
    files = read_folder(here).files
    assert set(files) == listed
    assert len(listed) >= 40
    assert {
        tuple(one.path.name for one in every) for every in files.values()
    } == {("fluent.webp", "noto.webp")}
    with (
        root
        / "aobench/analysis/published/caption_counts_per_imagenet_class.csv"
    ).open(encoding="utf-8") as stream:
        classes = {row["class_name"].lower() for row in csv.DictReader(stream)}
    assert not listed & (classes | set(mini_objects()))
    assert Objects(str(here)).facts["drawings"] == 2 * len(listed), (
        "a drawing can't be drawn"
    )


def _opaque(mine):
    Image.new("RGB", (40, 40), "red").save(mine / "brick.png")


def _clear(mine):
    Image.new("RGBA", (40, 40)).save(mine / "ghost.png")


def _faint(mine):
    paint(mine / "mist.png", "box")
    image = Image.open(mine / "mist.png")
    image.putalpha(image.getchannel("A").point(lambda alpha: min(alpha, 90)))
    image.save(mine / "mist.png")


def _cut_short(mine):
    (mine / "disc.png").write_bytes((mine / "disc.png").read_bytes()[:90])


def _emptied(mine):
    shutil.rmtree(mine)
    mine.mkdir()
    (mine / "readme.txt").write_text("none yet\n")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda mine: shutil.rmtree(mine), "mine is missing; give a folder"),
        (_emptied, "holds no PNG or WebP picture"),
        (_opaque, "brick.png has no transparent background"),
        (_clear, "ghost.png is transparent all over"),
        (_faint, "mist.png is transparent all over, or almost"),
        (_cut_short, "disc.png can't be read"),
        (
            lambda mine: (mine / "cup.png").write_text("no picture"),
            "cup.png is no PNG or WebP",
        ),
        (
            lambda mine: (mine / "cup.webp").write_bytes(b""),
            "cup.webp is no PNG or WebP",
        ),
        (
            lambda mine: (mine / "cup.jpg").write_bytes(b"x"),
            "cup.jpg is neither PNG nor WebP",
        ),
        (
            lambda mine: paint(mine / "disc" / "other.png", "box"),
            "has both disc and disc.png for 'disc'",
        ),
        (
            lambda mine: paint(mine / "disc.webp", "box"),
            "has both disc.png and disc.webp for 'disc'",
        ),
        (
            lambda mine: paint(mine / "tall box.png", "box"),
            "has both tall box.png and tall_box for 'tall box'",
        ),
    ],
)
def test_a_bad_folder_is_one_line(tmp_path, mine, capsys, spoil, told):
    spoil(mine)
    assert told in error_of(
        capsys, configuration(tmp_path), "compose", "generate"
    )


@pytest.mark.parametrize(
    ("attributes", "objects", "options", "told"),
    [
        (
            ["neon"],
            ["tall boxes"],
            {"pictures": "mine"},
            "did you mean 'tall box'?",
        ),
        (
            ["neon"],
            ["accordion"],
            {"pictures": "mine"},
            "it has: disc, tall box, wedge",
        ),
        (["neon"], ["disc"], {}, "can't draw 'disc'; it knows: accordion"),
        (
            ["shiny"],
            ["disc"],
            {"pictures": "mine"},
            "can't draw 'shiny'; its attributes are",
        ),
        (
            ["neon"],
            ["disc"],
            {"pictures": 3},
            "pictures is the name of a folder, not 3",
        ),
        (
            ["neon"],
            ["disc"],
            {"pictures": "mine/disc.png"},
            "is no folder; give a folder",
        ),
        (["neon"], ["disc"], {"picture": "mine"}, "has no option 'picture'"),
    ],
)
def test_bad_options_and_unknown_names_are_one_line(
    tmp_path, mine, capsys, attributes, objects, options, told
):
    path = configuration(
        tmp_path, {**PLAIN, "options": options}, None, attributes, objects
    )
    assert told in error_of(capsys, path, "compose", "generate")


def test_changed_pictures_are_never_mixed(tmp_path, mine, capsys):
    path = configuration(tmp_path)
    assert build(path, "compose", "generate", "validate") == 0
    (mine / "NOTICE.md").write_text("more text, no other picture\n")
    assert build(path, "compose", "generate", "validate") == 0, (
        "a text file is no picture"
    )
    before = read_rows(
        step_folder(tmp_path / "out", "generate") / "images.parquet"
    )
    paint(mine / "disc.png", "ellipse", colour=(20, 160, 60, 255))
    assert "made with other pictures" in error_of(capsys, path, "generate")
    assert (
        "2-generate is of other pictures; run it again: --steps generate"
        in error_of(capsys, path, "validate")
    )
    shutil.rmtree(step_folder(tmp_path / "out", "generate"))
    assert build(path, "generate", "validate") == 0
    after = read_rows(
        step_folder(tmp_path / "out", "generate") / "images.parquet"
    )
    assert [row["sha256"] for row in before] != [row["sha256"] for row in after]
    assert all(
        row["accepted"]
        for row in read_rows(
            step_folder(tmp_path / "out", "validate") / "verdicts.parquet"
        )
    )


def test_the_judge_must_draw_from_the_same_folder(tmp_path, mine, capsys):
    path = configuration(tmp_path, judge={"kind": "redraw"})
    assert build(path, "compose", "generate") == 0
    assert "the judge 'redraw' draws from other pictures" in error_of(
        capsys, path, "validate"
    )
    shutil.copytree(mine, tmp_path / "copy")
    path = configuration(
        tmp_path, judge={"kind": "redraw", "options": {"pictures": "copy"}}
    )
    assert build(path, "validate") == 0, "a copy of the folder is as good"


def test_the_folder_and_the_configuration_can_be_moved(tmp_path, mine, capsys):
    (tmp_path / "a").mkdir()
    shutil.move(mine, tmp_path / "a" / "mine")
    assert (
        build(configuration(tmp_path / "a"), "compose", "generate", "validate")
        == 0
    )
    (tmp_path / "a").rename(tmp_path / "b")
    stamps = {
        p: p.stat().st_mtime_ns
        for p in Path(tmp_path / "b" / "out").rglob("*")
        if p.is_file()
    }
    assert (
        build(tmp_path / "b" / "set.yaml", "compose", "generate", "validate")
        == 0
    )
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps, (
        "something was made again"
    )


def test_a_picture_that_changes_during_the_step_is_refused(mine):
    objects = Objects(str(mine))
    own_pictures.load.cache_clear()
    paint(mine / "wedge.webp", "box")
    with pytest.raises(UserError, match="changed while the step ran"):
        objects.render("neon", "wedge", 0)


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_a_picture_that_is_stored_sideways_is_upright(tmp_path, ending):
    drawings = {}
    for name, turn in (("plain", None), ("stored", Image.Transpose.ROTATE_90)):
        place = tmp_path / name / f"wedge.{ending}"
        paint(place, "wedge")
        if turn is not None:
            exif = Image.Exif()
            exif[0x0112] = 6
            stored = Image.open(place).transpose(turn)
            stored.save(
                place,
                exif=exif.tobytes(),
                **({"lossless": True} if ending == "webp" else {}),
            )
        drawings[name] = own_pictures.load(
            read_folder(place.parent).files["wedge"][0]
        )
    assert (drawings["plain"].alpha == drawings["stored"].alpha).all()
    assert (
        drawings["plain"].rgb * drawings["plain"].alpha[..., None]
        == drawings["stored"].rgb * drawings["stored"].alpha[..., None]
    ).all()


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        (
            "cup.png",
            lambda path: os.mkfifo(path),
            "cup.png is not a regular file",
        ),
        (
            "cup.png",
            lambda path: path.symlink_to("nowhere.png"),
            "cup.png is not a regular file",
        ),
        (
            "cup.webp",
            lambda path: path.symlink_to("cup.webp"),
            "cup.webp is not a regular file",
        ),
        ("cup/more/old.png", lambda path: paint(path, "box"), "lies too deep"),
        (
            "cup/more/old.jfif",
            lambda path: path.write_bytes(b"x"),
            "lies too deep",
        ),
        (
            "cup.jfif",
            lambda path: path.write_bytes(b"x"),
            "cup.jfif is neither PNG nor WebP",
        ),
    ],
)
def test_no_picture_is_passed_over_in_silence(mine, name, make, words):
    (mine / name).parent.mkdir(parents=True, exist_ok=True)
    make(mine / name)
    with pytest.raises(UserError, match=words):
        Objects(str(mine))
