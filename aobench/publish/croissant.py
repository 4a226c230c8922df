"""Croissant with Responsible-AI fields for a prepared or built set: what it holds, and how it came
to be.

Source of the fields: Croissant 1.0 and its RAI vocabulary 1.0 (docs.mlcommons.org/croissant). What
is known of the published set and of mini stands in pages/responsible_ai.json; of a built set it is
what its card says, section by section.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import read_json, read_text, sha256_of
from aobench.publish.hub_entries import data_name

RAI = "http://mlcommons.org/croissant/RAI/"
CONFORMS = [
    "http://mlcommons.org/croissant/1.0",
    "http://mlcommons.org/croissant/RAI/1.0",
]
FACTS = Path(__file__).with_name("pages") / "responsible_ai.json"
#: Croissant's own context, the parts that are used here.
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": RAI,
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
#: Columns of every set, their types and what they hold.
COLUMNS = {
    "image": ("sc:ImageObject", "the picture"),
    "sample_id": ("sc:Text", "stable id of the image"),
    "attribute": (
        "sc:Integer",
        "id of the attribute, empty where the image has none",
    ),
    "object": ("sc:Integer", "id of the object"),
    "composition": ("sc:Text", "attribute and object, separated by a space"),
    "imagenet_label": (
        "sc:Integer",
        "the ImageNet class of the object, empty for none",
    ),
    "sha256": ("sc:Text", "digest of the picture"),
}
#: Of a built set: the card's section and the field that it fills.
SECTIONS = {
    "How the images were made": "dataCollection",
    "Who judged": "dataAnnotationProtocol",
    "Novel for which captions": "dataLimitations",
}


def croissant_text(folder: str | Path, repository: str) -> str:
    """The text of croissant.json for a set.

    Args:
        folder: what `imagenet-ao prepare` or the last step of ``build`` wrote.
        repository: where it is, or will be, on the Hub: ORG/NAME.

    Raises:
        UserError: where the folder holds no such set.
    """
    folder = Path(folder)
    path = folder / "fingerprints.json"
    if not path.exists():
        raise UserError(
            f"{folder} holds no fingerprints.json: name a folder that `imagenet-ao prepare` or "
            "`imagenet-ao build` wrote"
        )
    configs = read_json(path, "the set's fingerprints")
    built = (folder / "build.json").exists()
    known = read_json(FACTS, "the facts of the sets")
    records = [_told(folder, name, known, built) for name in configs]
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": re.sub(r"[^\w-]+", "-", repository.partition("/")[2]),
        "description": _description(folder, configs),
        "url": f"https://huggingface.co/datasets/{repository}",
        "version": "1.0.0",
        "license": "; ".join(dict.fromkeys(one["license"] for one in records)),
        "citeAs": "; ".join(dict.fromkeys(one["citeAs"] for one in records)),
        **_responsible(records, known["common"]),
        "distribution": [_repository(repository), *_file_sets(folder, configs)],
        "recordSet": [_records(name) for name in configs],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _told(
    folder: Path, config: str, known: Mapping[str, Any], built: bool
) -> dict[str, Any]:
    """What is known of a config, by field."""
    if built:
        return _built(folder, config)
    if config in known and config != "common":
        return {"config": config, **known[config]}
    return {
        "config": config,
        "license": "unknown: its owner's to say",
        "citeAs": config,
        "dataCollection": "Somebody's own pictures, labelled by attribute and object; their owner "
        "says how they came to be and how many of them are synthetic.",
    }


def _built(folder: Path, config: str) -> dict[str, Any]:
    """Of a built set what its card says."""
    card = read_text(folder / "README.md", "the set's card")
    fields: dict[str, Any] = {
        "config": config,
        "license": _head(card, "license") or "unknown",
        "citeAs": f"{config}, made with imagenet-ao build",
    }
    for title, field in SECTIONS.items():
        text = _section(card, title)
        if text is None:
            raise UserError(
                f"{folder / 'README.md'} has no section {title!r}, which the card of a built set "
                "has; build the set anew"
            )
        fields[field] = text
    fields["dataCollection"] += "\n\nAll images are synthetic (100 %)."
    return fields


def _head(card: str, key: str) -> str | None:
    match = re.search(
        rf"^{key}: *(\S.*)$", card.partition("\n---")[0], re.MULTILINE
    )
    return match[1].strip() if match else None


def _section(card: str, title: str) -> str | None:
    match = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", card, re.M | re.S
    )
    return match[1].strip() if match else None


def _description(folder: Path, configs: Mapping[str, Any]) -> str:
    parts = []
    for name, splits in configs.items():
        counts = " and ".join(
            f"{facts['n']:,} {split}" for split, facts in splits.items()
        )
        parts.append(f"{data_name(name)}: {counts} images")
    return (
        "Images of attribute-object compositions (id: seen, ood: novel). "
        + "; ".join(parts)
        + "."
    )


def _responsible(
    records: list[dict[str, Any]], common: Mapping[str, Any]
) -> dict[str, Any]:
    """The RAI fields, those of several configs one after another, each with its name."""
    fields: dict[str, Any] = {
        f"rai:{key}": value for key, value in common.items()
    }
    names = dict.fromkeys(
        key
        for one in records
        for key in one
        if key not in ("config", "license", "citeAs")
    )
    for name in names:
        values = [
            (one["config"], one[name]) for one in records if one.get(name)
        ]
        many = any(isinstance(value, list) for _, value in values)
        texts = [
            f"{config}: {text}"
            for config, value in values
            for text in (value if isinstance(value, list) else [value])
        ]
        if texts:
            fields[f"rai:{name}"] = texts if many else "\n".join(texts)
    return fields


def _repository(repository: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": "repo",
        "name": "repo",
        "description": "The dataset's repository on the Hub.",
        "contentUrl": f"https://huggingface.co/datasets/{repository}",
        "encodingFormat": "git+https",
        # a repository has no digest; the files' own follow
        "sha256": "https://github.com/mlcommons/croissant/issues/80",
    }


def _check_marks(
    folder: Path, paths: Sequence[Path], splits: Mapping[str, Any]
) -> None:
    """UserError where files are named by another fingerprint than fingerprints.json has."""
    for path in paths:
        named = re.match(r"(\w+)-([0-9a-f]{16})-\d{5}-of-", path.name)
        if not named or named[1] not in splits:
            continue
        fingerprint = splits[named[1]].get("fingerprint")
        if fingerprint != named[2]:
            raise UserError(
                f"{path} is of the fingerprint {named[2]} by its name, and {folder}/"
                f"fingerprints.json says {fingerprint} of {named[1]}: make the folder anew"
            )


def _file_sets(
    folder: Path, configs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    sets = []
    for name, splits in configs.items():
        paths = sorted(folder.glob(f"{name}/*.parquet")) or sorted(
            folder.glob("*.parquet")
        )
        if not paths:
            raise UserError(
                f"{folder} holds no Parquet files of {name}; make it anew"
            )
        _check_marks(folder, paths, splits)
        place = paths[0].parent.relative_to(folder).as_posix()
        digests = ", ".join(f"{path.name} {sha256_of(path)}" for path in paths)
        marks = ", ".join(
            f"{split} {facts['fingerprint']}" for split, facts in splits.items()
        )
        sets.append(
            {
                "@type": "cr:FileSet",
                "@id": f"parquet-{name}",
                "name": f"parquet-{name}",
                "description": f"Parquet of {name}; fingerprints: {marks}. SHA-256: {digests}",
                "containedIn": {"@id": "repo"},
                "encodingFormat": "application/x-parquet",
                "includes": "*.parquet"
                if place == "."
                else f"{place}/*.parquet",
            }
        )
    return sets


def _records(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": f"A row an image of {data_name(config)}.",
        "field": [_field(config, name) for name in COLUMNS],
    }


def _field(config: str, name: str) -> dict[str, Any]:
    kind, text = COLUMNS[name]
    source: dict[str, Any] = {
        "fileSet": {"@id": f"parquet-{config}"},
        "extract": {"column": name},
    }
    if name == "image":
        source["transform"] = {"jsonPath": "bytes"}
    return {
        "@type": "cr:Field",
        "@id": f"{config}/{name}",
        "name": name,
        "description": text,
        "dataType": kind,
        "source": source,
    }
