"""An audit that one can publish: its tables without captions' text, and a card.

The folder is an audit again: `aobench.audit.result.load_audit` reads it, `diversity`, `lookup`,
`bindings` and `audits merge` take it, and `datasets.load_dataset` reads its tables by the
configurations of its card. Captions are named by file and row alone. Beside the counts lie 64-bit
hashes of some captions, by which different ones are told apart when audits are merged: they can
tell whoever has a caption that it is among them, and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aobench.audit.checkpoints import own_digest
from aobench.audit.precision import labelled_accuracy
from aobench.audit.result import MANIFEST, Audit
from aobench.audit.statistics import matrix_nmi, names_per_caption
from aobench.errors import UserError
from aobench.files import read_file, sha256_of, write_in_one_move

#: Tables by kind; each rule has one of each.
KINDS = ("counts", "examples", "groups", "sketches")


def publish_audit(
    audit: Audit,
    folder: str | Path,
    corpus: str,
    licence: str = "unknown",
    with_text: bool = False,
) -> Path:
    """Write an audit as a dataset's folder, with a card.

    Args:
        audit: what was counted.
        folder: an empty or new folder, or one that this function wrote.
        corpus: the captions' name, for the card.
        licence: of the counts, as an identifier of the Hub.
        with_text: whether the examples' captions go along; their licence is then the corpus's.

    Returns:
        The folder.

    Raises:
        UserError: where the folder holds something else, or the audit isn't as it was written.
    """
    folder = Path(folder)
    _refuse_other_content(folder)
    if not corpus.strip() or "\n" in corpus + licence:
        raise UserError(
            "the corpus and the licence are names of one line; give --corpus NAME"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.parquet"):
        path.unlink()
    names = ["marginals.parquet"]
    names += [
        f"{kind}-{rule}.parquet" for rule in audit.counts for kind in KINDS
    ]
    digests = {}
    for name in names:
        content = _table_bytes(audit, name, with_text)
        write_in_one_move(folder / name, content)
        digests[name] = sha256_of(content)
    manifest = _public_manifest(audit, corpus, licence)
    manifest["tables"] = dict(sorted(digests.items()))
    manifest["sha256"] = own_digest(manifest)
    card = audit_card(audit, corpus, licence, with_text)
    write_in_one_move(folder / "README.md", card.encode())
    write_in_one_move(
        folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode()
    )
    return folder


def _refuse_other_content(folder: Path) -> None:
    ours = {"README.md", MANIFEST, ".gitattributes", ".git"}
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name another to publish to")
    other = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in ours and path.suffix != ".parquet"
    ]
    there = [path.name for path in folder.iterdir()]
    if other or (there and MANIFEST not in there and "README.md" in there):
        what = other[0] if other else "README.md"
        raise UserError(
            f"{folder} holds {what}, which no published audit has; name a new folder"
        )


def _table_bytes(audit: Audit, name: str, with_text: bool) -> bytes:
    """A table of the audit, its files named by their last part, without captions unless asked."""
    content = read_file(audit.folder / name, "the audit's table", most=1 << 40)
    if audit.manifest.get("tables", {}).get(name) != sha256_of(content):
        raise UserError(
            f"{audit.folder / name} is not as the audit wrote it, or is of an earlier version; run "
            "the audit again"
        )
    if not name.startswith("examples-"):
        return content
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    public = _public_names(audit)
    files = [public[file] for file in table["file"].to_pylist()]
    place = table.schema.get_field_index("file")
    table = table.set_column(place, "file", pa.array(files, pa.string()))
    if not with_text and "caption" in table.column_names:
        table = table.drop_columns(["caption"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _public_names(audit: Audit) -> dict[str, str]:
    """A file's path as examples tell it -> its last parts, as many as tell the files apart."""
    from aobench.audit.streams import printable_path

    paths = [
        printable_path(record["path"]) for record in audit.manifest["files"]
    ]
    parts = [path.replace("\\", "/").split("/") for path in paths]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(set(paths)):
            break
    return dict(zip(paths, names, strict=True))


