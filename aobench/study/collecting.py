"""From the runs' files to one small table: what everything else of the study reads, and what
ships with the package.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from aobench.analysis.disentanglement import hold_out
from aobench.analysis.factor_fit import all_measures, retrieval
from aobench.audit.statistics import normalised_information
from aobench.errors import UserError
from aobench.files import read_json
from aobench.sealed import (
    DamagedError,
    read_sealed_json,
    read_sealed_npz,
    say_again,
    write_sealed_json,
)
from aobench.study.design import Edition, Run
from aobench.study.running import is_done
from aobench.study.world import (
    ID_IMAGES,
    OOD_IMAGES,
    IdPair,
    novel_pairs,
    training_order,
)

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
BUNDLED = Path(__file__).with_name("bundled") / "results.json"
SHUFFLES = 20
FORMAT = 1


def pair_nmi(pairs: np.ndarray) -> float:
    """NMI of the columns of ``pairs``, int N x 2: 2 I(a; o) / (H(a) + H(o)), 0..1, from counts."""
    table = np.zeros(pairs.max(0) + 1)
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    return normalised_information(table)[0]


def caption_nmi(order: Iterable[IdPair], seed: int = 0) -> tuple[float, float]:
    """NMI of attribute and object over training captions, and its mean over SHUFFLES pairings at
    random: its bias.
    """
    pairs = np.array(list(order))
    rng = np.random.default_rng(seed)
    shuffled = [
        pair_nmi(np.column_stack([rng.permutation(pairs[:, 0]), pairs[:, 1]]))
        for _ in range(SHUFFLES)
    ]
    return pair_nmi(pairs), float(np.mean(shuffled))


def ood_factors() -> np.ndarray:
    """Attribute and object numbers of the OoD test's images, int 1,920 x 2, in the test's order."""
    return np.repeat(np.array(novel_pairs()), OOD_IMAGES, axis=0)


def trunk_measures(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """The measures of a run's trunk features on the OoD pictures; of a contrastive run also
    retrieval by its texts.
    """
    factors = ood_factors()
    measures = all_measures(arrays["ood_features"].astype(float), factors)
    if "captions" in arrays:
        texts = arrays["captions"].astype(float).mean(1)
        z = arrays["ood_embeddings"].astype(float)
        measures["retrieval_by_text"] = retrieval(
            z, factors, hold_out(factors), texts - texts.mean(0)
        )[0]
    return {key: round(value, 5) for key, value in measures.items()}


def _measured(run: Run, folder: Path) -> dict[str, float]:
    """:func:`trunk_measures`, kept beside the run: measuring resumes as training does."""
    path = folder / f"{run.name}.measures.json"
    if path.exists():
        try:
            return read_sealed_json(path, path.name)
        except DamagedError as error:
            say_again(path, error)
    stored = folder / f"{run.name}.npz"
    measures = trunk_measures(read_sealed_npz(stored, stored.name))
    write_sealed_json(path, path.name, measures)
    return measures


def pack_counts(counts: list[int]) -> str:
    """Counts 0..35 as one digit each in base 36."""
    return "".join(DIGITS[c] for c in counts)


def unpack_counts(text: str) -> np.ndarray:
    """The counts of :func:`pack_counts`, int."""
    return np.array([int(c, 36) for c in text])


def collect_runs(
    folder: Path, edition: Edition, quiet: bool | None = None
) -> dict[str, Any]:
    """The table of all runs in ``folder``. Raises UserError where runs are missing."""
    from tqdm.auto import tqdm

    missing = [
        run.name for run in edition.runs if not is_done(folder, run, say=True)
    ]
    if missing:
        raise UserError(
            f"{folder} lacks {len(missing)} runs, {missing[0]} the first; run the command again"
        )
    rows = []
    for run in tqdm(
        edition.runs,
        desc="disentanglement",
        unit="run",
        disable=quiet,
        leave=False,
    ):
        raw = read_sealed_json(folder / f"{run.name}.json", f"{run.name}.json")
        nmi, shuffled = caption_nmi(
            training_order(run.scale, run.diversity, run.seed)
        )
        right = {
            name: {
                kind: pack_counts(counts)
                for kind, counts in raw["splits"][name].items()
                if kind != "n"
            }
            for name in ("id", "ood")
        }
        rows.append(
            {
                **asdict(run),
                "seconds": raw["seconds"],
                "device": raw["device"],
                "torch": raw["torch"],
                "nmi": round(nmi, 5),
                "nmi_shuffled": round(shuffled, 5),
                "right": right,
                "disentanglement": _measured(run, folder),
            }
        )
    return {
        "format": FORMAT,
        "images_a_composition": {"id": ID_IMAGES, "ood": OOD_IMAGES},
        "runs": rows,
    }


def read_table(path: Path = BUNDLED) -> dict[str, Any]:
    """A table that :func:`collect_runs` made. Raises UserError for another file."""
    content: dict[str, Any] = read_json(path, "the table")
    if content.get("format") != FORMAT:
        raise UserError(f"{path} is no table of the study in format {FORMAT}")
    return content
