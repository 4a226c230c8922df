"""The bundled CLIP beside the bundled generative model on the same `choice` questions, as a table.

    imagenet-ao evaluate mini mini-generative likelihood:mini-generative pmi:mini-generative \\
        --data mini --tasks choice choice-object --out FOLDER
    python benchmarks/generative_choice.py FOLDER

Prints the Markdown table of docs/generative.md and the README from results.json of each model in
FOLDER (default: the results that stand in model_cards).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "model_cards"
MODELS = (
    "mini",
    "mini-generative",
    "likelihood:mini-generative",
    "pmi:mini-generative",
)
ROWS = ("choice", "choice-blind", "choice-rotated")
HEAD = (
    "model",
    "asked",
    "seen, %",
    "novel, %",
    "same blind (novel), %",
    "same behind other letters (novel), %",
    "letters' bias (novel; by chance), %",
)


def percent(part: dict[str, Any], name: str, digits: int = 0) -> str:
    """A share of a split in percent; '' where it has none."""
    return f"{100 * part[name]:.{digits}f}" if name in part else ""


def with_interval(part: dict[str, Any]) -> str:
    """Accuracy and its interval for attributes and objects like these; where answers are all alike,
    for these alone.
    """
    wide = "_wide" if "composition_top1_wide_low" in part else ""
    names = (
        f"composition_top1{end}" for end in ("", f"{wide}_low", f"{wide}_high")
    )
    value, low, high = (percent(part, name, 1) for name in names)
    return f"{value} [{low}, {high}]{'' if wide else ' (these alone)'}"


def table_rows(results: dict[str, Any]) -> list[list[str]]:
    """The rows, from results.json by model."""
    rows = []
    for model in (name for name in MODELS if name in results):
        scores = results[model]["scores"]
        for task in (name for name in ROWS if name in scores):
            seen, novel = (
                scores[task]["splits"][split] for split in ("id", "ood")
            )
            bias = percent(novel, "letter_bias")
            chance = percent(novel, "letter_bias_chance")
            rows.append(
                [
                    f"`{model}`",
                    f"`{task}`",
                    with_interval(seen),
                    with_interval(novel),
                    percent(novel, "blind_agreement"),
                    percent(novel, "rotated_agreement"),
                    f"{bias}; {chance}" if bias else "",
                ]
            )
    return rows


def markdown(folder: Path) -> str:
    """The table of the results in ``folder``."""
    found = [
        json.loads(path.read_text()) for path in folder.rglob("results.json")
    ]
    results = {one["model"]["id"]: one for one in found}
    lines = [
        HEAD,
        ["---", "---", *["---:"] * (len(HEAD) - 2)],
        *table_rows(results),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(markdown(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS))
