"""Results of models that never ran: results.json alone, with the accuracies that a test wants."""

import json
import math
import random

#: Points of logit by which each group's OoD accuracy lies above the common line.
FLAT = {"large": 0.0, "small": 0.0, "supervised": 0.0}


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


def inverse_logit(x):
    """The share whose logit is ``x``."""
    return 1 / (1 + math.exp(-x))


def family(folder, above, runs=6, wide=True, seed=0, **facts):
    """Results of a made-up family: OoD logit = ID logit - 1 + what a group lies ``above``."""
    rng = random.Random(seed)
    groups = (
        ("large", "language", ("openai", "laion400m", "laion2b")),
        ("small", "language", ("cc12m", "yfcc15m")),
        ("supervised", "labels", ("imagenet1k", "imagenet21k")),
    )
    folders = []
    for group, supervision, sets in groups:
        for number in range(runs):
            spread = (-1.5, 2.0) if wide or group != "large" else (3.0, 4.0)
            x = rng.uniform(*spread)
            y = x - 1 + above[group] + rng.gauss(0, 0.05)
            name = f"{group}-{number}"
            images = (
                14_000_000 if sets[number % len(sets)] == "imagenet21k" else 400
            )
            folders.append(
                made_result(
                    folder / name,
                    name,
                    inverse_logit(x),
                    inverse_logit(y),
                    inverse_logit(y - 1) if supervision == "language" else None,
                    family="made",
                    training_set=sets[number % len(sets)],
                    training_images=images,
                    supervision=supervision,
                    **facts,
                )
            )
    return folders
