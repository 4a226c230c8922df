"""The dataset's README.md: what it is, the funnel, who judged, and what it does not say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aobench.duplicates.reasons import NEAR_DUPLICATE, NEAR_REFERENCE
from aobench.newset.package.funnel import FunnelStage, as_markdown, in_a_cell

HEAD = """
# {name}

{n:,} images of {compositions:,} attribute-object compositions ({attributes:,} attributes,
{objects:,} objects), {splits}. \
Made with `imagenet-ao build`. It is not the published ImageNet-AO, and figures on the two do
not compare.

```python
from datasets import load_dataset
load_dataset("{name}", "{name}", split="ood")     # this folder, or its name on the Hub
```
```
imagenet-ao evaluate MODEL --data {name}
```
Chance level of naming the composition among those of the set: 1 in {compositions:,}.
"""

#: The splits of a set without controls; with them see `two_splits`.
ONE_SPLIT = "split\n`ood`"

PICTURES = """
## Pictures

![{accepted_shown} accepted images, drawn at random](sheets/accepted.jpg)
"""
REJECTED = """
Rejected, each with the reason:

![{rejected_shown} rejected images, drawn at random](sheets/rejected.jpg)
"""

FIELDS = """
## Columns

| column | |
|---|---|
| `image` | the picture, as the generator's PNG |
| `sample_id` | composition and number; stable: the same build gives the same |
| `attribute`, `object` | ids with names |
| `composition` | attribute and object, separated by a space |
| `imagenet_label`, `wnid` | of an object that is an ImageNet class under its published name,
otherwise empty |
| `source` | the picture's file in the step `generate` |
| `caption_count` | captions that show the composition, summed over the corpora{of_samples} |
| `sha256` | of the picture's file |

