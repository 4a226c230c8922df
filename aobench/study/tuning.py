"""Each supervision's rate and decay, chosen on ID pictures of a seed that the study does not use
(docs/study_design_2.md).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aobench.sealed import (
    DamagedError,
    read_sealed_json,
    say_again,
    write_sealed_json,
)
from aobench.study.design import Run, Settings
from aobench.study.factorial import (
    CENTRE,
    DECAYS,
    PEAKS,
    SUPERVISIONS,
    TUNING_SEED,
    settings,
)

Trial = dict[
    str, Any
]  #: supervision, peak, decay, id_object (fraction), seconds
Score = Callable[[str, float, float], float]


def next_peak(trials: dict[float, float]) -> float | None:
    """The peak to try next: those of the design, then beyond the end that is the best.

    Args:
        trials: ID accuracy by peak, so far.
    """
    for peak in PEAKS:
        if peak not in trials:
            return peak
    best = max(trials, key=lambda peak: trials[peak])
    if best == max(trials):
        return 2 * best
    return best / 2 if best == min(trials) else None


def search(supervision: str, score: Score) -> tuple[float, float]:
    """The best (peak, decay): peaks with the first decay, then the other decays with the best."""
    first, *others = DECAYS
    by_peak: dict[float, float] = {}
    while (peak := next_peak(by_peak)) is not None:
        by_peak[peak] = score(supervision, peak, first)
    best = max(by_peak, key=lambda peak: by_peak[peak])
    by_decay = {first: by_peak[best]}
    by_decay |= {decay: score(supervision, best, decay) for decay in others}
    return best, max(by_decay, key=lambda decay: by_decay[decay])


def _trial(folder: Path, supervision: str, peak: float, decay: float) -> Trial:
    """Train at the centre and score on ID pictures; kept in ``folder``."""
    name = f"tuning-{supervision}-{peak:g}-{decay:g}.json"
    if (folder / name).exists():
        try:
            return read_sealed_json(folder / name, name)
        except DamagedError as error:
            say_again(folder / name, error)
    trial = _trained_trial(folder, supervision, peak, decay)
    write_sealed_json(folder / name, name, trial)
    return trial


def _trained_trial(
    folder: Path, supervision: str, peak: float, decay: float
) -> Trial:
    import torch

    from aobench.study.running import device_names, images_of, test_sets
    from aobench.study.training import do_run

    run = Run(TUNING_SEED, *CENTRE, supervision)
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    images = images_of(run, pictures, run.scale)
    known = {"id": test_sets(pictures)["id"]}
    device = torch.device(device_names()[0])
    result, _ = do_run(run, images, known, device, settings(peak, decay))
    right = result["splits"]["id"]
    return {
        "supervision": supervision,
        "peak": peak,
        "decay": decay,
        "id_object": sum(right["object"]) / sum(right["n"]),
        "seconds": result["seconds"],
    }


def tuned_settings(
    folder: Path, say: Callable[[str], None] = print
) -> tuple[dict[str, Settings], list[Trial]]:
    """Each supervision's settings, and every trial that led to them; resumes."""
    folder.mkdir(parents=True, exist_ok=True)
    trials: list[Trial] = []

    def score(supervision: str, peak: float, decay: float) -> float:
        trial = _trial(folder, supervision, peak, decay)
        trials.append(trial)
        say(
            f"{supervision}, peak {peak:g}, decay {decay:g}: {trial['id_object']:.3f}"
        )
        return float(trial["id_object"])

    chosen = {s: settings(*search(s, score)) for s in SUPERVISIONS}
    return chosen, trials
