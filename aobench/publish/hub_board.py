"""The leaderboard of a dataset on the Hub: pages of the results that its rows point to.

A row on the Hub is a number that anyone may write. Its result (results.json and
predictions.parquet, which `imagenet-ao submit` sends along) is fetched, computed anew and compared
with the dataset's fingerprints; rows without one stand apart.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aobench.errors import UserError
from aobench.hub import hub_in_one_line
from aobench.publish.known_data import check_fingerprints
from aobench.publish.leaderboard import build_pages
from aobench.publish.submit import EVIDENCE, known_fingerprints
from aobench.results.paths import RESULTS, TABLE
from aobench.results.verified import Result, read_result

#: Bytes of a result's file at most: a larger one is not what the runner writes.
LARGEST = 200_000_000


@dataclass
class HubBoard:
    """``index``: the leaderboard's first page, None where no result could be checked;
    ``unchecked``: by model why not.
    """

    index: Path | None = None
    results: list[Result] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)


def hub_board(dataset: str, entries: Sequence[Any], out: Path) -> HubBoard:
    """Write the leaderboard of a dataset's rows on the Hub.

    Args:
        dataset: the dataset's repository, whose fingerprints the results must have.
        entries: as ``HfApi().get_dataset_leaderboard`` answers.
        out: folder of the pages.

    Returns:
        What was written, and which models lack a result that can be checked.
    """
    board = HubBoard()
    sources = {entry.model_id: entry.pull_request for entry in entries}
    for model, request in sources.items():
        try:
            board.results.append(_checked_result(model, request, dataset))
        except UserError as error:
            board.unchecked[model] = str(error)
    if board.results:
        # without pictures: mini would be drawn as a whole
        board.index = build_pages(board.results, out, pictures=0)[0]
    return board


def _checked_result(model: str, request: int | None, dataset: str) -> Result:
    """The result in a model's repository, under the repository's name. Raises UserError."""
    from huggingface_hub import HfApi, hf_hub_download

    revision = f"refs/pr/{request}" if request else None
    names = [f"{EVIDENCE}/{name}" for name in (RESULTS, TABLE)]
    with hub_in_one_line(f"{model} gave no {EVIDENCE}/{RESULTS}"):
        for one in HfApi().get_paths_info(model, names, revision=revision):
            if getattr(one, "size", 0) > LARGEST:
                raise UserError(
                    f"{model}: {one.path} is larger than {LARGEST:,} bytes"
                )
        paths = [
            hf_hub_download(model, name, revision=revision) for name in names
        ]
    result = read_result(Path(paths[0]).parent)
    check_fingerprints(result, known_fingerprints(result.config, dataset)[0])
    content = copy.copy(result.content)
    content["model"] = result.content["model"] | {"id": model}
    return replace(result, content=content)
