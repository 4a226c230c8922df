"""The second edition's runs: scale x diversity, crossed, with each supervision tuned
(docs/study_design_2.md).
"""

from __future__ import annotations

from aobench.study.design import Edition, Run, Settings

SCALES = (1000, 4000)  #: distinct training images
DIVERSITIES = (2, 4, 8, 16)  #: attributes an object in training
CENTRE = (4000, 8)
CONTRASTS = ("contrastive_labels", "contrastive")
COMPOSED = (
    "composed_pairs",
    "composed_pairs_cosine",
)  #: added after first results
PAIR_LOSSES = ("seen_pairs", "seen_pairs_cosine", *COMPOSED, *CONTRASTS)
SUPERVISIONS = ("object", "two_head", *PAIR_LOSSES)
FURTHER = {
    "two_head": ("composition",),
    "seen_pairs": ("composition", "object_best"),
    "seen_pairs_cosine": ("composition", "object_best"),
    "composed_pairs": ("composition",),
    **dict.fromkeys(
        ("composed_pairs_cosine", *CONTRASTS),
        ("composition", "object_prompt", "object_seen"),
    ),
}  #: readings beside the object
SEEDS = (3, 4, 5, 6, 7)  #: those of the first edition are not used again
TUNING_SEED = 99
STEPS, BATCH = 400, 128
SIDE = 16  #: pixels: the tower then sees a whole object at once
CHANNELS = (16, 32, 128)
#: Beyond an end while the best is at it, by doubling or halving.
PEAKS = (0.004, 0.008, 0.016)
DECAYS = (0.05, 0.005)  #: the second is tried with the best peak
SECONDS_ONE_CORE = 44 * 60


def settings(peak: float, decay: float) -> Settings:
    """All that the supervisions have in common, with what was tuned for one."""
    return Settings(CHANNELS, STEPS, BATCH, peak, decay, SIDE)


def points() -> tuple[tuple[int, int], ...]:
    """(scale, diversity), crossed: 8 points."""
    return tuple((n, d) for n in SCALES for d in DIVERSITIES)


def runs_of_seed(seed: int) -> tuple[Run, ...]:
    """A whole factorial of one seed."""
    return tuple(Run(seed, n, d, s) for n, d in points() for s in SUPERVISIONS)


def all_runs() -> tuple[Run, ...]:
    """Seed by seed, so that what is unfinished is a whole factorial of fewer seeds."""
    return tuple(run for seed in SEEDS for run in runs_of_seed(seed))


def second_edition(tuned: dict[str, Settings]) -> Edition:
    """The factorial with the settings that :mod:`aobench.study.tuning` chose."""
    return Edition(all_runs(), tuned, SECONDS_ONE_CORE)
