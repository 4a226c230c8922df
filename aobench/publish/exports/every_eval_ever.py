"""A record of the shared database Every Eval Ever (github.com/evaleval/every_eval_ever).

Schema 0.3.0: each accuracy with its standard error, its interval (level and method) and the number
of images. What a reader needs to tell like from unlike stands in ``additional_details``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aobench.publish.exports.base import (
    CONFIDENCE,
    ExportFormat,
    ExportOptions,
    ScoreRow,
    score_rows,
)
from aobench.publish.hub_entries import data_name
from aobench.results.comparability import chosen_settings, trial
from aobench.results.tasks import find_task
from aobench.results.verified import Result

SCHEMA_VERSION = "0.3.0"
INTERVAL = (
    "empirical likelihood over compositions, which are taken as independent "
    "(Cressie-Read chi-square), never inside Wilson's"
)
ERROR = "the interval's width as that of a normal interval"


def render(results: Sequence[Result], options: ExportOptions) -> str:
    """The JSON text of one result."""
    content = results[0].content
    date = content["date"]
    stamp = str(int(datetime.fromisoformat(date).timestamp()))
    name = data_name(results[0].config)
    model = content["model"]["id"]
    record = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{name}/{model}/{stamp}",
        "evaluation_timestamp": date,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "imagenet-ao",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "imagenet-ao",
            "version": content["code"],
            "additional_details": {
                k: str(v) for k, v in content["stack"].items()
            },
        },
        "model_info": _model(content),
        "evaluation_results": [
            _evaluation(row, results[0], options)
            for row in score_rows(results[0])
        ],
    }
    return (
        json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def _model(content: dict[str, Any]) -> dict[str, Any]:
    model = content["model"]
    details = {
        "deployment_type": "unknown",
        "model_availability": "unknown",
        "kind": model["kind"],
        "revision": model["revision"],
        "processor": model["processor"],
        "dtype": model["dtype"],
        "device": model["device"],
        "notes": json.dumps(model["notes"], sort_keys=True),
    }
    return {
        "name": model["id"],
        "id": model["id"],
        "inference_engine": {
            "name": "transformers",
            "version": str(content["stack"].get("transformers", "unknown")),
        },
        "additional_details": details,
    }


def _evaluation(
    row: ScoreRow, result: Result, options: ExportOptions
) -> dict[str, Any]:
    content = result.content
    facts = content["tasks"][row.task]["candidates"][row.split]
    details = {
        "task": find_task(row.task).text,
        "candidates": str(row.candidates),
        "candidates_hash": facts["hash"],
        "prompts_hash": str((content["templates"] or {}).get("hash")),
        "chance": f"{row.by_chance:.6f}",
        "settings": chosen_settings(content) or "default",
        **({"trial": trial(content)} if trial(content) else {}),
    }
    return {
        "evaluation_result_id": f"{row.task}/{row.split}/{row.kind}_top1",
        "evaluation_name": f"{data_name(result.config)}: {row.title}",
        "source_data": _source(row, result, options),
        "evaluation_timestamp": content["date"],
        "metric_config": {
            "evaluation_description": f"Share of images whose {row.kind} is named right, "
            f"{find_task(row.task).text}",
            "metric_id": "accuracy",
            "metric_name": f"{row.kind} top-1 accuracy",
            "metric_kind": "accuracy",
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
            "additional_details": details,
        },
        "score_details": {
            "score": row.value,
            "details": {"effective_images": f"{row.effective_images:.1f}"},
            "uncertainty": {
                "standard_error": {
                    "value": row.standard_error,
                    "method": ERROR,
                },
                "confidence_interval": {
                    "lower": row.low,
                    "upper": row.high,
                    "confidence_level": CONFIDENCE,
                    "method": INTERVAL,
                },
                "num_samples": row.images,
            },
        },
    }


def _source(
    row: ScoreRow, result: Result, options: ExportOptions
) -> dict[str, Any]:
    facts = result.content["dataset"]["splits"][row.split]
    details = {"split": row.split, "fingerprint": facts["fingerprint"]}
    name = {"dataset_name": data_name(result.config)}
    if options.dataset is None:
        return name | {"source_type": "other", "additional_details": details}
    if options.revision is not None:
        details["revision"] = options.revision
    return name | {
        "source_type": "hf_dataset",
        "hf_repo": options.dataset,
        "hf_split": row.split,
        "samples_number": row.images,
        "additional_details": details,
    }


FORMAT = ExportFormat(
    "every-eval-ever", "a record of Every Eval Ever, schema 0.3.0", render
)
