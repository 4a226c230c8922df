"""Why the study's editions differ: single runs at the centre of the second edition, on the pictures
of its first seed, with one thing changed at a time. Writes what aobench/study/bundled/controls.json
holds.

    python benchmarks/study_controls.py --out controls

Pictures, then a run of 5 to 60 seconds each on a quiet core; each is kept in OUT and not done again.
Thought of after the first results of the second edition were seen.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from aobench.study.design import Run, Settings
from aobench.study.factorial import BATCH, CENTRE, CHANNELS, SEEDS, SIDE, STEPS

FIRST = Settings()  # the first edition's
SECOND = Settings(CHANNELS, STEPS, BATCH, FIRST.peak, FIRST.decay, SIDE)
LONG = Settings(
    FIRST.channels, FIRST.steps, FIRST.batch, FIRST.peak, FIRST.decay, SIDE
)
FASTER = Settings(FIRST.channels, FIRST.steps, FIRST.batch, 4 * FIRST.peak)
PLAN = (
    ("object", FIRST),
    ("object", FASTER),
    ("contrastive", FIRST),
    ("seen_pairs", FIRST),
    ("composed_pairs", FIRST),
    ("composed_pairs_cosine", FIRST),
    ("object", LONG),
    ("contrastive", LONG),
    ("seen_pairs", LONG),
    ("object", SECOND),
)


def control_row(
    supervision: str, settings: Settings, out: Path
) -> dict[str, Any]:
    """Train and score one; accuracies as fractions, by test and reading."""
    import torch

    from aobench.study.running import images_of, test_sets
    from aobench.study.training import do_run

    run = Run(SEEDS[0], *CENTRE, supervision)
    images, tests = images_of(run, out, run.scale), test_sets(out)
    result, _ = do_run(run, images, tests, torch.device("cpu"), settings)
    row = {
        "supervision": supervision,
        "side": settings.side,
        "channels": list(settings.channels),
        "steps": settings.steps,
        "batch": settings.batch,
        "peak": settings.peak,
    }
    for split, counts in result["splits"].items():
        for kind, right in counts.items():
            if kind != "n":
                row[f"{split}_{kind}"] = sum(right) / sum(counts["n"])
    return row


def main() -> int:
    """Do what is not there yet, and write all of it to OUT/controls.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (supervision, settings) in enumerate(PLAN):
        path = out / f"control-{number}.json"
        if not path.exists():
            path.write_text(json.dumps(control_row(supervision, settings, out)))
        rows.append(json.loads(path.read_text()))
        print(rows[-1], flush=True)
    (out / "controls.json").write_text(json.dumps(rows, indent=0) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
