"""`prepare` into a folder that holds another config: what it finds there is read strictly."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers.published_layout import picture

from imagenet_ao import DatasetError, prepare

PNG = picture(0, "PNG")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "red_banana").mkdir(parents=True)
    (tmp_path / "data" / "red_banana" / "0.png").write_bytes(PNG)
    return tmp_path / "data"


def _damaged(path: Path, content: bytes | str) -> None:
    path.unlink(missing_ok=True)
    if content == "pipe":
        os.mkfifo(path)
    elif content == "loop":
        path.symlink_to(path.name)
    elif content == "device":
        path.symlink_to("/dev/zero")
    elif content == "folder":
        path.mkdir()
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)


PLACES = ["pipe", "loop", "device", "folder"]
FACTS = [
    b"",
    b"{",
    b"[]",
    b'{"v2": 1}',
    b"\x9b\xff",
    b"[" * 20_000,
    "{}".encode("utf-16"),
]
CARDS = [
    b"\xa8\xff",
    b"---\na: [\n---\n",
    b"---\na: \0\n---\n",
    b"---\nconfigs: 3\n---\n",
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("fingerprints.json", content) for content in [*PLACES, *FACTS]),
        *(("README.md", content) for content in [*PLACES, *CARDS]),
    ],
)
def test_a_damaged_file_is_one_line_and_nothing_is_made(
    name: str, content: bytes | str, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hub"
    (out / "v2").mkdir(parents=True)
    (out / "v2" / "ood-0.parquet").write_bytes(b"of an earlier run")
    _damaged(out / name, content)
    with pytest.raises(DatasetError) as error:
        prepare(out, data_dir=str(data))
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert (out / "v2" / "ood-0.parquet").read_bytes() == b"of an earlier run"


def test_a_byte_order_mark_is_no_damage(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "hub"
    out.mkdir()
    facts = {"other": {"ood": {"fingerprint": "f", "n": 1}}}
    (out / "fingerprints.json").write_text(
        "\ufeff" + json.dumps(facts), "utf-8"
    )
    (out / "README.md").write_text(
        "\ufeff---\nlicense: mit\n---\n\nOwn words.\n", "utf-8"
    )
    prepare(out, data_dir=str(data))
    table = json.loads((out / "fingerprints.json").read_text("utf-8"))
    assert sorted(table) == ["other", "v2"]
    card = (out / "README.md").read_text("utf-8")
    assert "license: mit" in card
    assert "config_name: v2" in card
    assert "Own words." in card
