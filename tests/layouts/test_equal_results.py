"""One set in each layout, from `load_dataset`, prepared Parquet and the API: equal results; and the
same with ImageNet's pictures as seen ones.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from helpers import one_set
from helpers.imagenet_forms import FORMS as ID_FORMS
from helpers.imagenet_forms import (
    LABELS,
    PUBLISHED,
    folders,
    picture,
    put,
    table,
    with_truth,
)
from helpers.one_set import FORMS, write_form, zip_of
from helpers.own_models import TinyClassifier, TinyEncoder
from PIL import Image

import aobench
import imagenet_ao
from aobench import cli
from aobench.errors import UserError
from aobench.evaluation.data import open_splits
from aobench.evaluation.sources import data_source

TEMPLATES = ["a {}"]


def evaluated(data: Any, model: Any = None, **reading: Any) -> Any:
    model = model or TinyEncoder()
    if "out" not in reading:
        kept = ("id_data", "layout", "columns", "attributes", "objects")
        given = {name: reading.pop(name) for name in kept if name in reading}
        data = dataclasses.replace(data_source(data, **given), shown=True)
    return aobench.evaluate(
        model, data, templates=TEMPLATES, cpu=True, **reading
    )[0]


class Answers(dict[Any, Any]):
    """The rows of a result by what each shows; numbers are equal where their last digits differ,
    which hang on the order of the pictures, as a layout has it.
    """

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Answers)
        assert self.keys() == other.keys()
        return all(
            row == pytest.approx(other[key], abs=1e-5)
            for key, row in self.items()
        )

    __hash__ = None  # type: ignore[assignment]


def answers(result: Any, ids: bool = False) -> Answers:
    """All rows of a result; without their ids, which a layout chooses."""
    found = Answers()
    for row in result.answers.table.to_pylist():
        sample = row.pop("sample_id") if ids else ""
        row.pop("sample_id", None)
        key = tuple(
            row[name] for name in ("task", "split", "attribute", "object")
        )
        named = tuple(row.pop(name) for name in ("top", "choices"))
        lists = tuple(tuple(one) if one else () for one in named)
        found[(*key, sample, lists)] = {
            k: v for k, v in row.items() if v is not None
        }
    assert len(found) == len(result.answers.table), "no row hides another"
    return found


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    place = write_form(
        "label folders", tmp_path_factory.mktemp("wanted") / "set"
    )
    rows = answers(evaluated(place))
    assert len(rows) == 4 * 8 + 2 * 4, (
        "four tasks on both splits, choice on one"
    )
    return rows


@pytest.mark.parametrize("form", FORMS)
def test_each_layout_gives_equal_results(
    form: str, wanted: Answers, tmp_path: Path, capsys: Any
) -> None:
    result = evaluated(write_form(form, tmp_path / "set"))
    assert answers(result) == wanted
    facts = result.content["dataset"]
    recognised = facts["recognised"]
    assert recognised["layout"] == FORMS[form][0]
    assert recognised["images"] == {"id": 4, "ood": 4}
    pairs = (recognised["seen_pairs"], recognised["novel_pairs"])
    assert (*pairs, recognised["attributes"], recognised["objects"]) == (
        4,
        4,
        3,
        3,
    )
    trained = {} if "without" in form else {"split_train": 4}
    left = facts.get("left_out", {})
    assert {why: one["count"] for why, one in left.items()} == trained
    said = capsys.readouterr().out
    assert f"set, {FORMS[form][0]}: " in said
    assert "pairs       4 seen, 4 novel" in said
    assert ("left out    4 pictures of the training split" in said) == bool(
        trained
    )


def test_so_do_prepared_parquet_a_zip_the_cache_and_the_command(
    wanted: Answers, tmp_path: Path, capsys: Any
) -> None:
    place = write_form("UT-Zappos", tmp_path / "set")
    out = tmp_path / "out"
    assert cli.main(["prepare", str(out), "--data", str(place)]) == 0
    said = capsys.readouterr().out
    assert "layout      ut-zappos" in said
    assert "4 pictures of the training split" in said
    assert answers(evaluated(out)) == wanted
    assert answers(evaluated(f"{out}:folder")) == wanted
    assert answers(evaluated(out / "folder")) == wanted
    assert answers(evaluated(zip_of(place, tmp_path / "set.zip"))) == wanted
    assert answers(evaluated(place)) == wanted, "from the cache"
    loaded = datasets.load_dataset("imagenet_ao", "folder", data_dir=str(place))
    splits = {split.name: split for split in open_splits(data_source(place))}
    for name, rows in loaded.items():
        assert splits[name].fingerprint == imagenet_ao.fingerprint(rows)
    assert cli.main(["prepare", str(out / "again"), "--data", str(out)]) == 2
    assert "is prepared already" in capsys.readouterr().err


def test_a_dataset_of_anothers_form_is_read_by_its_columns(
    wanted: Answers, tmp_path: Path
) -> None:
    place = write_theirs(tmp_path / "theirs")
    columns = "image=img,attribute=state,object=noun"
    assert answers(evaluated(place, columns=columns)) == wanted
    with pytest.raises(
        UserError, match="has the columns img, state, noun: say which"
    ):
        evaluated(place)
    with pytest.raises(
        UserError, match="lacks the column mood; it has img, state, noun"
    ):
        evaluated(
            place, columns="image=img,attribute=mood,object=noun", layout="list"
        )


TEXT = datasets.Value("string")


def write_theirs(place: Path) -> Path:
    """A repository as others write it: Parquet by split, names as texts."""
    for name, split in (("train", "train"), ("id", "id"), ("ood", "ood")):
        samples = [one for one in one_set.SAMPLES if one.split == split]
        rows = {
            "img": [{"bytes": one.data, "path": None} for one in samples],
            "state": [one.attribute for one in samples],
            "noun": [one.object for one in samples],
        }
        kinds = {"img": datasets.Image(), "state": TEXT, "noun": TEXT}
        (place / "data").mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(
            rows, features=datasets.Features(kinds)
        ).to_parquet(place / "data" / f"{name}-00000-of-00001.parquet")
    return place


def test_a_list_whose_columns_have_other_names(
    wanted: Answers, tmp_path: Path
) -> None:
    place = write_form("CSV", tmp_path / "set")
    path = place / "list.csv"
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition("\n")
    names = {
        "file": "path",
        "attribute": "state",
        "object": "noun",
        "split": "part",
    }
    renamed = [names.get(one.strip(), one) for one in head.split(",")]
    path.write_text(",".join(renamed) + "\n" + rest, encoding="utf-8")
    columns = {role: name for role, name in names.items() if name in renamed}
    assert answers(evaluated(place, columns=columns)) == wanted
    assert next(csv.reader(io.StringIO(path.read_text()))) == renamed


# ImageNet's pictures as seen ones


def archive(root: Path) -> Path:
    """A small archive of the published form."""
    for number, label in enumerate(
        ("red banana", "wooden_tench", "furry kit fox")
    ):
        put(
            root / "ImageNet-AO-filtered" / label / "0.png",
            picture(20 + number),
        )
    return root


@pytest.fixture(scope="module")
def with_id(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results on the archive with folders of wnids beside it: of an encoder and a classifier."""
    root = tmp_path_factory.mktemp("id")
    data, seen = archive(root / "archive"), folders(root / "val")
    return {
        "encoder": evaluated(data, id_data=seen),
        "classifier": evaluated(data, TinyClassifier(), id_data=seen),
    }


