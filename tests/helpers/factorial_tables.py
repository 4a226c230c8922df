"""Tables of the study's second edition with answers drawn from known log odds."""

from collections.abc import Callable

import numpy as np

from aobench.study import factorial
from aobench.study.collecting import pack_counts
from aobench.study.world import ID_IMAGES, OOD_IMAGES

SIZES = {"id": (96, ID_IMAGES), "ood": (240, OOD_IMAGES)}
#: Log odds from (split, supervision, scale, diversity, seed).
Odds = Callable[[str, str, int, int, int], float]


def plain_odds(
    split: str, supervision: str, scale: int, diversity: int, seed: int
):
    """Scale and diversity help; pair losses lead by 2 less 0.4 a doubling of diversity; contrast by
    0.5 more.
    """
    size, kinds = np.log2(scale / 1000), np.log2(diversity)
    if split == "id":
        return 1.0 + 0.2 * size - 0.1 * kinds
    lead = 2.0 - 0.4 * kinds if supervision in factorial.PAIR_LOSSES else 0.0
    lead += 0.5 * (supervision == "contrastive") - (supervision == "two_head")
    return -2.5 + 0.16 * size + 0.5 * kinds + lead


def made_table(
    odds: Odds = plain_odds, seeds=(3, 4, 5), noise=0.0, draw_seed=0
):
    """A table as ``collect_factorial`` makes it.

    Args:
        odds: Log odds of a right object.
        seeds: Its whole seeds.
        noise: Standard deviation of the log odds over compositions.
        draw_seed: Seed of the answers.
    """
    rng = np.random.default_rng(draw_seed)
    offsets = {
        split: rng.normal(0, noise, n) for split, (n, _) in SIZES.items()
    }
    settings = {"channels": [16, 32, 128], "peak": 0.008, "decay": 0.05}
    every = factorial.SUPERVISIONS
    runs = [run for seed in seeds for run in factorial.runs_of_seed(seed)]
    return {
        "format": 2,
        "images_a_composition": {"id": ID_IMAGES, "ood": OOD_IMAGES},
        "seeds": list(seeds),
        "settings": dict.fromkeys(every, settings),
        "trials": [
            {
                "supervision": s,
                "peak": 0.008,
                "decay": 0.05,
                "id_object": 0.5,
                "seconds": 1,
            }
            for s in every
        ],
        "runs": [_row(run, odds, offsets, rng) for run in runs],
    }


def _row(run, odds, offsets, rng):
    right = {}
    for split, (_, images) in SIZES.items():
        where = (split, run.supervision, run.scale, run.diversity, run.seed)
        rate = 1 / (1 + np.exp(-(odds(*where) + offsets[split])))
        kinds = ("object", *factorial.FURTHER.get(run.supervision, ()))
        right[split] = {
            kind: pack_counts(rng.binomial(images, rate).tolist())
            for kind in kinds
        }
    place = {"scale": run.scale, "diversity": run.diversity, "seed": run.seed}
    return {
        **place,
        "supervision": run.supervision,
        "seconds": 1.0,
        "right": right,
    }
