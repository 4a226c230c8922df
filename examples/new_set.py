"""Make a set that is novel for given captions, and evaluate a model on it.

    python examples/new_set.py [OUT]

OUT/set.yaml is what `imagenet-ao build --example OUT` writes. Its pictures are drawn; for
photographs it names a diffusion model and a judge instead (docs/build.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

import aobench
from aobench.cli import main as imagenet_ao


def main(out: Path) -> aobench.Result:
    """Write the example's configuration, run it, evaluate on what it made."""
    for words in (
        ["build", "--example", str(out)],
        ["build", str(out / "set.yaml")],
    ):
        if imagenet_ao(words):
            raise SystemExit(2)
    (result,) = aobench.evaluate(
        "mini",
        data=out / "out" / "5-package" / "my-first-set",
        templates=["a photo of a {}."],
        out=out / "results",
    )
    # Seen and novel pairs have the same attributes and objects, equally often: matched controls.
    gap = result.scores["composition"]
    print(
        f"gap between seen and novel: {gap['gap']:+.1%} [{gap['gap_low']:+.1%}, "
        f"{gap['gap_high']:+.1%}]"
    )
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "example-new-set"))
