"""croissant.json: valid by mlcroissant, and with the fields that are asked for."""

import json

import pytest

from aobench.cli import main

ASKED = (
    "dataCollection",
    "dataAnnotationProtocol",
    "dataBiases",
    "dataUseCases",
    "dataLimitations",
    "personalSensitiveInformation",
)


@pytest.fixture(scope="module")
def written(prepared):
    assert (
        main(
            ["croissant", str(prepared), "--repository", "your-org/imagenet-ao"]
        )
        == 0
    )
    return prepared / "croissant.json"


def test_it_tells_where_the_images_come_from_and_what_they_are_for(written):
    content = json.loads(written.read_text())
    for field in ASKED:
        assert content[f"rai:{field}"], field
    said = content["rai:dataCollection"]
    for word in ("SD-XL Turbo", "{attribute} {object}", "licence", "100 %"):
        assert word in said
    assert "12 ood images" in content["description"]
    files = content["distribution"][1]
    assert files["includes"] == "v2/*.parquet"
    names = [path.name for path in (written.parent / "v2").glob("*.parquet")]
    assert all(name in files["description"] for name in names)
    columns = [field["name"] for field in content["recordSet"][0]["field"]]
    import pyarrow.parquet as pq

    path = next((written.parent / "v2").glob("*.parquet"))
    assert set(columns) <= set(pq.read_schema(path).names)


def test_it_is_valid_by_mlcroissant(written):
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=json.loads(written.read_text()))
    assert not dataset.metadata.ctx.issues.errors
    for warning in dataset.metadata.ctx.issues.warnings:
        assert "datePublished" in warning[0], "whoever publishes it says when"
    assert dataset.metadata.data_biases


def test_a_built_sets_fields_are_its_cards_sections(tmp_path, capsys):
    (tmp_path / "fingerprints.json").write_text(
        json.dumps({"own": {"ood": {"fingerprint": "ab", "n": 3}}})
    )
    (tmp_path / "build.json").write_text("{}")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ood-0.parquet").write_bytes(b"x")
    card = "---\nlicense: cc0-1.0\n---\n# own\n\n## Novel for which captions\n\nthese\n"
    (tmp_path / "README.md").write_text(card)
    command = ["croissant", str(tmp_path), "--repository", "your-org/own"]
    assert main(command) == 2
    assert (
        "has no section 'How the images were made'" in capsys.readouterr().err
    )
    card += "\n## How the images were made\n\nby hand\n\n## Who judged\n\nAnn\n\n## Columns\n"
    (tmp_path / "README.md").write_text(card)
    assert main(command) == 0
    content = json.loads((tmp_path / "croissant.json").read_text())
    assert content["license"] == "cc0-1.0"
    assert content["rai:dataCollection"].startswith("own: by hand")
    assert content["rai:dataAnnotationProtocol"] == "own: Ann"
    assert content["rai:dataLimitations"] == "own: these"


def test_a_folder_without_a_set_is_one_line(tmp_path, capsys):
    assert (
        main(["croissant", str(tmp_path), "--repository", "your-org/own"]) == 2
    )
    assert "holds no fingerprints.json" in capsys.readouterr().err