def _public_manifest(audit: Audit, corpus: str, licence: str) -> dict[str, Any]:
    """The manifest without this machine's paths."""
    from aobench.audit.streams import printable_path

    public = _public_names(audit)
    manifest = {**audit.manifest, "corpus": corpus, "licence": licence}
    manifest["files"] = [
        {**record, "path": public[printable_path(record["path"])]}
        for record in audit.manifest["files"]
    ]
    manifest["skipped_files"] = [
        public[printable_path(path)] for path in audit.manifest["skipped_files"]
    ]
    manifest["left_out"] = [
        Path(path).name for path in manifest.get("left_out", [])
    ]
    return manifest


def audit_card(
    audit: Audit, corpus: str, licence: str, with_text: bool = False
) -> str:
    """The card: configurations for `datasets`, what was counted, how well each rule reads."""
    totals, facts = audit.manifest["totals"], audit.manifest["vocabulary"]
    attributes, objects = names_per_caption(audit)
    seen = [
        "| rule | compositions seen | co-occurrences | NMI adjusted for chance | precision |"
    ]
    seen.append("|---|---|---|---|---|")
    accuracy = labelled_accuracy()
    for rule, matrix in audit.counts.items():
        nmi = f"{matrix_nmi(matrix).adjusted:.3f}" if matrix.any() else ""
        one = accuracy.get(rule)
        share = (
            f"{one.precision:.0%} [{one.precision_low:.0%}, {one.precision_high:.0%}]"
            if one
            else "not measured"
        )
        cells = [
            rule,
            f"{int((matrix > 0).sum()):,} of {matrix.size:,}",
            f"{matrix.sum():,}",
        ]
        seen.append(f"| {' | '.join([*cells, nmi, share])} |")
    sample = audit.manifest["sample"]
    counted = f"{totals['counted']:,} of {totals['rows']:,} captions"
    counted += f" in {len(audit.manifest['files']):,} files"
    what = "all of them" if sample >= 1 else f"a sample of {sample:.3g}"
    texts = (
        "The examples hold captions of the corpus, under its own terms."
        if with_text
        else "No caption's text is here: examples are file and row."
    )
    configurations = "\n".join(_configurations(audit))
    versions = ", ".join(
        f"{r} {v['version']}" for r, v in audit.manifest["rules"].items()
    )
    return f"""---
license: {json.dumps(licence)}
pretty_name: {json.dumps(f"Attribute-object counts of {corpus}")}
tags:
- imagenet-ao-audit
configs:
{configurations}
---

# Which attribute-object compositions {corpus} shows

How many captions of {corpus} show each of {facts["attributes"]:,} attributes with each of
{facts["objects"]:,} objects: {counted}, {what}. A caption names {attributes:.2f} attributes and
{objects:.2f} objects on average.

{chr(10).join(seen)}

Precision: the share of what a rule counts that captions say, by 300 labelled pairs of Flickr30k,
with its interval of 95 %; other corpora may differ. `words` over-counts on purpose: a composition
that it never saw is novel. `modifies` is for how often.

{texts} `counts-RULE` has captions, different captions and PMI (bits) of each composition,
`marginals` how many captions name each attribute and object, `groups-RULE` the counts by 16 groups
of captions (for intervals), `sketches-RULE` 64-bit hashes of different captions (for merging).
Rules and their versions: {versions}. Vocabulary {facts["hash"]}.

```python
from datasets import load_dataset
counts = load_dataset("PLACE", "counts-{next(iter(audit.counts))}", split="train")
```
```
imagenet-ao lookup "{audit.attributes[0]} | {audit.objects[0]}" --audit FOLDER
imagenet-ao audits merge FOLDER OTHER --out BOTH
```

Made by imagenet-ao. Licence of the counts: {licence}.
"""


def _configurations(audit: Audit) -> list[str]:
    """The card's configurations, one a table; the first rule's counts are the default."""
    lines = []
    names = [f"{kind}-{rule}" for rule in audit.counts for kind in KINDS]
    for number, name in enumerate([*names, "marginals"]):
        lines += [f"- config_name: {name}", f"  data_files: {name}.parquet"]
        if number == 0:
            lines.append("  default: true")
    return lines
