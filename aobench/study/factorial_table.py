"""The second edition's table: from the runs' files to what ships, and back to arrays of right
answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aobench.errors import UserError
from aobench.files import read_json
from aobench.sealed import read_sealed_json
from aobench.study.collecting import pack_counts, unpack_counts
from aobench.study.design import Edition, Run
from aobench.study.factorial import (
    CENTRE,
    FURTHER,
    SUPERVISIONS,
    points,
    runs_of_seed,
)
from aobench.study.running import is_done
from aobench.study.world import ID_IMAGES, OOD_IMAGES

BUNDLED = Path(__file__).with_name("bundled") / "factorial.json"
FORMAT = 2
SPLITS = ("id", "ood")


def whole_seeds(folder: Path, edition: Edition) -> tuple[int, ...]:
    """The seeds of which every run is in ``folder``."""
    seeds = dict.fromkeys(run.seed for run in edition.runs)
    done = {r for r in edition.runs if is_done(folder, r, True, False)}
    return tuple(seed for seed in seeds if set(runs_of_seed(seed)) <= done)


def _table_row(run: Run, folder: Path) -> dict[str, Any]:
    raw = read_sealed_json(folder / f"{run.name}.json", f"{run.name}.json")
    right = {
        split: {
            kind: pack_counts(counts)
            for kind, counts in raw["splits"][split].items()
            if kind in ("object", *FURTHER.get(run.supervision, ()))
        }
        for split in SPLITS
    }
    return {**asdict(run), "seconds": raw["seconds"], "right": right}


def collect_factorial(
    folder: Path, edition: Edition, trials: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The table of the whole seeds in ``folder``, with the tuning's ``trials``.

    Raises:
        UserError: with fewer than two whole seeds, which have no interval.
    """
    seeds = whole_seeds(folder, edition)
    if len(seeds) < 2:
        raise UserError(
            f"{folder} has {len(seeds)} whole seed(s) of the study and two are needed; run the "
            "command again to go on"
        )
    runs = [run for seed in seeds for run in runs_of_seed(seed)]
    return {
        "format": FORMAT,
        "images_a_composition": {"id": ID_IMAGES, "ood": OOD_IMAGES},
        "seeds": list(seeds),
        "settings": {name: asdict(v) for name, v in edition.settings.items()},
        "trials": [_trial_row(trial) for trial in trials],
        "runs": [_table_row(run, folder) for run in runs],
    }


def _trial_row(trial: dict[str, Any]) -> dict[str, Any]:
    names = ("supervision", "peak", "decay", "id_object", "seconds")
    return {name: trial[name] for name in names}


@dataclass(frozen=True)
class FactorialTable:
    """What a file of the second edition holds, as arrays.

    Attributes:
        content: The file.
        seeds: Seeds, all whole.
        runs: Each run's row.
    """

    content: dict[str, Any]
    seeds: tuple[int, ...]
    runs: dict[Run, dict[str, Any]]

    def rates(
        self, supervision: str, split: str, kind: str = "object"
    ) -> np.ndarray:
        """Fractions right, seeds x points x compositions.

        Raises KeyError for a reading that the supervision can't give.
        """
        images = self.content["images_a_composition"][split]
        by_seed = [
            [
                self._right(Run(k, n, d, supervision), split, kind)
                for n, d in points()
            ]
            for k in self.seeds
        ]
        return np.array(by_seed) / images

    def _right(self, run: Run, split: str, kind: str) -> np.ndarray:
        return unpack_counts(self.runs[run]["right"][split][kind])

    def images(self, split: str) -> int:
        """Images of a test."""
        row = self.runs[Run(self.seeds[0], *CENTRE, SUPERVISIONS[0])]
        of_each = int(self.content["images_a_composition"][split])
        return len(row["right"][split]["object"]) * of_each


def read_factorial(path: Path = BUNDLED) -> FactorialTable:
    """A table that :func:`collect_factorial` made. Raises UserError for another file."""
    content: dict[str, Any] = read_json(path, "the table")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is no table of the study's second edition")
    runs = {
        Run(r["seed"], r["scale"], r["diversity"], r["supervision"]): r
        for r in content["runs"]
    }
    wanted = {run for seed in content["seeds"] for run in runs_of_seed(seed)}
    if missing := wanted - set(runs):
        raise UserError(
            f"{path} lacks {len(missing)} runs, {min(missing).name} one"
        )
    return FactorialTable(content, tuple(content["seeds"]), runs)