`build.json` holds the steps' manifests: options, seeds, models, versions, SHA-256 of their tables.
"""


def card_text(
    name: str,
    counts: Mapping[str, int],
    manifests: Mapping[str, Mapping[str, Any]],
    stages: Sequence[FunnelStage],
    splits: str = ONE_SPLIT,
    controls: str = "",
) -> str:
    """The text below the card's YAML head.

    Args:
        name: of the set.
        counts: of the package and its sheets.
        manifests: by step.
        stages: the funnel.
        splits: what its first paragraph says of the splits.
        controls: the section on controls, of a set that has them.
    """
    compose, generate = manifests["compose"], manifests["generate"]
    sampled = any(
        corpus["counted"] < corpus["captions"]
        for corpus in compose["facts"]["corpora"].values()
    )
    return "".join(
        [
            HEAD.format(name=name, splits=splits, **counts),
            PICTURES.format(**counts) if counts["accepted_shown"] else "",
            REJECTED.format(**counts) if counts["rejected_shown"] else "",
            f"\n## From all pairs to this set\n\n{as_markdown(stages)}\n",
            _too_few(compose),
            _novelty(compose["facts"]),
            controls,
            _making(generate),
            _judging(manifests["validate"]["facts"]),
            _distinct(manifests["distinct"]["facts"]),
            FIELDS.format(
                of_samples="; in a sample, those of the sample"
                if sampled
                else ""
            ),
        ]
    )


def two_splits(images: Mapping[str, Sequence[Any]]) -> str:
    """What the first paragraph says of the splits of a set with controls: ``images`` of each."""
    novel, controls = len(images["ood"]), len(images["id"])
    return (
        f"in\ntwo splits: `ood`, {novel:,} images of novel compositions, and `id`, {controls:,} "
        "of matched controls"
    )


def _too_few(compose: Mapping[str, Any]) -> str:
    asked, composed = (
        compose["made_from"]["options"].get("count"),
        compose["facts"]["kept"],
    )
    if asked is None or composed >= asked:
        return ""
    return f"\n{asked:,} compositions were asked for; no more than {composed:,} could be had.\n"


def _novelty(compose: Mapping[str, Any]) -> str:
    lines = [
        "\n## Novel for which captions\n\n| corpus | captions | scanned | rule | at most "
        "|\n|---|---:|---:|---|---:|"
    ]
    notes = []
    most = max(corpus["threshold"] for corpus in compose["corpora"].values())
    for name, corpus in compose["corpora"].items():
        lines.append(
            f"| {in_a_cell(name)} | {corpus['captions']:,} | {corpus['counted']:,} | "
            f"{in_a_cell(corpus['rule'])} | "
            f"{corpus['threshold']:,} |"
        )
        if corpus["counted"] < corpus["captions"]:
            notes.append(_sampled(in_a_cell(name), corpus))
    means = (
        "not named in these captions by that rule"
        if most == 0
        else (
            "named by that rule in at most so many captions of each corpus as the last column "
            "says, which may be some"
        )
    )
    notes.append(
        f"Novel means: {means}. The pictures may show it all the same, and other corpora were not "
        "searched."
    )
    return "\n".join(lines) + "\n\n" + "\n".join(notes) + "\n"


def _sampled(name: str, corpus: Mapping[str, Any]) -> str:
    """What a count in a sample leaves open: how many captions of the corpus may show a
    composition of this set.
    """
    from aobench.audit.statistics import upper_bound

    bound = upper_bound(
        min(corpus["threshold"], corpus["counted"]), corpus["counted"]
    )
    return (
        f"Of {name} a sample was scanned, and counts are of the sample: a composition of this set "
        "may still be in up "
        f"to {bound:.2g} of its captions, {math.ceil(bound * corpus['captions']):,} (95 % bound, "
        "if the sample was "
        "drawn at random)."
    )


def _making(generate: Mapping[str, Any]) -> str:
    facts, origin = generate["facts"], generate["made_from"]
    counts = ("images", "flagged", "broken")
    said = {
        key: value
        for key, value in facts.items()
        if key not in counts and value is not None
    }
    options = ", ".join(f"{key} {_plain(value)}" for key, value in said.items())
    prompts = "; ".join(
        f"`{' '.join(prompt.split())}`"
        for prompt in origin["options"]["prompts"]
    )
    checker, flagged = facts.get("safety_checker"), facts["flagged"]
    if checker:
        safety = (
            f"The safety checker {_plain(checker)} objected to {flagged:,}, which are left "
            "out."
        )
    elif flagged:
        safety = (
            f"The generator marked {flagged:,} as not to be shown, which are left out; it "
            "names no safety checker."
        )
    else:
        safety = "No safety checker ran."
    if facts.get("broken"):
        safety += (
            f" {facts['broken']:,} came out as no pictures (not numbers, or one colour) and "
            "are left out."
        )
    return (
        f"\n## How the images were made\n\n{options}. {safety}\n\n"
        f"Prompts, in turn: {prompts}. Seed {origin['seed']}; an image's own follows from it, the "
        "composition and the "
        "image's number.\n"
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "(" + ", ".join(f"{k}={_plain(v)}" for k, v in value.items()) + ")"
        )
    return " ".join(str(value).split())


def _judging(validate: Mapping[str, Any]) -> str:
    lines = ["\n## Who judged\n"]
    if validate["judges"]:
        lines += [
            "| judge | model | judged | passed | question | threshold | precision | recall | wrong "
            "ones found |",
            "|---|---|---:|---:|---|---|---|---|---|",
        ]
    for name, judge in validate["judges"].items():
        model = judge.get("model") or judge["facts"].get("model") or ""
        model = model["id"] if isinstance(model, dict) else model
        for question, said in judge["questions"].items():
            known = said["measured"] or {}
            shares = " | ".join(
                _share(known.get(key))
                for key in ("precision", "recall", "wrong_found")
            )
            lines.append(
                f"| {in_a_cell(name)} | {in_a_cell(model)} | {judge['judged']:,} | "
                f"{judge['passed']:,} | {question} | "
                f"{said['threshold']:.4g} ({said['how']}) | {shares} |"
            )
    if validate["judges"]:
        lines.append(
            "\nPrecision, recall and wrong ones found: on images whose answer is known, with 95 % "
            "Wilson intervals and "
            "n; for a chosen threshold on those that it was not chosen on. Empty: not measured."
        )
    lines += [_people(validate), _dual_encoders(validate)]
    return "\n".join(line for line in lines if line) + "\n"


def _people(validate: Mapping[str, Any]) -> str:
    people = validate["people"]
    if not people:
        return "\nNo person judged these images."
    over = (
        ""
        if people["overruled"] is None
        else f", and overruled the judges on {people['overruled']:,}"
    )
    text = f"\nPeople decided on {people['decided']:,} of {validate['images']:,} images{over}."
    if "annotators" not in people:  # a manifest of an earlier version
        return text
    text += (
        f" Annotators: {people['annotators']:,}. A decision is a majority of at least "
        f"{people['minimum']:,} votes."
    )
    if people["left_out"]:
        text += (
            f" {people['left_out']:,} more had no vote: they passed less than "
            f"{people['min_catch']:.0%} of their catch "
            "trials."
        )
    answered = [
        (c["passed"], c["passed"] + c["failed"])
        for c in people["catch"]
        if c["passed"] + c["failed"]
    ]
    passes = ", ".join(f"{passed} of {total}" for passed, total in answered)
    text += (
        f" Catch trials passed, by annotator: {passes}."
        if passes
        else " No catch trials were answered."
    )
    if not people["pictures_known"]:
        text += (
            " Their file does not hold the pictures' SHA-256: that they judged these very "
            "pictures is not checked."
        )
    return text + "\n" + _agreement(people)


def _agreement(people: Mapping[str, Any]) -> str:
    if not people["agreement"]:
        return "\nAgreement can't be told: it takes two annotators who count."
    lines = [
        "\n| agreement of the annotators on | measure | value | images |\n|---|---|---:|---:|"
    ]
    for one in people["agreement"]:
        value = "undefined" if one["value"] is None else f"{one['value']:.3f}"
        lines.append(
            f"| {one['question']} | {one['measure']} | {value} | {one['n']:,} |"
        )
    return "\n".join(lines)


def _dual_encoders(validate: Mapping[str, Any]) -> str:
    """A warning where models of the family under test accepted images and nobody else looked at
    these.
    """
    alone, accepted = (
        validate.get("accepted_by_dual_encoders_alone", 0),
        validate["accepted"],
    )
    if not alone:
        return ""
    who = (
        "Only dual encoders judged"
        if alone == accepted
        else f"Only dual encoders judged {alone:,} of the {accepted:,} accepted images"
    )
    return (
        f"\n**{who}, the family that this set is to test: what they accept is what they can "
        "already name, and "
        "accuracies on the set are too high for them.**"
    )


def _share(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return ""
    return (
        f"{100 * share['value']:.1f} % [{100 * share['low']:.1f}, {100 * share['high']:.1f}], "
        f"n {share['n']:,}"
    )


def _distinct(distinct: Mapping[str, Any]) -> str:
    removed, near = distinct["counts"]["removed"], distinct["thresholds"]
    model = (distinct["model"] or {}).get("id")
    text = (
        f"\n## Near-duplicates\n\n{removed[NEAR_DUPLICATE]:,} removed, "
        f"{removed[NEAR_REFERENCE]:,} too near "
        f"to a reference of {sum(shard['rows'] for shard in distinct['reference']):,} embeddings"
    )
    text += (
        f" (by {_plain(model)})."
        if model
        else " (compared by perceptual hash alone)."
    )
    text += (
        f" Near in the set: perceptual hashes at most {near['hash_distance']} of 64 bits and "
        "colours at most "
        f"{near['colour']} of 255 apart"
    )
    text += (
        f", or a cosine of {near['cosine_in_set']:g} or more."
        if near["cosine_in_set"] is not None
        else "."
    )
    if not distinct["reference"]:
        text += (
            " No reference corpus was compared: whether training images look like these is "
            "not known."
        )
    elif near["reference_cosine"] is None:
        text += " Near to the reference: measured, and not decided by."
    else:
        text += f" Near to the reference: a cosine of {near['reference_cosine']:g} or more."
    return text + "\n"