def test_objects_are_asked_among_all_classes_on_both_splits(
    with_id: dict[str, Any],
) -> None:
    for result in with_id.values():
        splits = result.scores["object"]["splits"]
        assert {
            name: (one["n"], one["n_candidates"])
            for name, one in splits.items()
        } == {
            "id": (7, 1000),
            "ood": (3, 1000),
        }
        hashes = {
            one["hash"]
            for one in result.content["tasks"]["object"]["candidates"].values()
        }
        assert len(hashes) == 1, "one list"
    assert set(with_id["encoder"].scores) > {"object", "composition-own"}
    for task, scores in with_id["encoder"].scores.items():
        assert set(scores["splits"]) == (
            {"id", "ood"} if task == "object" else {"ood"}
        )
    assert set(with_id["classifier"].scores) == {"object", "choice-object"}


def test_each_picture_is_scored_by_its_own_class(
    with_id: dict[str, Any],
) -> None:
    table = with_id["classifier"].answers.table.to_pylist()
    rows = [row for row in table if row["split"] == "id"]
    listed = with_id["classifier"].answers.lists["object"]["id"]
    shown = [listed.names[row["label"]] for row in rows]
    assert sorted(shown) == sorted(PUBLISHED[wnid] for wnid in LABELS)
    classifier = TinyClassifier()
    names = {index: name for name, (_, index) in imagenet_ao.OBJECTS.items()}
    for row in rows:
        number = int(row["sample_id"][-13:-5]) - 1
        image = Image.open(io.BytesIO(picture(number))).convert("RGB")
        pixels = torch.from_numpy(classifier.transform(image)["pixels"])
        best = int(classifier.encode_images({"pixels": pixels[None]}).argmax())
        assert listed.names[row["top"][0]] == names[best]


