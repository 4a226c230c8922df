"""The runs of the miniature: one point of scale x diversity x supervision and a seed each
(docs/study_design.md).
"""

from __future__ import annotations

from dataclasses import dataclass

SCALES = (500, 1000, 2000, 4000, 8000)  #: distinct training images
DIVERSITIES = (2, 4, 8, 16)  #: attributes an object in training
CENTRE = (4000, 8)
SUPERVISIONS = ("object", "two_head", "contrastive")
CONTROLS = (
    "two_head_cosine",
    "contrastive_labels",
)  #: added after the results, at the centre only
SEEDS = (0, 1, 2)
STEPS, BATCH, PEAK = 600, 256, 4e-3
SECONDS_ONE_CORE = (
    44 * 60
)  #: all runs, controls and pictures: medians of the runs that ship with the package
SECONDS_MEASURING = 8  #: disentanglement of one run, one core


@dataclass(frozen=True, order=True)
class Run:
    """One training run."""

    seed: int
    scale: int
    diversity: int
    supervision: str

    @property
    def name(self) -> str:
        """Its file name, such as ``contrastive-n4000-d8-s0``."""
        return f"{self.supervision}-n{self.scale}-d{self.diversity}-s{self.seed}"


def design_points() -> tuple[tuple[int, int], ...]:
    """(scale, diversity): one factor varied at a time around the centre; 8 points."""
    along_scale = [(n, CENTRE[1]) for n in SCALES]
    return tuple(dict.fromkeys([*along_scale, *((CENTRE[0], d) for d in DIVERSITIES)]))


def all_runs() -> tuple[Run, ...]:
    """The 72 runs, seed by seed, so that an unfinished study is a whole one of fewer seeds."""
    return tuple(
        Run(seed, n, d, s)
        for seed in SEEDS
        for n, d in design_points()
        for s in SUPERVISIONS
    )


def control_runs() -> tuple[Run, ...]:
    """The controls that were added after the results of :func:`all_runs` were known."""
    return tuple(Run(seed, *CENTRE, s) for seed in SEEDS for s in CONTROLS)


def every_run() -> tuple[Run, ...]:
    """The design's runs and then the controls."""
    return (*all_runs(), *control_runs())
