"""The runs of the miniature: one point of scale x diversity x supervision and a seed each
(docs/study_design.md). The second edition's: `aobench.study.factorial`.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class Settings:
    """How a network is made and trained: ``channels`` of the image tower's three layers, AdamW's
    highest rate ``peak`` and its weight ``decay``, ``steps`` of ``batch`` images, each reduced to
    ``side`` pixels.
    """

    channels: tuple[int, int, int] = (32, 64, 128)
    steps: int = STEPS
    batch: int = BATCH
    peak: float = PEAK
    decay: float = 0.05
    side: int = 32


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
        return (
            f"{self.supervision}-n{self.scale}-d{self.diversity}-s{self.seed}"
        )


def design_points() -> tuple[tuple[int, int], ...]:
    """(scale, diversity): one factor varied at a time around the centre; 8 points."""
    along_scale = [(n, CENTRE[1]) for n in SCALES]
    return tuple(
        dict.fromkeys([*along_scale, *((CENTRE[0], d) for d in DIVERSITIES)])
    )


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


@dataclass(frozen=True)
class Edition:
    """A study as it is carried out: its ``runs`` in order and each supervision's ``settings``.

    ``keeps_features``: whether a run also leaves an NPZ of its features. ``seconds``: all runs on
    one core. ``seconds_measuring``: what is computed of a run's features afterwards.
    """

    runs: tuple[Run, ...]
    settings: Mapping[str, Settings]
    seconds: float
    seconds_measuring: float = 0.0
    keeps_features: bool = False

    def largest(self, run: Run) -> int:
        """Training images that must be drawn for the runs that share those of ``run``."""
        mine = (run.diversity, run.seed)
        return max(r.scale for r in self.runs if (r.diversity, r.seed) == mine)


def first_edition() -> Edition:
    """The runs of docs/study_design.md, all with one setting."""
    settings = dict.fromkeys((*SUPERVISIONS, *CONTROLS), Settings())
    return Edition(
        every_run(), settings, SECONDS_ONE_CORE, SECONDS_MEASURING, True
    )
