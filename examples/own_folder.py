"""Evaluate on pictures of your own: a folder for each attribute-object pair is all it takes.

    python examples/own_folder.py [OUT]

The layout here: OUT/pictures/seen/wooden_banana/0.png, OUT/pictures/novel/... Other layouts, such
as a list or MIT-States, are in docs/own-data.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drawn_pictures import draw_folder

import aobench


def main(out: Path, images: int = 10) -> aobench.Result:
    """Lay out pictures, say what they are taken for, evaluate."""
    pictures = draw_folder(out / "pictures", images)
    (result,) = aobench.evaluate(
        "mini",
        data=pictures,
        templates=["a photo of a {}."],
        out=out / "results",
    )

    # What the folder was taken for, and what of it was left out and why.
    recognised = result.content["dataset"]["recognised"]
    print("layout:", recognised["layout"])
    print("left out:", result.content["dataset"].get("left_out") or "nothing")
    print(result)

    # Every answer: a row for each picture and task. Here, what novel pictures were taken for.
    table = result.predictions.to_pandas()
    novel = table[(table["split"] == "ood") & (table["task"] == "composition")]
    print(novel["sample_id"].head().to_string(index=False))
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "example-own-folder"))
