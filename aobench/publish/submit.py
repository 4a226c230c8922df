"""One pull request with a result: shown first, sent only when asked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aobench.errors import UserError
from aobench.files import read_json
from aobench.hub import hub_in_one_line
from aobench.publish.hub_entries import (
    PATH,
    check_repository,
    entries_yaml,
    result_entries,
)
from aobench.publish.known_data import KNOWN, check_fingerprints
from aobench.results.verified import Result

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FINGERPRINTS = "fingerprints.json"
EVIDENCE = "imagenet_ao"


@dataclass(frozen=True)
class Submission:
    """What goes where: contents by path in the repository, and the sentence of the pull request."""

    repo: str
    files: Mapping[str, bytes]
    title: str
    description: str


def known_fingerprints(
    config: str, dataset: str, offline: bool = False
) -> tuple[dict[str, str], str | None]:
    """Fingerprints by split, and the commit of the dataset repository that holds them (None for
    mini).

    mini's are known to the package; another config's are read from ``fingerprints.json`` of the
    dataset repository. Raises UserError where it has none.
    """
    if config in KNOWN:
        return dict(KNOWN[config]), None
    from huggingface_hub import HfApi, hf_hub_download

    with hub_in_one_line(
        f"the fingerprints of {config} are unknown, as {dataset} gave no {FINGERPRINTS}; name the "
        "dataset "
        "repository that `imagenet-ao prepare` wrote with --dataset"
    ):
        path = hf_hub_download(
            dataset, FINGERPRINTS, repo_type="dataset", local_files_only=offline
        )
        revision = None if offline else HfApi().dataset_info(dataset).sha
    table = read_json(path, f"{FINGERPRINTS} of {dataset}").get(config, {})
    return fingerprints_of(
        table, f"{FINGERPRINTS} of {dataset}, config {config}"
    ), revision


def fingerprints_of(table: Any, where: str) -> dict[str, str]:
    """Fingerprints by split of one config in fingerprints.json. Raises UserError for another
    shape.
    """
    if not isinstance(table, dict) or not all(
        isinstance(facts, dict) and isinstance(facts.get("fingerprint"), str)
        for facts in table.values()
    ):
        raise UserError(
            f"{where} should hold a fingerprint for each split; prepare the dataset anew"
        )
    return {split: facts["fingerprint"] for split, facts in table.items()}


def prepare_submission(
    result: Result,
    repo: str,
    dataset: str,
    benchmark: str,
    fingerprints: Mapping[str, str],
    revision: str | None,
    baseline: Sequence[Result] = (),
) -> Submission:
    """Check ``result`` and lay out its pull request to the model repository ``repo``.

    ``benchmark`` is the config that the target lists: a result on another one is refused. Raises
    UserError.
    """
    check_repository(repo, "--to")
    if result.config != benchmark:
        raise UserError(
            f"this result is on {result.config}, the target lists {benchmark}: they don't compare"
            + (
                "; mini has tasks of its own, name them with --benchmark mini"
                if result.config == "mini"
                else ""
            )
        )
    check_fingerprints(result, fingerprints)
    source = f"https://huggingface.co/{repo}/blob/main/{EVIDENCE}/results.json"
    rows = result_entries(result, dataset, revision, source, baseline)
    if not rows:
        raise UserError(
            f"{result.folder} has no figure on the split ood: there is nothing to submit"
        )
    files = {
        PATH: entries_yaml(rows).encode(),
        f"{EVIDENCE}/results.json": (
            result.folder / "results.json"
        ).read_bytes(),
        f"{EVIDENCE}/predictions.parquet": (
            result.folder / "predictions.parquet"
        ).read_bytes(),
    }
    figures = "\n".join(f"- {row.task_id}: {row.value}" for row in rows)
    description = (
        f"Results on {dataset}, in percent:\n{figures}\n\n{rows[0].notes}\n\n"
        "`imagenet-ao score imagenet_ao/predictions.parquet` gives every figure again, without the "
        "model."
    )
    return Submission(repo, files, "ImageNet-AO results", description)


def submission_text(submission: Submission) -> str:
    """The submission as text: what would go where."""
    sizes = "\n".join(
        f"  {path}  {len(content):,} bytes"
        for path, content in submission.files.items()
    )
    head = f"To {submission.repo}, as one pull request {submission.title!r}:"
    return f"{head}\n{sizes}\n\n{PATH}:\n{submission.files[PATH].decode()}"


def open_pull_request(submission: Submission, api: HfApi | None = None) -> str:
    """Open the pull request; returns its address. The token is huggingface_hub's own (HF_TOKEN or a
    login).

    Raises UserError, which never holds the token, where the Hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    operations = [
        CommitOperationAdd(path, content)
        for path, content in submission.files.items()
    ]
    with (
        warnings.catch_warnings(),
        hub_in_one_line(
            f"the Hub did not take the pull request to {submission.repo}"
        ),
    ):
        warnings.simplefilter(
            "ignore"
        )  # that a table is data: it is the evidence, and small
        done = (api or HfApi()).create_commit(
            submission.repo,
            operations,
            commit_message=submission.title,
            commit_description=submission.description,
            create_pr=True,
        )
    return str(done.pr_url or done.commit_url)
