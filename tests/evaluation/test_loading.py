"""A dataset that can't be opened is one line that names the place: source, file, or cache."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

import imagenet_ao
from aobench import cli
from aobench.errors import UserError
from aobench.evaluation.data import open_splits
from aobench.evaluation.loading import Source, logs_held_back


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(
        datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache"
    )
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def pictures(place: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(
            0, 255, (8, 8, 3), np.uint8
        )
        Image.fromarray(pixels).save(place / name, "PNG")
    return place


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    data = pictures(
        tmp_path / "data", "red_banana/0.png", "wooden_teapot/0.png"
    )
    imagenet_ao.prepare(tmp_path / "hub", data_dir=str(data))
    return tmp_path / "hub"


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _written(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _page(path: Path) -> None:
    """Damage inside the pages, where the footer is whole."""
    data = bytearray(path.read_bytes())
    data[20:60] = bytes(40)
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a pipe": _pipe,
    "empty": _written(b""),
    "junk": _written(b"\xca\xfe" * 300),
    "cut short": _cut,
    "a link to itself": _loop,
}


def refusal(source: Source, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line; nothing else may be printed."""
    capfd.readouterr()
    with pytest.raises(UserError) as error:
        open_splits(source)
    assert capfd.readouterr().err == "", (
        "a library's own line stands before the refusal"
    )
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("damage", [*DAMAGES, "damaged inside"])
def test_a_damaged_parquet_file_of_a_prepared_folder_is_named(
    damage: str, prepared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = next(prepared.glob("v2/*.parquet"))
    {**DAMAGES, "damaged inside": _page}[damage](path)
    said = refusal(Source("v2", path=str(prepared)), capfd)
    assert path.name in said


@pytest.mark.parametrize(
    "damage",
    [
        _pipe,
        _loop,
        _written(b"\xca\xfe" * 300),
        _written("---\na: b\n---\n".encode("utf-16")),
        _written(b"---\nconfigs: [\n---\n"),
        _written(b"---\na: \0\n---\n"),
    ],
)
def test_a_damaged_card_of_a_prepared_folder_is_named(
    damage: Callable[[Path], None],
    prepared: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    damage(prepared / "README.md")
    assert "README.md" in refusal(Source("v2", path=str(prepared)), capfd)


@pytest.mark.parametrize("content", [b"", b"# A set\n"])
def test_a_card_without_a_head_is_one_line(
    content: bytes, prepared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (prepared / "README.md").write_bytes(content)
    said = refusal(Source("v2", path=str(prepared)), capfd)
    assert f"the dataset {prepared} could not be opened" in said


@pytest.mark.parametrize("damage", [*DAMAGES, "gone"])
@pytest.mark.parametrize("kind", ["prepared", "archive"])
def test_a_damaged_copy_in_the_cache_is_told_as_such_with_the_mend(
    kind: str,
    damage: str,
    prepared: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = (
        Source("v2", path=str(prepared))
        if kind == "prepared"
        else Source("v2", data_dir=str(tmp_path / "data"))
    )
    before = open_splits(source)[0].fingerprint
    path = next((tmp_path / "cache").rglob("*.arrow"))
    {**DAMAGES, "gone": Path.unlink}[damage](path)
    said = refusal(source, capfd)
    assert "cache of datasets is damaged; delete" in said
    assert str(path.parent) in said
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    assert open_splits(source)[0].fingerprint == before, "the mend did not mend"


@pytest.mark.parametrize("name", ["data.zip", "data"])
def test_a_link_to_itself_in_place_of_the_archive_is_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).symlink_to(name)
    assert name in refusal(Source("v2", data_dir=str(tmp_path / name)), capfd)


@pytest.mark.parametrize(
    "name", ["datasets.builder", "huggingface_hub.repocard"]
)
def test_what_libraries_log_is_printed_where_loading_succeeds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []

    class Printer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            printed.append(record.getMessage())

    monkeypatch.setattr(
        logging.getLogger(name.partition(".")[0]), "handlers", [Printer()]
    )
    with logs_held_back():
        logging.getLogger(name).warning("heed this")
        assert not printed
    assert printed == ["heed this"]
    for error in (UserError("the refusal says it"), KeyError("a bug")):
        with pytest.raises(type(error)):
            _log_and_raise(name, error)
    assert printed == ["heed this", repr(KeyError("a bug"))]


def _log_and_raise(name: str, error: Exception) -> None:
    with logs_held_back():
        logging.getLogger(name).warning(repr(error))
        raise error


def left_out_of(result: Path) -> Any:
    return json.loads((result / "results.json").read_text())["dataset"].get(
        "left_out"
    )


@pytest.mark.parametrize("config", ["v2", "folder"])
def test_a_result_says_what_was_left_out_also_when_the_cache_serves_the_set(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = pictures(
        tmp_path / "data", "red_banana/0.png", "wooden_teapot/0.png"
    )
    for name in ("red_banana/1.heic", "red_banana/2.heic"):
        (data / name).write_bytes(b"1")
    templates = tmp_path / "templates.txt"
    templates.write_text("a {}\n")
    layout = "published" if config == "v2" else "label-folders"
    common = (
        "--data",
        data,
        "--layout",
        layout,
        "--templates",
        templates,
        "--cpu",
    )
    for out in ("first", "cached"):
        run = ["evaluate", "mini", *common, "--out", tmp_path / out]
        assert cli.main([str(word) for word in run]) == 0
        said = capsys.readouterr().out
        left = left_out_of(tmp_path / out / "mini")["not_a_picture"]
        assert left["count"] == 2
        assert left["examples"] == ["red_banana/1.heic", "red_banana/2.heic"]
        assert (
            "mini: left out of the dataset: 2 files that are no pictures by their ending"
            in said
        )


def test_a_whole_set_has_nothing_left_out(tmp_path: Path) -> None:
    data = pictures(
        tmp_path / "data", "red_banana/0.png", "wooden_teapot/0.png"
    )
    assert open_splits(Source("v2", data_dir=str(data)))[0].not_read == {}


def test_a_shard_that_is_damaged_before_it_is_ranked_gives_the_same_result(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from aobench.evaluation import runner

    data = pictures(
        tmp_path / "data", "red_banana/0.png", "wooden_teapot/0.png"
    )
    templates = tmp_path / "templates.txt"
    templates.write_text("a {}\n")
    common = ["--data", str(data), "--templates", str(templates), "--cpu"]
    rank = runner._rank

    def damaged_first(store: Any, *rest: Any) -> Any:
        data = bytearray(store.path(0).read_bytes())
        data[-1] ^= 1
        store.path(0).write_bytes(data)
        return rank(store, *rest)

    tables = []
    for out in ("whole", "damaged"):
        if out == "damaged":
            monkeypatch.setattr(runner, "_rank", damaged_first)
        where = tmp_path / out
        assert cli.main(["evaluate", "mini", *common, "--out", str(where)]) == 0
        tables.append((where / "mini" / "predictions.parquet").read_bytes())
    assert "computed again" in capsys.readouterr().err
    assert tables[0] == tables[1]
