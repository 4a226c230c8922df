"""Whether a result was made on a dataset that is known; reading it is
`aobench.results.verified`.
"""

from __future__ import annotations

from collections.abc import Mapping

from aobench.errors import UserError
from aobench.results.verified import Result

#: Fingerprints of datasets that are the same for everyone: config -> split -> fingerprint. The
#: published archive's are read from the dataset repository (fingerprints.json, which ``imagenet-ao
#: prepare`` writes).
KNOWN: Mapping[str, Mapping[str, str]] = {
    "mini": {"id": "54a0eaa26739dbc1", "ood": "8acb7f0351d8b7e8"}
}


def check_fingerprints(result: Result, fingerprints: Mapping[str, str]) -> None:
    """Raise UserError unless ``result`` was made on a dataset with the known ``fingerprints``
    (by split).
    """
    for split, facts in result.content["dataset"]["splits"].items():
        if split not in fingerprints:
            raise UserError(
                f"no fingerprint is known of split {split!r} of {result.config}; the dataset's "
                "repository "
                "holds them in fingerprints.json"
            )
        if facts["fingerprint"] != fingerprints[split]:
            raise UserError(
                f"split {split!r} was evaluated on other data: fingerprint {facts['fingerprint']}, "
                "known is "
                f"{fingerprints[split]}; evaluate on the whole, unchanged dataset (without --limit)"
            )
