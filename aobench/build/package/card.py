"""The dataset's README.md: what it is, the funnel, who judged, and what it does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aobench.build.package.funnel import Stage, as_markdown

HEAD = """
# {name}

{n:,} images of {compositions:,} attribute-object compositions ({attributes:,} attributes, {objects:,} objects), split
`ood`. Made with `imagenet-ao build`. It is not the published ImageNet-AO, and figures on the two do not compare.

```python
from datasets import load_dataset
load_dataset("{name}", "{name}", split="ood")     # this folder, or its name on the Hub
```
```
imagenet-ao evaluate MODEL --dataset {name} --config {name}
```
Chance level of naming the composition among those of the set: 1 in {compositions:,}.
"""

SHEET = """
## Pictures

![{accepted_n} accepted images, drawn at random](sheets/accepted.png)
"""
REJECTED = """
Rejected, each with the reason:

![{rejected_n} rejected images, drawn at random](sheets/rejected.png)
"""

FIELDS = """
## Columns

| column | |
|---|---|
| `image` | the picture, as the generator's PNG |
| `sample_id` | composition and number; stable: the same build gives the same |
| `attribute`, `object` | ids with names |
| `composition` | attribute and object, parted by a space |
| `imagenet_label`, `wnid` | of an object that is an ImageNet class under its published name, otherwise empty |
| `source` | the picture's file in the step `generate` |
| `caption_count` | captions that show the composition, summed over the corpora |
| `sha256` | of the picture's file |

`build.json` holds the steps' manifests: options, seeds, models, versions, SHA-256 of their tables.
"""


def write(name: str, facts: Mapping[str, Any], stages: Sequence[Stage]) -> str:
    """The text below the card's YAML head. ``facts``: the manifests by step, and counts."""
    parts = [
        HEAD.format(name=name, **{key: facts[key] for key in ("n", "compositions", "attributes", "objects")}),
        SHEET.format(accepted_n=facts["accepted_shown"]),
        REJECTED.format(rejected_n=facts["rejected_shown"]) if facts["rejected_shown"] else "",
        f"\n## From all pairs to this set\n\n{as_markdown(stages)}\n",
        _novelty(facts["compose"]),
        _making(facts["generate"]),
        _judging(facts["validate"], facts["only_dual_encoders"]),
        _distinct(facts["distinct"]),
        FIELDS,
    ]
    return "".join(parts)


def _novelty(compose: Mapping[str, Any]) -> str:
    lines = [
        "\n## Novel for which captions\n\n| corpus | captions | scanned | rule | at most |\n|---|---:|---:|---|---:|"
    ]
    notes = []
    for name, corpus in compose["corpora"].items():
        lines.append(
            f"| {name} | {corpus['captions']:,} | {corpus['counted']:,} | {corpus['rule']} | {corpus['threshold']} |"
        )
        bound = corpus.get("unseen_share_at_most_95")
        if bound is not None:
            notes.append(
                f"Of {name} a sample was scanned: a composition that the sample doesn't show may still be in up to "
                f"{bound:.2g} of its captions (95 % bound, if the sample was drawn at random)."
            )
    notes.append(
        "Novel means: not named in these captions by that rule. The pictures may show it all the same, and other "
        "corpora were not searched."
    )
    return "\n".join(lines) + "\n\n" + "\n".join(notes) + "\n"


def _making(generate: Mapping[str, Any]) -> str:
    said = {key: value for key, value in generate.items() if key not in ("images", "flagged") and value is not None}
    listed = ", ".join(f"{key} {_plain(value)}" for key, value in said.items())
    checker = generate.get("safety_checker")
    safety = (
        f"The safety checker {checker} objected to {generate['flagged']:,}." if checker else "No safety checker ran."
    )
    return f"\n## How the images were made\n\n{listed}. {safety}\n"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k}={v}" for k, v in value.items()) + ")"
    return str(value)


def _judging(validate: Mapping[str, Any], only_dual_encoders: bool) -> str:
    lines = ["\n## Who judged\n"]
    if validate["judges"]:
        lines += [
            "| judge | model | judged | passed | question | threshold | precision | recall | wrong ones found |",
            "|---|---|---:|---:|---|---|---|---|---|",
        ]
    for name, judge in validate["judges"].items():
        model = judge["facts"].get("model") or ""
        model = model["id"] if isinstance(model, dict) else model
        for question, said in judge["questions"].items():
            known = said["measured"] or {}
            shares = " | ".join(_share(known.get(key)) for key in ("precision", "recall", "wrong_found"))
            lines.append(
                f"| {name} | {model} | {judge['judged']:,} | {judge['passed']:,} | {question} | "
                f"{said['threshold']:.4g} ({said['how']}) | {shares} |"
            )
    if validate["judges"]:
        lines.append(
            "\nPrecision, recall and wrong ones found: on images whose answer is known, with 95 % Wilson intervals and "
            "n; for a chosen threshold on those that it was not chosen on. Empty: not measured."
        )
    people = validate["people"]
    if people:
        over = "" if people["overruled"] is None else f", and overruled the judges on {people['overruled']:,}"
        lines.append(f"\nPeople decided on {people['decided']:,} of {validate['images']:,} images{over}.")
    else:
        lines.append("\nNo person judged these images.")
    if only_dual_encoders:
        lines.append(
            "\n**Only dual encoders judged, the family that this set is to test: what they accept is what they can "
            "already name, and accuracies on the set are too high for them.**"
        )
    return "\n".join(lines) + "\n"


def _share(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return ""
    return f"{100 * share['value']:.1f} % [{100 * share['low']:.1f}, {100 * share['high']:.1f}], n {share['n']:,}"


def _distinct(distinct: Mapping[str, Any]) -> str:
    removed = distinct["counts"]["removed"]
    model = (distinct["model"] or {}).get("id")
    text = (
        f"\n## Near-duplicates\n\n{removed['near-duplicate']:,} removed, {removed['too near to reference']:,} too near "
        f"to a reference of {sum(shard['rows'] for shard in distinct['reference']):,} embeddings"
    )
    text += f" (by {model})." if model else " (compared by perceptual hash alone)."
    if not distinct["reference"]:
        text += " No reference corpus was compared: whether training images look like these is not known."
    return text + "\n"
