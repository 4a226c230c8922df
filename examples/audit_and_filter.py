"""Is it novel? Count which pairs training captions show, and keep the pictures of the others.

    python examples/audit_and_filter.py [OUT]

Put your own captions (Parquet, CSV, text, tar; local or by URL) in place of the few lines here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from datasets import Dataset, load_dataset
from drawn_pictures import NOVEL, SEEN, draw_folder

import aobench
import imagenet_ao  # noqa: F401  makes load_dataset("imagenet_ao") known
from aobench.audit.vocabulary import make_vocabulary

CAPTIONS = """\
a wooden banana on a plate
one striped ambulance and a red violin
the floral strawberry cake
an orange and a banana
an orange banana, who has ever seen that?
"""


def main(out: Path, images: int = 2) -> Dataset:
    """Audit captions, then filter a set by what they don't show."""
    out.mkdir(parents=True, exist_ok=True)
    captions = out / "captions.txt"
    captions.write_text(CAPTIONS)

    # The attributes and objects to look for; without them the 129 and 1,000 published ones.
    pairs = (*SEEN, *NOVEL)
    names = (tuple(sorted({pair[place] for pair in pairs})) for place in (0, 1))
    # `modifies`: the attribute says something of the object. `words`: both stand in the caption.
    found = aobench.audit(
        captions,
        out / "audit",
        rules=("modifies", "words"),
        vocabulary=make_vocabulary(*names),
    )
    for pair, seen_in in found.examples("modifies").items():
        print(f"{' '.join(pair):18} is shown by: {seen_in[0][2]}")

    # The counts become a column of the set, and the set is filtered by it.
    rows = load_dataset(
        "imagenet_ao",
        "folder",
        data_dir=str(draw_folder(out / "pictures", images)),
        counts=str(out / "audit" / "counts-words.parquet"),
        split="ood",
    )
    unseen = rows.filter(lambda row: row["caption_count"] == 0)
    print(f"{len(unseen)} of {len(rows)} pictures show what no caption shows:")
    print(", ".join(sorted(set(unseen["composition"]))))
    return unseen


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "example-audit"))
