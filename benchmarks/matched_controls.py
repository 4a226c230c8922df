"""What is left of the gap between seen and novel compositions when vocabulary and pictures are
fixed? A drawn set with matched controls, for the bundled model and for a guesser without eyes.

python benchmarks/matched_controls.py OUT [--captions captions.txt.gz] [--least 20] [--count N]

Without ``--captions`` the corpus is made up: each composition that mini's model was trained on, so
that novel is what is novel for that model. The guesser never looks at a picture: for every image it
ranks all candidates by how many captions show them. What it gains is owed to the candidates alone.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Tasks and their accuracy in scores.
TASKS = {
    "composition": "composition_top1",
    "choice": "composition_top1",
    "attribute": "attribute_top1",
    "object": "object_top1",
}
CURVE = ("seen_novel_auc", "held_out_harmonic_mean")


def write_captions(path: Path, times: int) -> None:
    """A corpus that shows each composition of mini's training set so many times, nothing else."""
    from aobench.mini.splits import pairs

    lines = [f"a photo of a {a} {o}\n" for a, o in pairs(novel=False)] * times
    path.write_text("".join(lines))


def configuration(args: argparse.Namespace, captions: Path) -> dict[str, Any]:
    """A build of mini's vocabulary with controls; only `redraw`, which knows the truth, judges."""
    from aobench.mini.pictures import objects
    from aobench.mini.render import ATTRIBUTES

    return {
        "out": ".",
        "seed": args.seed,
        "compose": {
            "corpora": [
                {"name": "captions", "captions": [str(captions.resolve())]}
            ],
            "attributes": list(ATTRIBUTES),
            "objects": list(objects()),
            "count": args.count,
            "controls": {
                "least_captions": args.least,
                "rule": "adjacent-forms",
            },
        },
        "generate": {"generator": "renderer", "images": args.images},
        "validate": {"judges": [{"kind": "redraw"}]},
        "package": {"name": "matched"},
    }


class MeanGrey:
    """All that the guesser is shown: how light a picture is, which no text asks for."""

    identity = "mean-grey"

    def __call__(self, image: Any) -> dict[str, Any]:
        """One number, 0 to 1."""
        import numpy as np

        return {
            "grey": np.asarray(image, np.float32).mean(keepdims=True)[0, 0]
            / 255
        }


class CaptionGuesser:
    """Answers with the names that most captions show, whatever the picture.

    A runner refuses a model that gives all pictures one vector, so the vectors differ, in
    directions in which no text lies: every picture has the same cosine with a text.

    Args:
        counts: captions of each composition.
    """

    def __init__(self, counts: Mapping[tuple[str, str], int]) -> None:
        from aobench.models.base import ModelInfo

        self.info = ModelInfo(
            "guesser", "own", "1", "-", "float32", "cpu", True
        )
        self.transform = MeanGrey()
        by_name: dict[str, int] = {}
        for (attribute, thing), count in counts.items():
            by_name[f"{attribute} {thing}"] = count
            for name in (attribute, thing):
                by_name[name] = by_name.get(name, 0) + count
        order = sorted(by_name, key=lambda name: (by_name[name], name))
        self.places = {
            name: place / len(order) for place, name in enumerate(order)
        }

    def _place(self, text: str) -> float:
        """0 to 1, higher for more captions; of a text that is no candidate, any."""
        return self.places.get(text, zlib.crc32(text.encode()) / 2**33)

    def encode_images(self, batch: Mapping[str, Any]) -> Any:
        """Unit vectors (N, 4) of which texts share the first number alone, which is the same."""
        import torch

        angle = batch["grey"].flatten()
        side, same = torch.full_like(angle, 0.6), torch.zeros_like(angle)
        around = [0.8 * angle.cos(), 0.8 * angle.sin()]
        return torch.stack([side, same, *around], dim=1)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """Unit vectors whose cosine with every image grows with the captions of a name."""
        import torch

        places = torch.tensor([self._place(text) for text in texts])
        none = torch.zeros_like(places)
        return torch.stack([places, (1 - places**2).sqrt(), none, none], dim=1)


def caption_counts(out: Path) -> dict[tuple[str, str], int]:
    """Captions of each composition, as the build counted them."""
    from aobench.newset.manifests import read_rows

    rows = read_rows(out / "1-compose" / "compositions.parquet")
    return {(r["attribute"], r["object"]): r["captions_captions"] for r in rows}


def interval(scores: Mapping[str, Any], key: str) -> str:
    """A share in percent, with its interval."""
    value, low, high = (
        100 * scores[f"{key}{end}"] for end in ("", "_low", "_high")
    )
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def print_scores(model: str, scores: Mapping[str, Any]) -> None:
    """Rows of a Markdown table: a task each, and the curve of ``composition``."""
    for task, key in TASKS.items():
        one = scores[task]
        seen, novel = (
            interval(one["splits"][split], key) for split in ("id", "ood")
        )
        part = one["splits"]["ood"]
        chance = f"{100 * part['chance']:.2f} (1 of {part['n_candidates']:,})"
        cells = (model, task, seen, novel, interval(one, "gap"), chance)
        print(f"| {' | '.join(cells)} |")
    curve = scores["composition"]["curve"]
    for key in CURVE:
        print(f"{model}: {key} {interval(curve, key)}")


def main() -> None:
    """Command line."""
    import aobench
    from aobench.cli import main as run

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--least", type=int, default=20)
    parser.add_argument("--count", type=int)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    captions = args.captions or args.out / "captions.txt"
    if args.captions is None:
        write_captions(captions, args.least)
    path = args.out / "set.yaml"
    path.write_text(
        json.dumps(configuration(args, captions), indent=1)
    )  # is YAML
    if run(["build", str(path)]):
        raise SystemExit(2)
    package, tasks = args.out / "5-package" / "matched", list(TASKS)
    model = aobench.evaluate("mini", package, tasks=tasks, cpu=True)[0]
    guesser = CaptionGuesser(caption_counts(args.out))
    bare = {"tasks": tasks, "templates": ["{}"]}
    blind = aobench.evaluate(guesser, package, **bare, cpu=True)
    print("| model | task | seen (id) | novel (ood) | gap | chance |")
    print("|---|---|---|---|---|---|")
    print_scores("mini", model.scores)
    print_scores("guesser", blind[0].scores)


if __name__ == "__main__":
    main()
