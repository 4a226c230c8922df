"""Results of models that never ran: results.json alone, with the accuracies that a test wants."""

import json


def made_result(
    folder, model, id_object, ood_object, composition=None, **facts
):
    """Write a result; without ``composition`` that of a classifier. Returns its folder."""
    names = composition is not None
    scores = {
        "object": {
            "splits": {
                "id": _split("object", id_object, 50_000, 1000),
                "ood": _split("object", ood_object, 40_000, 1000),
            }
        }
    }
    if names:
        split = _split("composition", composition, 40_000, 12_000)
        scores["composition-own"] = {"splits": {"ood": split}}
    content = {
        "format": 2,
        "model": {
            "id": model,
            "kind": "clip" if names else "supervised",
            "names_attributes": names,
            "dtype": "float32",
            "facts": facts,
        },
        "dataset": {
            "name": "imagenet_ao",
            "config": facts.pop("config", "v2"),
            "splits": {
                "id": {"fingerprint": "a", "n": 50_000},
                "ood": {
                    "fingerprint": facts.pop("fingerprint", "b"),
                    "n": 40_000,
                },
            },
        },
        "templates": {"hash": "c", "n": 80} if names else None,
        "tasks": {
            task: {
                "candidates": {
                    split: {"n": 1000, "hash": "d"} for split in its["splits"]
                }
            }
            for task, its in scores.items()
        },
        "scores": scores,
    }
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def _split(kind, accuracy, n, candidates):
    return {
        "n": n,
        f"{kind}_top1": accuracy,
        f"{kind}_top1_effective_n": n / 3,
        "chance": 1 / candidates,
        f"{kind}_chance": 1 / candidates,
        "n_candidates": candidates,
    }