@pytest.mark.parametrize("form", ID_FORMS)
def test_each_form_of_imagenet_gives_equal_results(
    form: str, with_id: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    seen = ID_FORMS[form][1](tmp_path / "seen")
    result = evaluated(archive(tmp_path / "set"), id_data=seen)
    assert answers(result, ids=True) == answers(with_id["encoder"], ids=True)
    told = result.content["dataset"]
    assert told["recognised"]["id_data"]["layout"] == ID_FORMS[form][0]
    assert told["left_out"]["class_without_picture"]["count"] == 997
    said = capsys.readouterr().out
    assert "7 images of 3 of ImageNet's 1,000 classes" in said
    assert "The task composition leaves the split id out" in said


def test_prepared_and_loaded_with_imagenet_it_is_the_same(
    with_id: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    data, seen = archive(tmp_path / "set"), with_truth(tmp_path / "val")
    words = [
        "prepare",
        str(tmp_path / "out"),
        "--data",
        str(data),
        "--id-data",
        str(seen),
    ]
    assert cli.main(words) == 0
    assert "validation-list" in capsys.readouterr().out
    assert answers(evaluated(tmp_path / "out"), ids=True) == answers(
        with_id["encoder"], ids=True
    )
    bare = tmp_path / "bare"
    assert cli.main(["prepare", str(bare), "--data", str(data)]) == 0
    assert answers(evaluated(bare, id_data=seen), ids=True) == answers(
        with_id["encoder"], ids=True
    )
    rows = datasets.load_dataset(
        "imagenet_ao", "v2", data_dir=str(data), id_data=str(seen), split="id"
    )
    assert [
        rows.features["object"].names[one] for one in rows["object"][:]
    ] == [PUBLISHED[one.split("/")[0]] for one in rows["sample_id"][:]]
    with pytest.raises(UserError, match="has seen pictures of its own"):
        evaluated(tmp_path / "out", id_data=seen)


def test_ones_own_objects_that_are_classes_keep_their_names(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own"
    for number, label in enumerate(
        ("shiny_Banana", "dull_spork", "shiny_spork")
    ):
        put(own / label / "0.png", picture(30 + number))
    result = evaluated(own, id_data=folders(tmp_path / "val"))
    listed = result.answers.lists["object"]
    assert len(listed["id"]) == len(listed["ood"]) == 1001
    assert "Banana" in listed["id"].names
    assert "banana" not in listed["id"].names
    with pytest.raises(UserError, match="1 objects without an ImageNet class"):
        evaluated(own, TinyClassifier(), id_data=folders(tmp_path / "val"))
    bare = tmp_path / "bare"
    assert cli.main(["prepare", str(bare), "--data", str(own)]) == 0
    assert answers(
        evaluated(bare, id_data=tmp_path / "val"), ids=True
    ) == answers(result, ids=True)


def in_the_hubs_cache(
    monkeypatch: pytest.MonkeyPatch, cache: Path, repository: str
) -> Path:
    """The folder of a dataset of the Hub in its cache, which is all that there is offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    home = cache / f"datasets--{repository.replace('/', '--')}"
    put(home / "refs" / "main", "0" * 40)
    return home / "snapshots" / ("0" * 40)


def test_imagenet_from_the_hub(
    with_id: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(
        in_the_hubs_cache(monkeypatch, tmp_path / "hub", "org/imagenet")
        / "data"
    )
    result = evaluated(archive(tmp_path / "set"), id_data="org/imagenet")
    assert answers(result, ids=True) == answers(with_id["encoder"], ids=True)
    with pytest.raises(UserError, match="'org/none' could not be fetched"):
        evaluated(tmp_path / "set", id_data="org/none")


def test_a_set_of_the_hub_with_columns_of_its_own(
    wanted: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = in_the_hubs_cache(monkeypatch, tmp_path / "hub", "org/set")
    write_theirs(place)
    columns = "image=img,attribute=state,object=noun"
    result = evaluated("org/set", columns=columns)
    assert answers(result) == wanted
    assert result.content["dataset"]["name"] == "org/set"
    out = tmp_path / "out"
    words = ["prepare", str(out), "--data", "org/set", "--columns", columns]
    assert cli.main(words) == 0
    assert answers(evaluated(out)) == wanted


def test_two_sets_of_seen_pictures_are_refused(tmp_path: Path) -> None:
    own = write_form("CSV", tmp_path / "set")
    with pytest.raises(UserError, match="has seen pictures of its own"):
        evaluated(own, id_data=folders(tmp_path / "val"))


def test_unreadable_pictures_of_imagenet_are_counted(tmp_path: Path) -> None:
    seen = folders(tmp_path / "val")
    for path in sorted(seen.rglob("*.JPEG"))[:2]:
        path.write_bytes(b"no picture")
    result = evaluated(archive(tmp_path / "set"), id_data=seen)
    assert result.scores["object"]["splits"]["id"]["n_unreadable"] == 2


# What a folder is taken for


def test_labels_of_the_published_lists_are_the_published_archive(
    tmp_path: Path,
) -> None:
    for label in ("red banana", "wooden teapot", "zany teapot", "dull spork"):
        put(tmp_path / "set" / label / "0.png", picture(1))
    line = _refused(tmp_path / "set")
    assert (
        "2 of 4 labels, such as 'dull spork', are not of the published lists"
        in line
    )
    assert data_source(tmp_path / "set", layout="published").config == "v2"
    assert (
        data_source(tmp_path / "set", layout="label-folders").config == "folder"
    )
    (tmp_path / "set").rename(tmp_path / "ImageNet-AO-filtered")
    assert data_source(tmp_path / "ImageNet-AO-filtered").config == "v2"
    put(tmp_path / "own" / "dull spork" / "0.png", picture(1))
    assert data_source(tmp_path / "own").config == "folder"
    assert "give it as --id-data" in _refused(folders(tmp_path / "val"))


def _refused(place: Path) -> str:
    with pytest.raises(UserError) as caught:
        data_source(place)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (
            ["--data-dir", "x.zip"],
            "--data-dir is --data now: write --data x.zip",
        ),
        (
            ["--dataset", "org/set"],
            "--dataset is --data now: write --data org/set",
        ),
        (["--config", "mini"], "--config is --data now: write --data mini"),
        (["--config", "folder"], "the set's place"),
    ],
)
@pytest.mark.parametrize(
    "verb", ["evaluate m", "prepare out", "install", "disentangle x"]
)
def test_an_option_that_has_gone_says_what_to_type(
    verb: str, words: list[str], mend: str, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([*verb.split(), *words])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert mend in error
    assert error.count("\n") == 1


def test_results_json_holds_what_was_recognised(tmp_path: Path) -> None:
    result = evaluated(
        archive(tmp_path / "set"),
        id_data=table(tmp_path / "val"),
        out=tmp_path / "out",
    )
    told = json.loads((result.folder / "results.json").read_text())["dataset"]
    assert told["recognised"]["layout"] == "published"
    assert told["recognised"]["novel_pairs"] == 3
    assert told["recognised"]["id_data"]["classes"] == 3
    assert "order" in told["recognised"]["id_data"]["notes"][0]
    assert aobench.load_result(result.folder).scores == result.scores
