"""Evaluate a model: does it name pairs that it never saw as well as those that it saw?

    python examples/evaluate_a_model.py [OUT]

The model and the set are the bundled ones, so nothing is downloaded. The set is drawn at the first
run, which takes most of the time. Put your own model's Hub id or folder in place of "mini".
"""

from __future__ import annotations

import sys
from pathlib import Path

import aobench


def main(out: Path, limit: int = 200) -> aobench.Result:
    """Evaluate, print, plot, store and load again."""
    # `limit`: so many pictures of each split; without it the whole set. One prompt instead of
    # OpenAI's 80 (the default) is quicker and a little less accurate.
    (result,) = aobench.evaluate(
        "mini",
        data="mini",
        limit=limit,
        templates=["a photo of a {}."],
        out=out,
    )
    print(result)

    # The headline task: both splits choose among the same pairs, so that they compare.
    splits = result.scores["composition"]["splits"]
    for split, name in (("id", "seen"), ("ood", "novel")):
        one = splits[split]
        low, high = one["composition_top1_low"], one["composition_top1_high"]
        print(
            f"{name:5} pairs: {one['composition_top1']:.1%} [{low:.1%}, {high:.1%}], "
            f"chance {one['chance']:.2%}, {one['n']} images"
        )

    # All scores as a pandas frame, and as a plot.
    frame = result.to_frame()
    print(
        frame[["task", "split", "composition_top1", "object_top1"]].to_string()
    )
    result.plot().savefig(out / "accuracies.svg")

    # What is stored is checked when it is read: its scores are those of its table.
    return aobench.load_result(out / "mini")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "example-evaluate"))
