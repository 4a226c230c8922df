"""Step 5: Parquet in the columns of ``imagenet_ao``, fingerprint, card, contact sheets; loads by
load_dataset.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.files import read_json, scratch_folder, write_in_one_move
from aobench.newset.compose import TABLE as COMPOSITIONS
from aobench.newset.controls import CONTROLS, NOVEL, SPLITS
from aobench.newset.distinct import TABLE as DECISIONS
from aobench.newset.generate import TABLE as IMAGES
from aobench.newset.generate import read_generated
from aobench.newset.manifests import (
    read_manifest,
    read_rows,
    step_folder,
    table_digest,
)
from aobench.newset.package.card import card_text, two_splits
from aobench.newset.package.funnel import (
    FunnelStage,
    funnel_stages,
    stages_by_split,
)
from aobench.newset.package.matching import (
    KINDS,
    Row,
    composition_of,
    controls_text,
    counts_csv,
    images_by_split,
    name_counts,
    splits_of_pairs,
)
from aobench.newset.package.matching import TABLE as MATCHING
from aobench.newset.package.parquet import (
    caption_counts,
    set_features,
    write_shards,
)
from aobench.newset.package.set_files import (
    card_with_head,
    write_json,
    write_set_facts,
    write_sheets,
)
from aobench.newset.step import Build, Step, StepResult
from aobench.newset.validate.step import TABLE as VERDICTS

README, ABOUT = "README.md", "build.json"
#: The table of each earlier step, and what `made_from` calls it.
TABLES = {
    "compose": ("compositions", COMPOSITIONS),
    "generate": ("images", IMAGES),
    "validate": ("verdicts", VERDICTS),
    "distinct": ("decisions", DECISIONS),
}


class PackageStep(Step):
    """Writes the dataset to 5-package/NAME, whole: a folder that is there is a finished one."""

    name = "package"

    def __init__(self, build: Build) -> None:
        self.build = build
        self._where = step_folder(build.out, self.name)

    def options(self) -> dict[str, Any]:
        """The part ``package`` of the configuration, and the seed."""
        return {
            "options": dataclasses.asdict(self.build.config.package),
            "seed": self.build.config.seed,
        }

    def earlier_tables(self) -> dict[str, str]:
        """The tables of all steps before."""
        return {
            key: table_digest(step_folder(self.build.out, step) / table)
            for step, (key, table) in TABLES.items()
        }

    def run(self, made_from: Mapping[str, Any]) -> StepResult:
        """Write everything into a folder of its own, and move it into place."""
        name = self.build.config.package.name
        tables = self._read_tables()
        stays = {row["image_id"] for row in tables["distinct"] if row["kept"]}
        images = [row for row in tables["generate"] if row["image_id"] in stays]
        self._refuse_empty(tables["compose"], images)
        _refuse_edited(self.build.out, name)
        done = self._where / name
        with scratch_folder(done) as scratch:
            facts = self._write(scratch, tables, images, stays)
        # Without the card: the user may add to it, and the set is the same.
        files = [
            p for p in done.rglob("*") if p.is_file() and p != done / README
        ]
        return StepResult(sorted(files), facts)

    def _refuse_empty(self, compositions: list[Row], images: list[Row]) -> None:
        """UserError where a split would have no image."""
        by_split = images_by_split(splits_of_pairs(compositions), images)
        empty = [KINDS[split] for split, rows in by_split.items() if not rows]
        if empty or not images:
            whose = f" of a {empty[0]} composition" if images else ""
            verdicts = step_folder(self.build.out, "validate") / VERDICTS
            raise UserError(
                f"no image{whose} is left to package; {verdicts} says why each is left out"
            )

    def _read_tables(self) -> dict[str, list[Row]]:
        out = self.build.out
        tables = {
            step: read_rows(step_folder(out, step) / table)
            for step, (_, table) in TABLES.items()
            if step != "generate"
        }
        return {**tables, "generate": read_generated(out)}

    def _write(
        self,
        scratch: Path,
        tables: Mapping[str, list[Row]],
        images: list[Row],
        stays: set[str],
    ) -> dict[str, Any]:
        """Write the set into ``scratch``; the facts for the manifest."""
        config, out = self.build.config, self.build.out
        name, source = config.package.name, step_folder(out, "generate")
        (scratch / "sheets").mkdir(parents=True)
        splits = splits_of_pairs(tables["compose"])
        features = set_features(images)
        counts = caption_counts(tables["compose"])
        by_split = images_by_split(splits, images)
        for split, rows in by_split.items():
            write_shards(scratch / name, split, rows, counts, features, source)
        marks, patterns = write_set_facts(scratch, name, by_split)
        kinds = {pair: KINDS[split] for pair, split in splits.items()}
        below = kinds if CONTROLS in by_split else {}
        numbers = {
            "n": len(images),
            "compositions": len({composition_of(row) for row in images}),
            "attributes": len({r["attribute"] for r in images}),
            "objects": len({r["object"] for r in images}),
            **write_sheets(
                scratch / "sheets", config, tables, stays, source, below
            ),
        }
        steps = [tables[step] for step in TABLES]
        stages = funnel_stages(*steps)
        manifests = {step: read_manifest(out, step) or {} for step in TABLES}
        sections: dict[str, str] = {}
        facts: dict[str, Any] = {}
        if CONTROLS in by_split:
            funnels = stages_by_split(*steps)
            names = name_counts(splits, images)
            write_in_one_move(scratch / MATCHING, counts_csv(names))
            chosen = manifests["compose"]["facts"]["controls"]
            sections = {
                "splits": two_splits(by_split),
                "controls": controls_text(chosen, names, funnels),
            }
            facts = _facts_by_split(marks, by_split, funnels)
        text = card_text(name, numbers, manifests, stages, **sections)
        card = card_with_head(config, features, text, patterns)
        write_in_one_move(scratch / README, card)
        about = {**manifests, "readme_sha256": table_digest(scratch / README)}
        write_json(scratch / ABOUT, about)
        return {
            "images": len(images),
            "compositions": numbers["compositions"],
            "fingerprint": marks[NOVEL],
            "funnel": [vars(stage) for stage in stages],
            "dataset": name,
            **facts,
        }

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """What the set is, and how to evaluate a model on it."""
        return [
            f"package: {facts['images']:,} images of {facts['compositions']:,} compositions, "
            f"fingerprint {facts['fingerprint']}",
            *(
                f"  {split}: {one['images']:,} images of {one['compositions']:,} {KINDS[split]} "
                f"compositions, fingerprint {one['fingerprint']}"
                for split, one in facts.get("splits", {}).items()
            ),
            f"  imagenet-ao evaluate MODEL --data {self._where / facts['dataset']}",
        ]


def _facts_by_split(
    marks: Mapping[str, str],
    by_split: Mapping[str, list[Row]],
    funnels: Mapping[str, list[FunnelStage]],
) -> dict[str, Any]:
    """What the manifest of a set with controls says of each split."""
    return {
        "splits": {
            split: {
                "images": len(rows),
                "compositions": len({composition_of(row) for row in rows}),
                "fingerprint": marks[split],
                "funnel": [vars(stage) for stage in funnels[split]],
            }
            for split, rows in by_split.items()
        }
    }


def _refuse_edited(out: Path, name: str) -> None:
    """UserError where the folder that is there holds something of the user's, which the new one
    would wipe out.
    """
    done = step_folder(out, "package") / name
    ours = (
        README,
        ABOUT,
        "eval.yaml",
        "fingerprints.json",
        "sheets/*.jpg",
        "sheets/*.png",  # of earlier versions
        *(f"{name}/{split}-*.parquet" for split in SPLITS),
        MATCHING,
        ".cache/**/*",
    )
    expected = {path for pattern in ours for path in done.glob(pattern)}
    strangers = sorted(
        p for p in done.rglob("*") if p.is_file() and p not in expected
    )
    if strangers:
        raise UserError(
            f"{strangers[0]} is no file of the set ({len(strangers)} such), and the step package "
            f"would make {done} "
            "anew without it; move it out of there, and build again"
        )
    if not (done / README).exists():
        return
    about = read_json(done / ABOUT) if (done / ABOUT).exists() else {}
    known = about.get("readme_sha256") or (
        read_manifest(out, "package") or {}
    ).get("files", {}).get(f"{name}/{README}")
    if known is not None and table_digest(done / README) != known:
        raise UserError(
            f"{done / README} was edited since it was written, and the step package would write it "
            "anew; move it out "
            f"of {done}, build again, and put your text into the new one"
        )
